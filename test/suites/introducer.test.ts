/** The tests of test/introducer. */
import { importTests } from '#test/fixtures/import-tests.js';

await importTests('introducer', 1, 1);
