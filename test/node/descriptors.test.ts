/** The limit on connections stays below the system's on open files. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { connectionsWithin, openFilesMax } from '#node/descriptors.js';
import { temporaryDirectory } from './fixtures/temporary-directory.js';

t.test('what the system says is read', async (t) => {
  const file = join(await temporaryDirectory(t), 'limits');
  await writeFile(
    file,
    'Limit                     Soft Limit  Hard Limit  Units\nMax open files            1024        4096        files\n',
  );
  t.equal(await openFilesMax(file), 1024);
  await writeFile(file, 'Max open files            unlimited   unlimited   files\n');
  t.equal(await openFilesMax(file), undefined);
  t.equal(await openFilesMax(`${file}.absent`), undefined);
});

t.test('some files are kept back from connections', async (t) => {
  t.equal(connectionsWithin(10_000, undefined), 10_000);
  t.equal(connectionsWithin(10_000, 1_048_576), 10_000);
  t.equal(connectionsWithin(10_000, 1024), 768);
  t.equal(connectionsWithin(16_000, 20_000), 15_904);
  t.equal(connectionsWithin(10, 1), 1);
});
