/** The tests of test/node, part 3 of 3. */
import { importTests } from '#test/fixtures/import-tests.js';

await importTests('node', 3, 3);
