/** The tests of test/sftp. */
import { importTests } from '#test/fixtures/import-tests.js';

await importTests('sftp', 1, 1);
