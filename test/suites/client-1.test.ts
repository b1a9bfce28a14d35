/** The tests of test/client, part 1 of 4. */
import { importTests } from '#test/fixtures/import-tests.js';

await importTests('client', 1, 4);
