/** The tests of test/gateway, part 2 of 2. */
import { importTests } from '#test/fixtures/import-tests.js';

await importTests('gateway', 2, 2);
