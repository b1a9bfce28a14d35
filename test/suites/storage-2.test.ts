/** The tests of test/storage, part 2 of 4. */
import { importTests } from '#test/fixtures/import-tests.js';

await importTests('storage', 2, 4);
