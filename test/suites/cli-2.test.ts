/** The tests of test/cli, part 2 of 2. */
import { importTests } from '#test/fixtures/import-tests.js';

await importTests('cli', 2, 2);
