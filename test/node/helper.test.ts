/** A helper as a node has it: its files on the disk, its address, and a client that uploads through it over sockets. */
import { createHash, X509Certificate } from 'node:crypto';
import { mkdir, readdir, readFile, rm, stat, truncate, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import type { Test } from 'tap';
import { formatBase32 } from '#core/base32.js';
import { equalBytes } from '#core/bytes.js';
import { silentLog } from '#core/environment.js';
import { uploadFile } from '#client/upload/upload.js';
import { systemClock } from '#node/clock.js';
import { directDialler } from '#node/network/direct-dialler.js';
import { Closers } from '#node/closers.js';
import { allocatePort } from '#node/endpoint.js';
import { Foolscap } from '#node/foolscap/foolscap.js';
import { HelperFiles, STALE_AGE_MS, SYNC_SIZE } from '#node/helper/helper-files.js';
import { linkHelpers, placeHelper, startHelper } from '#node/helper-service.js';
import { NodeDirectory } from '#node/node-directory.js';
import { parseNurl } from '#wire/nurl.js';
import { createTlsIdentity } from '#test/fixtures/certificates.js';
import { ManualClock } from '#test/fixtures/clock.js';
import { crypto, seededBytes, seededRandom } from '#test/fixtures/crypto.js';
import { MemoryGrid, pieces } from '#test/fixtures/memory-grid.js';
import { storageIndex } from '#test/fixtures/share-store.js';
import { temporaryDirectory } from './fixtures/temporary-directory.js';

const name = formatBase32(storageIndex);

async function openFiles(t: Test) {
  const directory = await temporaryDirectory(t);
  const clock = new ManualClock();
  const open = () => HelperFiles.open(directory, clock);
  const path = (kind: 'incoming' | 'encoding', file = name) => join(directory, `CHK_${kind}`, file);
  return { clock, files: await open(), open, path };
}

t.test('what comes in is gone on with: all of it in one run, what was surely synced in the next', async (t) => {
  const { files, open, path } = await openFiles(t);
  const bytes = seededBytes('ciphertext', 2 * SYNC_SIZE + 1000);
  const incoming = await files.openIncoming(storageIndex, bytes.length);
  for (let at = 0; at < bytes.length - 500; at += 51_200) {
    await incoming.append(bytes.subarray(at, Math.min(at + 51_200, bytes.length - 500)));
  }
  t.equal(incoming.size, bytes.length - 500);
  await incoming.close();
  const again = await files.openIncoming(storageIndex, bytes.length);
  t.equal(again.size, bytes.length - 500, 'the same run');
  await again.close();
  const next = await open();
  const later = await next.openIncoming(storageIndex, bytes.length);
  t.equal(later.size, 2 * SYNC_SIZE, 'the next run');
  await later.append(bytes.subarray(2 * SYNC_SIZE));
  await later.complete();
  await later.close();
  t.ok((await readFile(path('encoding'))).equals(bytes), 'whole, and where whole ones are');
  await t.rejects(stat(path('incoming')));
  const whole = await next.openWhole(storageIndex);
  t.equal(whole?.size, bytes.length);
  t.ok(equalBytes((await whole?.read(5, 100)) ?? new Uint8Array(0), bytes.subarray(5, 105)));
  await t.rejects(async () => whole?.read(bytes.length - 1, 2), { code: 'ERR_DISK' });
  await whole?.close();
  await (await next.openIncoming(storageIndex, bytes.length)).close();
  await next.remove(storageIndex);
  t.equal(await next.openWhole(storageIndex), undefined);
  t.equal((await next.sizes()).size, 0, 'what was begun is gone too');
});

t.test('a boundary that was reached may not be synced; what is too long is begun anew', async (t) => {
  const { open, path } = await openFiles(t);
  for (const [found, size] of [
    [0, 0],
    [1, 0],
    [SYNC_SIZE, 0],
    [SYNC_SIZE + 1, SYNC_SIZE],
    [3 * SYNC_SIZE, 2 * SYNC_SIZE],
    [9 * SYNC_SIZE, 0],
  ] as const) {
    await writeFile(path('incoming'), '');
    await truncate(path('incoming'), found);
    const incoming = await (await open()).openIncoming(storageIndex, 5 * SYNC_SIZE);
    t.equal(incoming.size, size, `${String(found)} bytes are there`);
    await incoming.close();
    t.equal((await stat(path('incoming'))).size, size);
  }
});

t.test('figures, and files that nobody comes back for', async (t) => {
  const { clock, files, path } = await openFiles(t);
  const old = (clock.nowMs() - STALE_AGE_MS - 1000) / 1000;
  const middle = (clock.nowMs() - 200_000_000) / 1000;
  for (const [kind, file, size, time] of [
    ['incoming', 'a', 10, old],
    ['incoming', 'b', 20, middle],
    ['incoming', 'c', 40, clock.nowMs() / 1000],
    ['encoding', 'c', 80, old],
    ['encoding', 'd', 160, old],
  ] as const) {
    await writeFile(path(kind, file), new Uint8Array(size));
    await utimes(path(kind, file), time, time);
  }
  await mkdir(path('incoming', 'folder'));
  t.same(await files.figures(), {
    incoming: { count: 3, size: 70, oldSize: 30 },
    encoding: { count: 2, size: 240, oldSize: 240 },
  });
  t.same(await files.sizes(), new Map(Object.entries({ a: 10, b: 20, c: 120, d: 160 })));
  t.equal(await files.removeStale((busy) => busy === 'd'), 2);
  t.same(await files.sizes(), new Map(Object.entries({ b: 20, c: 40, d: 160 })));
});

t.test('a disk that is not as it should be', async (t) => {
  const { files, path } = await openFiles(t);
  await mkdir(path('incoming'));
  await t.rejects(files.openIncoming(storageIndex, 5), { code: 'ERR_FILE' });
  await rm(path('incoming', ''), { recursive: true });
  await t.rejects(files.figures(), { code: 'ERR_FILE' });
  await writeFile(path('incoming', ''), '');
  await t.rejects(HelperFiles.open(join(path('incoming', ''), 'x'), systemClock), { code: 'ERR_FILE' });
});

/** One node's Foolscap with what is closed with it. */
async function makeNode(t: Test, seed: string) {
  const { cert, key, spkiHash } = await createTlsIdentity();
  const tubId = createHash('sha1').update(new X509Certificate(cert).raw).digest();
  const certificate = { tubId, pem: `${cert}\n${key}`, spkiHash };
  return (run: number) => {
    const closers = new Closers(systemClock, silentLog);
    const random = seededRandom(`${seed} ${String(run)}`);
    const foolscap = new Foolscap({
      identity: certificate,
      clock: systemClock,
      dialler: directDialler,
      random,
      log: silentLog,
    });
    closers.add('Foolscap', () => foolscap.close());
    t.teardown(() => closers.closeAll());
    return {
      certificate,
      closers,
      crypto,
      dialler: directDialler,
      foolscap,
      random,
      clock: systemClock,
      log: silentLog,
    };
  };
}

async function portOf() {
  const port = await allocatePort();
  return {
    endpoints: [{ host: '127.0.0.1', port, backlog: undefined, text: `tcp:${String(port)}` }],
    hints: [{ type: 'tcp' as const, host: '127.0.0.1', port, text: `tcp:127.0.0.1:${String(port)}` }],
    portToRemember: undefined,
  };
}

t.test('a helper in a node, over a restart, and clients of it over both protocols', async (t) => {
  const path = await temporaryDirectory(t);
  const directory = new NodeDirectory(path);
  await directory.ensurePrivate();
  const grid = new MemoryGrid(4, { needed: 2, happy: 3, total: 4 });
  const [helping, using] = [await makeNode(t, 'helper'), await makeNode(t, 'client')];
  const location = await portOf();
  const addresses: (readonly [string, string])[] = [];
  for (const run of [1, 2]) {
    const node = helping(run);
    const place = await placeHelper({ ...node, directory, location, storage: undefined });
    const helper = await startHelper({
      ...node,
      // Without Foolscap it is there over HTTPS all the same.
      foolscap: run === 1 ? node.foolscap : undefined,
      directory,
      place,
      context: grid.context,
      sizeMax: 1e8,
      connectionsMax: 10,
      ready: () => Promise.resolve(),
    });
    const furl = (await readFile(directory.privateFile('helper.furl'), 'utf8')).trim();
    const nurl = (await readFile(directory.privateFile('helper.nurl'), 'utf8')).trim();
    addresses.push([furl, nurl]);
    for (const way of run === 1 ? ['foolscap', 'https'] : ['https', 'either']) {
      const client = using(run);
      const given = {
        furl: way === 'https' ? undefined : furl,
        nurl: way === 'foolscap' ? undefined : parseNurl(nurl),
      };
      const context = { ...grid.context, helper: linkHelpers(given, client) };
      const plaintext = seededBytes(`run ${String(run)} ${way}`, 300_000);
      const options = { signal: new AbortController().signal };
      const before = (await helper.figures())['chk_upload_helper.fetched_bytes'] ?? 0;
      const { capability, pushedShares } = await uploadFile(context, pieces(plaintext), options);
      t.same(capability, await new MemoryGrid(4, { needed: 2, happy: 3, total: 4 }).uploadChk(plaintext), way);
      t.equal(pushedShares, 4);
      t.match(await helper.figures(), { 'chk_upload_helper.fetched_bytes': before + 300_000 });
      await client.closers.closeAll();
    }
    t.same(await readdir(directory.file('helper/CHK_encoding')), []);
    await node.closers.closeAll();
  }
  t.same(addresses[0], addresses[1], 'the same addresses');
  const port = String(location.endpoints[0]?.port);
  t.match(addresses[0]?.[0], new RegExp(`^pb://[a-z2-7]{32}@tcp:127\\.0\\.0\\.1:${port}/[a-z2-7]{32}$`));
  t.match(addresses[0]?.[1], new RegExp(`^pb://[A-Za-z0-9_-]{43}@127\\.0\\.0\\.1:${port}/[a-z2-7]{32}#v=1$`));
  for (const file of ['helper.furl', 'helper.nurl']) {
    t.equal((await stat(directory.privateFile(file))).mode & 0o777, 0o600, file);
  }
});

t.test('where a port speaks Foolscap alone there is no NURL', async (t) => {
  const directory = new NodeDirectory(await temporaryDirectory(t));
  await directory.ensurePrivate();
  const node = (await makeNode(t, 'forced'))(1);
  const place = await placeHelper({ ...node, directory, location: await portOf(), storage: { forceFoolscap: true } });
  t.match(place, { door: undefined, needsPort: false });
  t.equal(await readFile(directory.privateFile('helper.nurl'), 'utf8'), '');
  t.equal(linkHelpers({ furl: undefined, nurl: undefined }, node), undefined);
});
