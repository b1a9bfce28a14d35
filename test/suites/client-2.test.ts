/** The tests of test/client, part 2 of 4. */
import { importTests } from '#test/fixtures/import-tests.js';

await importTests('client', 2, 4);
