/** The tests of test/client, part 3 of 4. */
import { importTests } from '#test/fixtures/import-tests.js';

await importTests('client', 3, 4);
