/** The tests of test/client, part 4 of 4. */
import { importTests } from '#test/fixtures/import-tests.js';

await importTests('client', 4, 4);
