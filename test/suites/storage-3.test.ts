/** The tests of test/storage, part 3 of 4. */
import { importTests } from '#test/fixtures/import-tests.js';

await importTests('storage', 3, 4);
