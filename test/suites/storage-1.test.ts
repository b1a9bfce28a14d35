/** The tests of test/storage, part 1 of 4. */
import { importTests } from '#test/fixtures/import-tests.js';

await importTests('storage', 1, 4);
