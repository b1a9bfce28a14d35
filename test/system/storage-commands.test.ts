/** `storage usage`, `scrub` and `expire` on node directories, beside a running node and without one. */
import { mkdir, readdir, readFile, rename, rmdir, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import type { Test } from 'tap';
import { formatBase32 } from '#core/base32.js';
import { systemClock } from '#node/clock.js';
import { DiskLayout } from '#storage/disk-layout.js';
import { seededBytes } from '#test/fixtures/crypto.js';
import { immutableFile, mutableFile, placeFile, placeOf } from '#test/fixtures/share-files.js';
import { outcomeOf, printed, runInPlace, startProgram, temporaryDirectory } from '../cli/fixtures/program.js';

const LONG_AGO = 1_500_000_000;
const NEVER = 2 ** 32 - 1;
const DAY_MS = 86_400_000;

interface Place {
  readonly directory: string;
  readonly layout: DiskLayout;
  /** Runs a command and reads its JSON. */
  json(...words: string[]): Promise<{ readonly status: number | null; readonly found: unknown }>;
}

/** A node directory with five shares: the leases of two are over, one is damaged. */
async function makeNode(t: Test, options = ''): Promise<Place> {
  const directory = await temporaryDirectory(t);
  const words = ['create-node', '--hostname=127.0.0.1', '--webport=none', 'node'];
  t.match(await runInPlace(words, directory), { status: 0 });
  const config = join(directory, 'node', 'tahoe.cfg');
  const storage = `[storage]\nenabled = true\nreserved_space = 1G\n${options}\n`;
  const text = (await readFile(config, 'utf8')).replace(/\[storage\]\n[^[]*/, storage);
  await writeFile(config, text);
  const layout = new DiskLayout(join(directory, 'node', 'storage'));
  const data = seededBytes('share', 2000);
  const files = [
    immutableFile(data, [LONG_AGO]),
    mutableFile(data, [LONG_AGO + 1]),
    immutableFile(data, [NEVER]),
    mutableFile(data, [NEVER]),
    new Uint8Array(30),
  ];
  for (const [i, file] of files.entries()) await placeFile(layout, placeOf(i), file);
  const json: Place['json'] = async (...words) => {
    const { status, stdout, stderr } = await runInPlace(['storage', ...words, '--json', 'node'], directory);
    if (stdout === '') throw new Error(stderr);
    return { status, found: JSON.parse(stdout) as unknown };
  };
  return { directory, layout, json };
}

t.test('usage counts what is there', async (t) => {
  const { directory, json } = await makeNode(t);
  await writeFile(join(directory, 'node', 'tallac.cfg'), '[storage]\nmax_space = 1MB\n');
  const { status, found } = await json('usage');
  t.equal(status, 0);
  t.match(found, {
    immutable: { shareCount: 2, dataBytes: 4000, fileBytes: 4168 },
    mutable: { shareCount: 2, dataBytes: 4000 },
    damaged: { shareCount: 1, fileBytes: 30 },
    reservedBytes: 1e9,
    maximumBytes: 1e6,
  });
  const { diskBytes, availableBytes } = found as { diskBytes: number; availableBytes: number };
  t.equal(availableBytes, 1e6 - diskBytes);
  const { stdout } = await runInPlace(['-d', 'node', 'storage', 'usage'], directory);
  t.match(stdout, /^immutable: 2 shares, 4\.0 kB of data, .* on disk\nmutable: 2 shares.*\ndamaged: 1 share, /);
  t.match(stdout, /\nroom for: .* \(.* free, 1\.0 GB reserved, max_space 1\.0 MB\)\n$/);
});

t.test('expire --dry-run lists, and changes nothing', async (t) => {
  const { directory, layout, json } = await makeNode(t);
  const { status, found } = await json('expire', '--dry-run');
  t.equal(status, 0);
  t.match(found, {
    shareCount: 2,
    shares: [
      { shareNumber: 0, kind: 'immutable' },
      { shareNumber: 1, kind: 'mutable' },
    ],
  });
  const { stdout } = await runInPlace(['storage', 'expire', '--dry-run', 'node'], directory);
  const index = formatBase32(placeOf(0).storageIndex);
  t.match(stdout, new RegExp(`^${index} 0 immutable .*, kept until 2017-07-14T02:40:00.000Z\n${index} 1 mutable`));
  t.match(stdout, /\n2 shares, .*: leases whose own time is over; of immutable and mutable shares\n$/);
  t.equal((await readdir(layout.indexDirectory(placeOf(0).storageIndex))).length, 4);
  await t.rejects(stat(join(layout.directory, 'tallac')), { code: 'ENOENT' });
  t.match(await runInPlace(['storage', 'expire', 'node'], directory), {
    status: 1,
    stderr: /^tallac: \[storage\]expire\.enabled is false in tahoe\.cfg, so nothing is removed; use --dry-run/,
  });
});

t.test('expire reports, waits a day, and removes', async (t) => {
  const { directory, layout, json } = await makeNode(t, 'expire.enabled = true\nexpire.mode = age');
  let aheadMs = 0;
  const clock = { ...systemClock, nowMs: () => systemClock.nowMs() + aheadMs };
  const run = (): ReturnType<typeof runInPlace> => runInPlace(['storage', 'expire', 'node'], directory, { clock });
  t.match(await json('expire'), { status: 0, found: { kind: 'reported', report: { shareCount: 2 } } });
  t.match(await run(), { status: 0, stdout: /^nothing was removed; they go after 20/ });
  const report = JSON.parse(await readFile(join(layout.directory, 'tallac', 'expiry-report.json'), 'utf8')) as unknown;
  t.match(report, { shareCount: 2 });
  aheadMs = DAY_MS;
  t.match(await run(), { status: 0, stdout: /^removed 2 shares, / });
  t.same(await readdir(layout.indexDirectory(placeOf(0).storageIndex)), ['2', '3']);
  aheadMs = 0;
  t.match(await run(), { status: 1, stdout: /^nothing was removed: the clock is behind / });
  t.same(
    await readdir(join(directory, 'node')).then((names) => names.filter((name) => name === 'running.process')),
    [],
  );
});

t.test('scrub names what is damaged, and leaves a report', async (t) => {
  const { directory, layout, json } = await makeNode(t);
  const wrong = await json('scrub');
  const index = formatBase32(placeOf(4).storageIndex);
  const damaged = [{ storageIndex: index, shareNumber: 0, reason: 'it is no immutable container of version 1 or 2' }];
  t.match(wrong, { status: 1, found: { shareCount: 5, newCount: 4, damagedCount: 1, damaged, isWhole: true } });
  const path = layout.share(placeOf(2).storageIndex, 2);
  const file = await readFile(path);
  const { mtime } = await stat(path);
  file[20] = (file[20] ?? 0) ^ 1;
  await writeFile(path, file);
  await utimes(path, mtime, mtime);
  const { status, stdout } = await runInPlace(['storage', 'scrub', 'node'], directory);
  t.equal(status, 1);
  t.match(
    stdout,
    /^[a-z2-7]{26} 2: its data are not those that were stored.*\n5 shares read, .*: 2 damaged \(1 new\), 0 /,
  );
  t.equal((await readdir(layout.advisories)).length, 2);
});

t.test('a mount that is missing, and a store of another node, are left alone', async (t) => {
  const { directory, layout, json } = await makeNode(t, 'expire.enabled = true\nexpire.mode = age');
  const task = (...words: string[]) => runInPlace(['storage', ...words, 'node'], directory);
  t.match(await json('scrub'), { found: { shareCount: 5 } });
  const away = join(directory, 'away');
  await rename(layout.directory, away);
  await mkdir(layout.directory);
  for (const words of [['usage'], ['expire', '--dry-run']]) {
    t.match(await task(...words), {
      status: 1,
      stderr: /storage': it holds no store: .* its volume is not mounted\n$/,
    });
  }
  for (const word of ['scrub', 'expire']) {
    t.match(await task(word), { status: 1, stderr: /is not the store of this node: it is empty\. .* storage adopt '/ });
  }
  t.same(await readdir(layout.directory), []);

  await rmdir(layout.directory);
  await rename(away, layout.directory);
  const marker = join(layout.directory, 'tallac', 'volume.json');
  await writeFile(marker, (await readFile(marker, 'utf8')).replace(/"node":"[^"]*/, `"node":"${'a'.repeat(32)}`));
  for (const word of ['scrub', 'expire']) {
    t.match(await task(word), { status: 1, stderr: /is not the store of this node: it belongs to node a{32}\./ });
  }
});

t.test('beside a running node only what reads', async (t) => {
  const { directory, json } = await makeNode(t, 'expire.enabled = true\nexpire.mode = age');
  const child = startProgram(['run', 'node'], { directory });
  t.teardown(() => child.kill('SIGKILL'));
  const ended = outcomeOf(child);
  await printed(child, /^client running$/m);
  t.match(await json('usage'), { status: 0, found: { immutable: { shareCount: 2 } } });
  t.match(await json('expire', '--dry-run'), { status: 0, found: { shareCount: 2 } });
  for (const task of ['scrub', 'expire']) {
    t.match(await runInPlace(['storage', task, 'node'], directory), {
      status: 1,
      stdout: '',
      stderr: new RegExp(`^tallac: the node in '.*/node' is already running as process ${child.pid}; stop it first\n$`),
    });
  }
  child.stdin?.end();
  t.match(await ended, { status: 0 });
  t.match(await json('scrub'), { status: 1, found: { shareCount: 5 } });
});

t.test('what is no storage node is said so', async (t) => {
  const directory = await temporaryDirectory(t);
  await runInPlace(['create-client', '--webport=none', 'client'], directory);
  for (const task of ['usage', 'scrub', 'expire']) {
    t.match(await runInPlace(['storage', task, 'absent'], directory), { status: 1, stderr: /is not a node directory/ });
    t.match(await runInPlace(['storage', task, 'client'], directory), {
      status: 1,
      stderr: /^tallac: the node in '.*\/client' stores nothing for others\n$/,
    });
  }
  t.match(await runInPlace(['storage', 'usage', '--nope'], directory), {
    status: 1,
    stderr: /unknown option '--nope'/,
  });
  t.match(await runInPlace(['storage', 'burn'], directory), { status: 1, stderr: /unknown command 'burn'/ });
});
