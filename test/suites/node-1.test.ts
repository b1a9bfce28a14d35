/** The tests of test/node, part 1 of 3. */
import { importTests } from '#test/fixtures/import-tests.js';

await importTests('node', 1, 3);
