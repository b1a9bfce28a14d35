/** Files of the machine that are closed while something is under way on them. */
import { join } from 'node:path';
import t from 'tap';
import { nodeFileSystem } from '#storage/node-file-system.js';

t.test('a file is let go when what is under way on it has ended, and refuses what comes later', async (t) => {
  const directory = t.testdir({ one: 'first', other: 'other' });
  const file = await nodeFileSystem.open(join(directory, 'one'), 'r');
  const bytes = new Uint8Array(5);
  const reading = file.read(bytes, 0, 5, 0);
  t.throws(() => file.closeNow?.(), { message: /under way/ });
  const closing = file.close();
  const other = await nodeFileSystem.open(join(directory, 'other'), 'r');
  t.strictSame(await reading, { bytesRead: 5, buffer: bytes });
  t.equal(Buffer.from(bytes).toString(), 'first');
  await closing;
  const third = await nodeFileSystem.open(join(directory, 'other'), 'r');
  for (const operation of [
    () => file.read(bytes, 0, 5, 0),
    () => file.stat(),
    () => file.sync(),
    () => file.datasync(),
    () => file.truncate(1),
    () => file.writev([bytes], 0),
    () => file.close(),
  ]) {
    await t.rejects(
      async () => {
        await operation();
      },
      { code: 'EBADF' },
    );
  }
  await other.close();
  third.closeNow?.();
  await t.rejects(third.sync(), { code: 'EBADF' });
});
