/** private/met-servers: who has answered is known after a restart, whatever became of the file. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { silentLog } from '#core/environment.js';
import { KNOWN_SERVERS_MAX } from '#client/known-servers.js';
import { MetServersFile } from '#node/met-servers-file.js';
import { NodeDirectory } from '#node/node-directory.js';
import { ManualClock, settle } from '#test/fixtures/clock.js';
import { serverIdOf } from '#test/fixtures/announcements.js';
import { temporaryDirectory } from './fixtures/temporary-directory.js';

t.test('it outlives the node', async (t) => {
  const path = await temporaryDirectory(t);
  const directory = new NodeDirectory(path);
  await mkdir(join(path, 'private'));
  const file = join(path, 'private/met-servers');
  const clock = new ManualClock();
  const open = (): Promise<MetServersFile> => MetServersFile.open({ directory, clock, log: silentLog });
  const met = await open();
  t.equal(met.has(serverIdOf(1)), false);
  met.add(serverIdOf(1));
  met.add(serverIdOf(1));
  met.add('x'.repeat(257));
  t.equal(clock.pending, 1, 'news waits for more of it');
  clock.advance(5_000);
  met.add(serverIdOf(2));
  await met.close();
  t.equal(clock.pending, 0);
  t.same(JSON.parse(await readFile(file, 'utf8')), [serverIdOf(1), serverIdOf(2)]);
  const again = await open();
  t.same(
    [1, 2, 3].map((i) => again.has(serverIdOf(i))),
    [true, true, false],
  );
  await again.close();

  const many = Array.from({ length: KNOWN_SERVERS_MAX + 2 }, (_, i) => `v0-${String(i)}`);
  for (const [text, isKnown] of [
    ['[]', false],
    ['{"v0-0":1}', false],
    ['["v0-0', false],
    ['["v0-0", 5, null]', true],
    [JSON.stringify(many), false],
  ] as const) {
    await writeFile(file, text);
    t.equal((await open()).has('v0-0'), isKnown, text.slice(0, 20));
  }
  const full = await open();
  t.equal(full.has('v0-2'), true);
  full.add('v0-new');
  await full.close();
  t.equal(full.has('v0-2'), false, 'the oldest makes room');
  t.equal((await open()).has('v0-new'), true);
});

t.test('what cannot be kept is said and harms nobody', async (t) => {
  const warnings: string[] = [];
  const directory = {
    read: () => Promise.reject(new Error('no')),
    writePrivate: () => Promise.reject(new Error('the disk is full')),
  };
  const log = { ...silentLog, warn: (event: string) => void warnings.push(event) };
  const met = await MetServersFile.open({ directory, clock: new ManualClock(), log });
  met.add('v0-a');
  await met.close();
  await settle(1);
  t.equal(met.has('v0-a'), true);
  t.same(warnings, ['servers that were met are not kept']);
});
