/** The file of announcements: what is kept is there after a restart, and damage costs only itself. */
import { appendFile, readFile, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { AnnouncementLog } from '#node/announcement-log.js';
import { AnnouncementMemory } from '#wire/announcement-memory.js';
import { AnnouncementTable } from '#wire/announcement-table.js';
import { announce } from '#test/fixtures/announcements.js';
import { crypto } from '#test/fixtures/crypto.js';
import { temporaryDirectory } from '../node/fixtures/temporary-directory.js';

async function open(path: string): Promise<{ memory: AnnouncementMemory; log: AnnouncementLog }> {
  const table = new AnnouncementTable();
  const log = await AnnouncementLog.open(path, () => table.entries().map(({ signed }) => signed));
  return { memory: new AnnouncementMemory({ crypto, table, record: log }), log };
}

t.test('after each restart older ones are refused', async (t) => {
  const path = join(await temporaryDirectory(t), 'announcements');
  for (let life = 1; life <= 8; life++) {
    const { memory, log } = await open(path);
    for (let older = 1; older < life; older++) t.not(await memory.offer(announce(1, older)), 'updated');
    t.equal(await memory.offer(announce(1, life)), life === 1 ? 'new' : 'updated');
    await log.close();
  }
  t.equal((await stat(path)).mode & 0o777, 0o600);
});

t.test('a torn line and lines that are none cost only themselves', async (t) => {
  const path = join(await temporaryDirectory(t), 'announcements');
  const first = await open(path);
  await Promise.all([1, 2, 3].map((server) => first.memory.offer(announce(server, 1))));
  await first.log.close();
  const whole = await readFile(path);
  for (const cut of [2, 40, 400]) {
    await writeFile(path, whole);
    await truncate(path, whole.length - cut);
    const { memory, log } = await open(path);
    t.equal(memory.entries().length, 2, `${String(cut)} bytes are missing`);
    t.equal(await memory.offer(announce(9, 1)), 'new', 'and more can be kept');
    await log.close();
    const again = await open(path);
    t.equal(again.memory.entries().length, 3);
    await again.log.close();
  }
  await writeFile(path, whole);
  await appendFile(path, 'not JSON\n{"message": 1}\n\n');
  const { memory, log } = await open(path);
  t.equal(memory.entries().length, 3);
  await log.close();
});

t.test('the file is rewritten before it grows without end', async (t) => {
  const path = join(await temporaryDirectory(t), 'announcements');
  const { memory, log } = await open(path);
  const updates = Array.from({ length: 1100 }, (_, i) => announce(1, i));
  for (let i = 0; i < updates.length; i += 100) {
    await Promise.all(updates.slice(i, i + 100).map((signed) => memory.offer(signed)));
  }
  await memory.offer(announce(1, 1100));
  const lines = (await readFile(path, 'utf8')).split('\n').length;
  t.ok(lines < 200, `${String(lines)} lines`);
  await log.close();
  await t.rejects(memory.offer(announce(1, 5000)), { code: 'ERR_FILE', message: /closed/ });
  const again = await open(path);
  t.equal(again.memory.entries()[0]?.sequenceNumber, 1100);
  await again.log.close();
});
