/** The tests of test/core, part 1 of 3. */
import { importTests } from '#test/fixtures/import-tests.js';

await importTests('core', 1, 3);
