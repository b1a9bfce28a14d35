/** The tests of test/bench. */
import { importTests } from '#test/fixtures/import-tests.js';

await importTests('bench', 1, 1);
