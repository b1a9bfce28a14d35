/** `backup` at our own gateway: what is stored, what is used again, what is left out; and its database. */
import { execFileSync } from 'node:child_process';
import { chmod, mkdir, readFile, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import fc from 'fast-check';
import { BackupDatabase } from '#cli/backup/backup-database.js';
import { archiveName, progressLine, reportLines } from '#cli/backup/backup-report.js';
import { noCounts } from '#cli/backup/backup-run.js';
import { exclusionOf } from '#cli/backup/exclusion.js';
import { wholeSeconds } from '#cli/backup/file-metadata.js';
import { archivesToPrune } from '#cli/backup/prune.js';
import { crypto } from '#test/fixtures/crypto.js';
import { GatewayUser } from '../cli/fixtures/gateway-user.js';
import { temporaryDirectory } from '../cli/fixtures/program.js';

const long = (word: string): string => `${word} `.repeat(40);
const tree = { 'tree/one.txt': long('one'), 'tree/sub/two.txt': long('two'), 'tree/sub/b.tmp': long('tmp') };

const withoutTimes = (text: string): string =>
  text.replaceAll(/[0-9]+h [0-9]+m [0-9]+s|[0-9]+:[0-9]{2}:[0-9]{2}$/gm, 'T');

t.test('a second backup stores nothing again, and a changed file alone', async (t) => {
  const user = await GatewayUser.make(t, tree);
  const first = withoutTimes(await user.expect('backup', 'tree', 'A:b')).split('\n');
  t.strictSame(first.slice(-2), [
    ' 3 files uploaded (0 reused), 0 files skipped, 2 directories created (0 reused), 0 directories skipped',
    ' backup done, elapsed time: T',
  ]);
  t.equal(first[0], 'Backing up 1/5... T elapsed...');
  t.equal(first[4], 'Backing up 5/5... T elapsed...');
  t.equal(await user.expect('ls', '-F', 'A:b'), 'Archives/\nLatest/');
  t.match(await user.expect('ls', 'A:b/Archives'), /^\d{4}-\d\d-\d\d_\d\d:\d\d:\d\dZ$/);
  user.requests.length = 0;
  t.match(
    await user.expect('backup', 'tree', 'A:b'),
    / 0 files uploaded \(3 reused\).* 0 directories created \(2 reused\)/,
  );
  t.equal(user.requests.filter((request) => /^(PUT \/uri$|POST.*mkdir-immutable)/.test(request)).length, 0);
  await user.write('tree/sub/two.txt', long('two, changed'));
  t.match(await user.expect('backup', 'tree', 'A:b'), / 1 files uploaded \(2 reused\).* 2 directories created/);
  t.equal(await user.expect('get', 'A:b/Latest/sub/two.txt'), long('two, changed').trimEnd());
  t.match(await user.expect('backup', '--ignore-timestamps', 'tree', 'A:b'), / 3 files uploaded \(0 reused\)/);
});

t.test('what is left out is told, and the status is 2', async (t) => {
  const user = await GatewayUser.make(t, tree);
  await symlink('one.txt', join(user.directory, 'tree/link'));
  execFileSync('mkfifo', [join(user.directory, 'tree/pipe')]);
  await writeFile(Buffer.concat([Buffer.from(join(user.directory, 'tree/x')), Buffer.from([0xff])]), 'x');
  const { status, stderr, stdout } = await user.run(['backup', 'tree', 'A:b']);
  t.equal(status, 2);
  t.match(stdout, /3 files uploaded .* 3 files skipped/);
  t.match(stderr, /^WARNING: cannot backup symlink '.*link'$/m);
  t.match(stderr, /^WARNING: cannot backup special '.*pipe'$/m);
  t.match(stderr, /^WARNING: could not back up .*its name is not UTF-8$/m);
  t.match(await user.run(['backup', 'absent', 'A:b']), { status: 1, stderr: /there is no such file/ });
  if (process.getuid?.() === 0) return;
  await chmod(join(user.directory, 'tree/one.txt'), 0);
  t.match(await user.run(['backup', 'tree', 'A:b']), { status: 2, stderr: /WARNING: permission denied on file/ });
});

t.test('names are left out by patterns', async (t) => {
  const user = await GatewayUser.make(t, { ...tree, 'tree/.git/config': 'x', patterns: '*.tmp\none*\n' });
  await user.expect('backup', '--exclude=*.tmp', '--exclude-vcs', 'tree', 'A:b');
  t.equal(await user.expect('ls', 'A:b/Latest'), 'one.txt\nsub');
  t.equal(await user.expect('ls', 'A:b/Latest/sub'), 'two.txt');
  await user.expect('backup', '--exclude-from-utf-8=patterns', 'tree', 'A:b');
  t.equal(await user.expect('ls', 'A:b/Latest'), '.git\nsub');
});

t.test('patterns mean what they mean in Python', (t) => {
  const cases: readonly [pattern: string, names: readonly string[], others: readonly string[]][] = [
    ['*.tmp', ['a.tmp', '.tmp', 'a\n.tmp'], ['a.tmpx', 'tmp']],
    ['a?c', ['abc', 'a😀c'], ['ac', 'abbc']],
    ['[ab]x', ['ax', 'bx'], ['cx', 'x']],
    ['[!ab]x', ['cx'], ['ax', 'x']],
    ['[a-c]', ['b'], ['d', '-']],
    ['[]]', [']'], ['[]']],
    ['[x', ['[x'], ['x']],
    ['{arch}', ['{arch}'], ['arch']],
    ['a.b', ['a.b'], ['axb']],
    ['[^a]', ['^', 'a'], ['b']],
  ];
  for (const [pattern, names, others] of cases) {
    const isExcluded = exclusionOf([pattern, '  ']);
    for (const name of names) t.ok(isExcluded(name), `${pattern} is ${JSON.stringify(name)}`);
    for (const name of others) t.notOk(isExcluded(name), `${pattern} is not ${JSON.stringify(name)}`);
  }
  fc.assert(
    fc.property(fc.string(), (name) => {
      exclusionOf([name])(name);
    }),
  );
  t.end();
});

t.test('what was stored is checked again after a month or two, and stored anew where it is gone', async (t) => {
  const path = join(await temporaryDirectory(t), 'backupdb.sqlite');
  await writeFile(`${path}.file`, 'x');
  const file = { path: '/x', stats: await stat(`${path}.file`, { bigint: true }) };
  let now = 1_700_000_000;
  let chance = 0.5;
  const surroundings = { now: () => now, chance: () => chance, crypto };
  const database = await BackupDatabase.open(path, surroundings);
  t.equal(database.findFile(file, true), undefined);
  database.addFile(file, 'URI:CHK:x');
  database.addDirectory(new Map([['b', 'URI:CHK:y'], ['a', 'URI:CHK:x']]), 'URI:DIR2-CHK:d'); // prettier-ignore
  const other = new Map([['a', 'URI:CHK:x'], ['b', 'URI:CHK:y']]); // prettier-ignore
  await database.save();
  database.close();
  const again = await BackupDatabase.open(path, surroundings);
  t.strictSame(again.findFile(file, true), { capability: 'URI:CHK:x', isDue: false });
  t.strictSame(again.findDirectory(other), { capability: 'URI:DIR2-CHK:d', isDue: false });
  const month = 30 * 24 * 60 * 60;
  for (const [months, dice, isDue] of [
    [1, 0, false],
    [1.4, 0.5, false],
    [1.6, 0.5, true],
    [2, 0.999, true],
  ] as const) {
    now = 1_700_000_000 + months * month;
    chance = dice;
    t.equal(again.findFile(file, true)?.isDue, isDue, `after ${String(months)} months`);
    t.equal(again.findDirectory(other)?.isDue, isDue);
  }
  again.confirmFile('URI:CHK:x');
  again.confirmDirectory('URI:DIR2-CHK:d');
  t.equal(again.findFile(file, true)?.isDue, false);
  t.equal(again.findDirectory(other)?.isDue, false);
  t.equal(again.findFile(file, false), undefined, 'not by its times');
  t.equal(again.findFile(file, true), undefined, 'forgotten');
  again.addFile(file, 'URI:CHK:x');
  await utimes(`${path}.file`, 1, 1);
  t.equal(again.findFile({ path: '/x', stats: await stat(`${path}.file`, { bigint: true }) }, true), undefined);
  await again.save();
  again.close();
  t.equal((await stat(path)).mode & 0o777, 0o600);
});

t.test('a database that cannot be used is left as it is', async (t) => {
  const user = await GatewayUser.make(t, tree);
  const path = join(user.directory, 'home/.tahoe/private/backupdb.sqlite');
  await writeFile(path, 'nonsense, and much more of it than a header has');
  t.match(await user.run(['backup', 'tree', 'A:b']), { status: 1, stderr: /it is no database of backups/ });
  t.match(await readFile(path, 'utf8'), /^nonsense/);
  await writeFile(`${path}-journal`, 'left over');
  t.match(await user.run(['backup', 'tree', 'A:b']), { status: 1, stderr: /was cut off/ });
});

t.test('times are told as the reference tells them', (t) => {
  t.equal(progressLine(3, 9, 3_725_900), 'Backing up 3/9... 1h 2m 5s elapsed...');
  t.equal(reportLines(noCounts(), 3_725_900, true).at(-1), ' backup done, elapsed time: 1:02:05');
  t.equal(archiveName(1_700_000_000_999), '2023-11-14_22:13:20Z');
  t.end();
});

t.test('whole seconds are rounded down, before 1970 as well', (t) => {
  t.equal(wholeSeconds(1_999_999_999n), 1);
  t.equal(wholeSeconds(-1n), -1);
  t.end();
});

t.test('prune keeps the last of each period, and names of others', async (t) => {
  const day = (n: number, time = '12:00:00'): string => `2026-01-${String(n).padStart(2, '0')}_${time}Z`;
  const names = [day(1), day(2), day(2, '13:00:00'), day(3), 'not mine', '2026-99-99_00:00:00Z'];
  const none = { last: undefined, daily: undefined, weekly: undefined, monthly: undefined };
  t.strictSame(archivesToPrune(names, none), [day(1), day(2), day(2, '13:00:00')], 'the newest stays');
  t.strictSame(archivesToPrune(names, { ...none, last: 2 }), [day(1), day(2)]);
  t.strictSame(archivesToPrune(names, { ...none, daily: 2 }), [day(1), day(2)]);
  t.strictSame(archivesToPrune(names, { ...none, weekly: 9 }), [day(1), day(2), day(2, '13:00:00')]);
  t.strictSame(archivesToPrune(['2025-12-31_00:00:00Z', ...names], { ...none, monthly: 2 }).length, 3);
  const user = await GatewayUser.make(t, tree);
  await mkdir(join(user.directory, 'prune'));
  await user.expect('backup', 'tree', 'A:b');
  await user.expect('ln', 'A:b/Latest', `A:b/Archives/${day(1)}`);
  t.equal(await user.expect('backup', 'prune', '--keep-last=1', '--dry-run', 'A:b'), day(1));
  t.equal((await user.expect('ls', 'A:b/Archives')).split('\n').length, 2);
  t.equal(await user.expect('backup', 'prune', '--keep-last=1', 'A:b'), day(1));
  t.equal((await user.expect('ls', 'A:b/Archives')).split('\n').length, 1);
  t.match(await user.run(['backup', 'tree', '--keep-last=1', 'A:b']), { status: 1, stderr: /backup prune/ });
  t.match(await user.run(['backup', 'prune', '--keep-last=x', 'A:b']), { status: 1, stderr: /takes a number/ });
});
