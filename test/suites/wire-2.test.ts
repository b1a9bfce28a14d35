/** The tests of test/wire, part 2 of 2. */
import { importTests } from '#test/fixtures/import-tests.js';

await importTests('wire', 2, 2);
