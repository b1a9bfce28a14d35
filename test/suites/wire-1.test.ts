/** The tests of test/wire, part 1 of 2. */
import { importTests } from '#test/fixtures/import-tests.js';

await importTests('wire', 1, 2);
