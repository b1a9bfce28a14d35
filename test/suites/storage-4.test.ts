/** The tests of test/storage, part 4 of 4. */
import { importTests } from '#test/fixtures/import-tests.js';

await importTests('storage', 4, 4);
