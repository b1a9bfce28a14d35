/** The tests of test/node, part 2 of 3. */
import { importTests } from '#test/fixtures/import-tests.js';

await importTests('node', 2, 3);
