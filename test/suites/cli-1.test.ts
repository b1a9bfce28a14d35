/** The tests of test/cli, part 1 of 2. */
import { importTests } from '#test/fixtures/import-tests.js';

await importTests('cli', 1, 2);
