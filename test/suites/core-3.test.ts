/** The tests of test/core, part 3 of 3. */
import { importTests } from '#test/fixtures/import-tests.js';

await importTests('core', 3, 3);
