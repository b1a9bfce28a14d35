/** Looks at files and directories, one by one and many at once on the thread. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { lookAt } from '#storage/index/file-look.js';
import type { Look } from '#storage/index/file-look.js';
import { askToLook } from '#storage/index/looking-thread.js';
import { immutableFile, mutableFile } from '#test/fixtures/share-files.js';

const data = new Uint8Array(100_000).fill(7);

t.test('what is there is seen as what it is', async (t) => {
  const directory = t.testdir();
  const path = (name: string): string => join(directory, name);
  await writeFile(path('0'), immutableFile(data, [100, 200]));
  await writeFile(path('1'), mutableFile(data, [1, 2, 3, 4, 5]));
  await writeFile(path('2'), 'garbage');
  await mkdir(path('3'));
  await symlink(path('0'), path('4'));
  execFileSync('mkfifo', [path('5')]);
  const share = (name: string): unknown => {
    const seen = lookAt({ kind: 'share', path: path(name) });
    if (!('share' in seen) || seen.share === undefined) return seen;
    return 'facts' in seen.share ? seen.share.facts : seen.share.damage;
  };
  t.strictSame(share('0'), { kind: 'immutable', dataSize: 100_000, expiries: [100, 200] });
  t.strictSame(share('1'), { kind: 'mutable', dataSize: 100_000, expiries: [1, 2, 3, 4, 5] });
  t.type(share('2'), 'string', 'damage');
  for (const name of ['3', '4', '5', '6', '2/0']) t.strictSame(share(name), { share: undefined }, name);
  t.strictSame(lookAt({ kind: 'names', path: directory }), { names: ['0', '1', '2', '3', '4', '5'] });
  t.strictSame(lookAt({ kind: 'names', path: path('6') }), { names: undefined });
  t.strictSame(lookAt({ kind: 'path', path: path('6') }), { path: undefined });
  t.match(lookAt({ kind: 'path', path: path('3') }), { path: { isDirectory: true, isFile: false } });
  t.match(lookAt({ kind: 'path', path: path('0') }), { path: { isFile: true, size: 100_000 + 12 + 2 * 72 } });
  t.strictSame(lookAt({ kind: 'path', path: path('x'.repeat(300)) }), { failure: 'ENAMETOOLONG' });
});

t.test('the checksum of a mutable share is made on the way, where it is asked for and not too large', async (t) => {
  const directory = t.testdir();
  await writeFile(join(directory, '0'), immutableFile(data, [100]));
  await writeFile(join(directory, '1'), mutableFile(data, [1]));
  await writeFile(join(directory, '2'), mutableFile(new Uint8Array(0), []));
  const checksum = (name: string, digestSizeMax?: number): unknown => {
    const seen = lookAt({ kind: 'share', path: join(directory, name), digestSizeMax });
    return 'share' in seen && seen.share !== undefined && 'facts' in seen.share ? seen.share.checksum : seen;
  };
  t.strictSame(checksum('1', data.length), new Uint8Array(createHash('sha256').update(data).digest()));
  t.equal(checksum('1', data.length - 1), undefined);
  t.equal(checksum('1'), undefined);
  t.equal(checksum('0', data.length), undefined, 'who stores an immutable share says its checksum');
  t.strictSame(checksum('2', 0), new Uint8Array(createHash('sha256').digest()));
});

t.test('thousands of looks at once are answered, each with its own', async (t) => {
  const directory = t.testdir({ here: 'text' });
  const looks = Array.from({ length: 3000 }, (_, i): Look => ({
    kind: 'path',
    path: join(directory, i % 3 === 0 ? 'here' : `missing ${String(i)}`),
  }));
  const seen = await Promise.all(looks.map(askToLook));
  t.equal(seen.length, 3000);
  t.ok(seen.every((each, i) => 'path' in each && (each.path?.size === 4) === (i % 3 === 0)));
  t.match(await askToLook({ kind: 'names', path: directory }), { names: ['here'] });
});
