/** The tests of test/gateway, part 1 of 2. */
import { importTests } from '#test/fixtures/import-tests.js';

await importTests('gateway', 1, 2);
