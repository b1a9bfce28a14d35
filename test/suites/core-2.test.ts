/** The tests of test/core, part 2 of 3. */
import { importTests } from '#test/fixtures/import-tests.js';

await importTests('core', 2, 3);
