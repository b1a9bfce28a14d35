/**
 * Whose volume it is: a node's first store, a store of the reference, one that is not mounted, one that is another's;
 * and what of it a share store notices.
 */
import { mkdir, readFile, readdir, rename, rm, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import type { Test } from 'tap';
import { silentLog } from '#core/environment.js';
import { NodeDirectory } from '#node/node-directory.js';
import { ownIdentity } from '#node/process-identity.js';
import { countIndexes } from '#node/volume/finding.js';
import { TRUST_MS } from '#node/volume/heartbeat.js';
import { formatMarker, parseMarker } from '#node/volume/marker.js';
import { formatOwnerRecord, parseOwnerRecord } from '#node/volume/owner-record.js';
import { adoptVolume, openVolume } from '#node/volume/volume.js';
import type { VolumeOptions } from '#node/volume/volume.js';
import { openDiskStore } from '#storage/disk-store.js';
import { ManualClock, settle } from '#test/fixtures/clock.js';
import { crypto, seededRandom } from '#test/fixtures/crypto.js';
import { temporaryDirectory } from '../fixtures/temporary-directory.js';

const NODE = 'a'.repeat(32);
const OTHER_NODE = 'b'.repeat(32);
const INDEX = 'abcdefghijklmnopqrstuvwxya';

interface Surroundings {
  readonly directory: NodeDirectory;
  readonly store: string;
  readonly options: VolumeOptions;
}

async function surroundings(t: Test, node = NODE): Promise<Surroundings> {
  const root = await temporaryDirectory(t);
  const directory = new NodeDirectory(join(root, 'node'));
  await mkdir(directory.path);
  await directory.ensurePrivate();
  const store = join(root, 'store');
  const [clock, random] = [new ManualClock(), seededRandom(root)];
  return { directory, store, options: { directory, storageDirectory: store, node, clock, random, log: silentLog } };
}

/** A store as the reference makes it, with a share or without. */
async function referenceStore(store: string, hasShare = true): Promise<void> {
  await mkdir(join(store, 'shares/incoming'), { recursive: true });
  await mkdir(join(store, 'corruption-advisories'));
  await writeFile(join(store, 'lease_checker.state.json'), '{}');
  if (!hasShare) return;
  await mkdir(join(store, 'shares/ab', INDEX), { recursive: true });
  await writeFile(join(store, 'shares/ab', INDEX, '0'), 'a share');
}

async function openAndClose(options: VolumeOptions): Promise<{ epoch: number; hasShares: boolean }> {
  const volume = await openVolume(options);
  const { epoch, hasShares } = volume;
  await volume.close();
  return { epoch, hasShares };
}

t.test('markers go there and back, and nothing else is one', (t) => {
  const marker = { volume: INDEX, node: NODE };
  t.strictSame(parseMarker(formatMarker(marker)), marker);
  for (const text of ['', '{}', formatMarker({ ...marker, node: 'x' }), formatMarker({ ...marker, volume: '../../x' })])
    t.equal(parseMarker(text), undefined);
  t.end();
});

t.test('a new node on an empty directory just starts, and both know each other from then on', async (t) => {
  for (const prepared of [[], ['lost+found', '.snapshot'], ['shares/lost+found']]) {
    const { directory, store, options } = await surroundings(t);
    for (const name of prepared) await mkdir(join(store, name), { recursive: true });
    t.strictSame(await openAndClose(options), { epoch: 1, hasShares: false });
    const marker = parseMarker(await readFile(join(store, 'tallac/volume.json'), 'utf8'));
    t.equal(marker?.node, NODE);
    t.equal(await directory.read('private/storage-volume'), marker?.volume);
    t.strictSame(await openAndClose(options), { epoch: 2, hasShares: false }, 'and starts again');
    t.strictSame((await readdir(join(store, 'tallac'))).sort(), ['owner', 'volume.json']);
  }
});

t.test('a store of the reference is taken over silently', async (t) => {
  const { directory, store, options } = await surroundings(t);
  await referenceStore(store);
  await writeFile(directory.privateFile('storage.furl'), 'pb://…');
  t.strictSame(await openAndClose(options), { epoch: 1, hasShares: true });
  t.equal(await readFile(join(store, 'shares/ab', INDEX, '0'), 'utf8'), 'a share');
  const empty = await surroundings(t);
  await referenceStore(empty.store, false);
  await writeFile(empty.directory.privateFile('storage.furl'), 'pb://…');
  t.strictSame(await openAndClose(empty.options), { epoch: 1, hasShares: false }, 'also one without a share');
});

t.test('a node that has had a store starts on no other', async (t) => {
  const { directory, store, options } = await surroundings(t);
  await openAndClose(options);
  const aside = `${store}-unmounted`;
  await rename(store, aside);
  const sentence = (objection: string): string =>
    `'${store}' is not the store of this node: ${objection}. Mount the right volume there; or, if this is to be its ` +
    `store from now on, say so with: tallac storage adopt '${directory.path}'`;

  const cases: [objection: string, prepare: () => Promise<unknown>][] = [
    ['it is empty', () => Promise.resolve()],
    ['it is empty', () => mkdir(join(store, 'lost+found'), { recursive: true })],
    ['it holds shares of unknown origin', () => referenceStore(store)],
    [
      `it belongs to node ${OTHER_NODE}`,
      () => openAndClose({ ...options, directory: other.directory, node: OTHER_NODE }),
    ],
    [
      'it is another volume of this node than the one that it used last',
      () => openAndClose({ ...options, directory: twin.directory }),
    ],
  ];
  const [other, twin] = [await surroundings(t), await surroundings(t)];
  for (const [objection, prepare] of cases) {
    await prepare();
    const before = await readdir(store, { recursive: true }).catch(() => 'absent');
    await t.rejects(openVolume(options), { code: 'ERR_VOLUME_FOREIGN', message: sentence(objection) });
    t.strictSame(await readdir(store, { recursive: true }).catch(() => 'absent'), before, 'nothing is written there');
    await rm(store, { recursive: true, force: true });
  }
  await rename(aside, store);
  t.match(await openAndClose(options), { epoch: 2 }, 'on its own it starts');
});

t.test('another’s store is refused also by a node that never had one', async (t) => {
  const { directory, store, options } = await surroundings(t);
  await openAndClose(options);
  const other = await surroundings(t, OTHER_NODE);
  await t.rejects(openVolume({ ...other.options, storageDirectory: store }), { code: 'ERR_VOLUME_FOREIGN' });
  // A node directory that was put back from before it had a store knows its own all the same.
  await rm(directory.privateFile('storage-volume'));
  t.match(await openAndClose(options), { epoch: 2 });
});

t.test('a node directory that has stored for others misses its shares directory', async (t) => {
  const { directory, options } = await surroundings(t);
  await writeFile(directory.privateFile('storage.furl'), 'pb://…');
  await t.rejects(openVolume(options), { code: 'ERR_VOLUME_FOREIGN', message: /it is empty/ });
});

t.test('a volume that became another’s while its lock was awaited is refused, and let go', async (t) => {
  const { store, options } = await surroundings(t);
  const clock = new ManualClock();
  const owners = join(store, 'tallac/owner');
  await mkdir(owners, { recursive: true });
  const record = { ...(await ownIdentity()), bootId: 'elsewhere', node: OTHER_NODE, heartbeatMs: 1, released: false };
  await writeFile(join(owners, '1'), formatOwnerRecord(record));
  const inAnHour = Date.now() / 1000 + 3_600;
  await utimes(join(owners, '1'), inAnHour, inAnHour);
  const waits: string[] = [];
  const log = { ...silentLog, warn: (event: string) => void waits.push(event) };
  const opening = t.rejects(openVolume({ ...options, clock, log }), { code: 'ERR_VOLUME_FOREIGN' });
  while (waits.length === 0) await settle(1);
  await writeFile(join(store, 'tallac/volume.json'), formatMarker({ volume: INDEX, node: OTHER_NODE }));
  await writeFile(join(owners, '1'), formatOwnerRecord({ ...record, released: true }));
  clock.advance(1_000);
  await opening;
  t.strictSame(waits, ['storage.owner-awaited']);
  t.match(parseOwnerRecord(await readFile(join(owners, '2'), 'utf8')), { node: NODE, released: true });
});

t.test('a marker that says nothing is not replaced', async (t) => {
  const { store, options } = await surroundings(t);
  await mkdir(join(store, 'tallac'), { recursive: true });
  await writeFile(join(store, 'tallac/volume.json'), '');
  await t.rejects(openVolume(options), {
    code: 'ERR_FILE',
    message: /volume.json': it does not say whose store this is/,
  });
  t.equal(await readFile(join(store, 'tallac/volume.json'), 'utf8'), '');
});

t.test('adoption makes any volume the node’s, unless a node runs on it', async (t) => {
  const { directory, store, options } = await surroundings(t);
  await openAndClose(options);
  await rm(store, { recursive: true });
  await referenceStore(store);
  t.match(await adoptVolume(options), { hasShares: true, marker: undefined });
  t.match(await openAndClose(options), { hasShares: true });
  t.match(await adoptVolume(options), { marker: { node: NODE } }, 'what it has already may be adopted again');
  t.match(await openAndClose(options), { hasShares: true });

  const other = await surroundings(t, OTHER_NODE);
  const running = await openVolume({ ...other.options });
  const theirs = { ...options, storageDirectory: other.store };
  await t.rejects(adoptVolume(theirs), { code: 'ERR_VOLUME_IN_USE', message: new RegExp(OTHER_NODE) });
  t.equal(parseMarker(await readFile(join(other.store, 'tallac/volume.json'), 'utf8'))?.node, OTHER_NODE);
  await running.close();
  t.match(await adoptVolume(theirs), { marker: { node: OTHER_NODE } });
  await openAndClose(theirs);
  await t.rejects(openVolume(other.options), { code: 'ERR_VOLUME_FOREIGN', message: new RegExp(`node ${NODE}`) });
  await t.rejects(openVolume(options), { code: 'ERR_VOLUME_FOREIGN' }, 'and the former store is none any more');
  t.ok(directory.path);
});

t.test('indexes are counted, and what is no directory of shares is not', async (t) => {
  const { store } = await surroundings(t);
  t.equal(await countIndexes(store), 0);
  await referenceStore(store);
  await mkdir(join(store, 'shares/ab/abbbbbbbbbbbbbbbbbbbbbbbba'));
  await mkdir(join(store, 'shares/lost+found/x'), { recursive: true });
  await mkdir(join(store, 'shares/incoming/ab'), { recursive: true });
  await writeFile(join(store, 'shares/zz'), 'a file');
  t.equal(await countIndexes(store), 2);
});

t.test('half-written files of a crash are removed', async (t) => {
  const { store, options } = await surroundings(t);
  await openAndClose(options);
  await writeFile(join(store, 'tallac/.volume.json.0123.unfinished'), '{');
  await openAndClose(options);
  t.strictSame((await readdir(join(store, 'tallac'))).sort(), ['owner', 'volume.json']);
});

t.test('a store that another node has taken acknowledges and removes nothing more', async (t) => {
  const { store, options } = await surroundings(t);
  const clock = new ManualClock();
  const volume = await openVolume({ ...options, clock });
  const open = { crypto, clock, log: silentLog, reservedSpace: 0, readonly: false, directory: store };
  const shares = await openDiskStore({ ...open, ownership: volume });
  const request = {
    storageIndex: new Uint8Array(16),
    uploadSecret: new Uint8Array(20),
    renewSecret: new Uint8Array(32),
    cancelSecret: new Uint8Array(32),
    shareNumbers: new Set([0, 1]),
    allocatedSize: 4,
  };
  t.strictSame((await shares.allocate(request)).allocated, new Set([0, 1]));
  t.equal((await shares.figures()).readonly, false);

  // The process stands still; another succeeds it, and its heart beats late.
  const record = { ...(await ownIdentity()), node: OTHER_NODE, heartbeatMs: 1, released: false };
  await writeFile(join(store, 'tallac/owner/2'), formatOwnerRecord(record));
  const key = { storageIndex: request.storageIndex, shareNumber: 0, uploadSecret: request.uploadSecret };
  const upload = shares.upload(key);
  if (typeof upload === 'string') throw new Error(upload);
  const jump = TRUST_MS + 1;
  clock.nowMs = () => 1_700_000_000_000 + jump;
  const body = (async function* () {
    yield new Uint8Array([1, 2, 3, 4]);
  })();
  await t.rejects(upload.write({ begin: 0, end: 4 }, body), {
    code: 'ERR_STORE_READONLY',
    message: /another node has taken over/,
  });
  const entries = await readdir(join(store, 'shares'), { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile() && !entry.parentPath.endsWith('incoming'));
  t.strictSame(files, [], 'no share was placed');
  t.equal((await shares.figures()).readonly, true);
  await t.rejects(shares.allocate(request), { code: 'ERR_STORE_READONLY' });
  t.match(await volume.health(), { ok: false, reason: /another node/ });

  const theirs = join(store, 'shares/incoming', 'aa', 'a'.repeat(26), '0');
  await mkdir(join(theirs, '..'), { recursive: true });
  await writeFile(theirs, 'the upload of the node that owns it now');
  await shares.close();
  await volume.close();
  t.equal(await readFile(theirs, 'utf8'), 'the upload of the node that owns it now');
  t.ok((await readdir(join(store, 'tallac/owner'))).includes('2'));
});
