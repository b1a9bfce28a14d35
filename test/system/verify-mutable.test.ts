/** What a verification of mutable shares sees: every byte that matters, in every version, whatever their size. */
import t from 'tap';
import { concat } from '#core/bytes.js';
import type { MutableFormat } from '#core/capability/types.js';
import type { MutableCapability } from '#core/mutable/access.js';
import { decodeMutableHeader } from '#core/mutable/layout.js';
import { MutableShareReader, OPEN_SIZE } from '#client/mutable/share-reader.js';
import { crypto, seededBytes } from '../fixtures/crypto.js';
import type { MemoryServer } from '../fixtures/memory-server.js';
import { MutableGrid, substitute } from '../fixtures/mutable-grid.js';
import { names } from '../fixtures/check-figures.js';
import { check, holders, strengths } from '../fixtures/mutable-checks.js';
import { VerifiedSignatures } from '#client/mutable/server-query.js';

const formats: readonly MutableFormat[] = ['sdmf', 'mdmf'];
const contents = seededBytes('contents', 10_000);

/** Whether a change of that byte of a share is one that nobody can see through the capability. */
function isHidden(share: Uint8Array, place: number, canWrite: boolean): boolean {
  const { format, sections, end } = decodeMutableHeader(share.subarray(0, 123));
  const { begin, end: keyEnd } = sections.encryptedPrivateKey;
  const isIn = (from: number, to: number): boolean => place >= from && place < to;
  if (isIn(begin, keyEnd)) return !canWrite;
  if (format === 'sdmf') return isIn(99, 107) && !canWrite; // where the share ends
  if (isIn(59, 67)) return !canWrite; // where the private key begins
  const isRoom = isIn(sections.publicKey.end, sections.blocks.begin);
  return isRoom || place >= end || isIn(115, 123); // where it ends; what is missing is seen
}

t.test('a changed byte in a share is found, and nobody else is accused', async (t) => {
  for (const format of formats) {
    const grid = new MutableGrid({ needed: 2, total: 4, servers: 4, segmentSize: 40 });
    const file = await grid.create(format, seededBytes('tiny', 110));
    const [write, , verify] = strengths(file);
    const [first] = await holders(grid, file);
    if (!write || !verify || !first) throw new RangeError('a file with shares');
    const [server, held] = first;
    const [[shareNumber, share] = [0, new Uint8Array(0)]] = held;
    for (let place = 0; place < share.length; place += place < 125 ? 1 : 23) {
      const changed = share.slice();
      changed[place] = (changed[place] ?? 0) ^ (1 << (place % 8));
      substitute(server, new Map([[shareNumber, changed]]));
      for (const capability of place % 4 === 1 ? [write, verify] : [write]) {
        server.reports.splice(0);
        const report = await check(grid, { capability }, { verify: true });
        const where = `${format} ${capability.kind} byte ${String(place)}`;
        const isFound = !isHidden(share, place, capability === write);
        const found = [...report.corruptShares, ...report.incompatibleShares];
        // A byte that only says where something ends may be changed for the better.
        if (isFound) t.match(found, [{ server: { shortName: server.shortName }, shareNumber }], where);
        if (isFound) t.equal(report.goodShareCount, 3, where);
        t.equal(server.reports.length, found.length, where);
      }
    }
    for (let size = 0; size < share.length; size += 197) {
      substitute(server, new Map([[shareNumber, share.slice(0, size)]]));
      t.match((await check(grid, file, { verify: true })).corruptShares, [{ shareNumber }], `${String(size)} bytes`);
    }
    t.ok(
      grid.servers.every((other) => other === server || other.reports.length === 0),
      'nobody honest was accused',
    );
  }
});

t.test(
  'damage that only reading shows is found by verify, in every version, and named as the reference does',
  async (t) => {
    for (const format of formats) {
      const grid = new MutableGrid();
      const file = await grid.create(format, contents);
      const old = await holders(grid, file);
      await file.overwrite(contents);
      const damage = (shares: Map<number, Uint8Array>): Map<number, Uint8Array> =>
        new Map(
          [...shares].map(([number, share]) => {
            const changed = share.slice();
            const { blocks } = decodeMutableHeader(changed.subarray(0, 123)).sections;
            changed[blocks.end - 1] = (changed[blocks.end - 1] ?? 0) ^ 1;
            return [number, changed];
          }),
        );
      const [[first, shares], [second, oldShares]] = [(await holders(grid, file))[0], old[1]] as [
        [MemoryServer, Map<number, Uint8Array>],
        [MemoryServer, Map<number, Uint8Array>],
      ];
      substitute(first, damage(shares));
      substitute(second, damage(oldShares));
      t.match(await check(grid, file), { corruptShares: [], goodShareCount: 9, wrongShareCount: 1 });
      const report = await check(grid, file, { verify: true });
      t.match(report, { goodShareCount: 8, wrongShareCount: 0, recoverableVersionCount: 1, happiness: 8 });
      t.same(names(report.corruptShares.map(({ server }) => server)), names([first, second]));
      const named = [...report.corruptShares].map((c) => `${c.server.shortName}-sh${String(c.shareNumber)}`);
      t.equal(report.summary, `Unhealthy: 8 shares (enc 3-of-10) Corrupt Shares: ${named.join(' ')}`);
      t.same([first.reports.length, second.reports.length], [1, 1]);
    }
  },
);

t.test('a large segment is read in small pieces, with progress', async (t) => {
  const grid = new MutableGrid({ needed: 1, total: 12, servers: 12 });
  const file = await grid.create('sdmf', concat(...Array.from({ length: 150 }, () => contents)));
  let [reading, most, largest] = [0, 0, 0];
  for (const server of grid.servers) {
    const read = server.readMutable.bind(server);
    server.readMutable = async (index, number, range, options) => {
      if (range.end <= OPEN_SIZE) return read(index, number, range, options);
      largest = Math.max(largest, range.end - range.begin);
      most = Math.max(most, ++reading);
      await new Promise((resolve) => setImmediate(resolve));
      reading -= 1;
      return read(index, number, range, options);
    };
  }
  const steps: string[] = [];
  const progress = (done: number, all: number): void => void steps.push(`${String(done)}/${String(all)}`);
  const capability = strengths(file)[2] as MutableCapability;
  t.match(await check(grid, { capability }, { verify: true, progress }), { healthy: true });
  t.ok(largest <= 262_144, `${String(largest)} bytes at a time`);
  t.ok(most <= 10, `${String(most)} reads at a time`);
  t.same([steps.length, steps.at(-1)], [12, '12/12']);
});

t.test('a tree of more levels than are kept is verified window by window', async (t) => {
  const grid = new MutableGrid({ needed: 1, total: 2, servers: 2, segmentSize: 1 });
  const file = await grid.create('mdmf', seededBytes('deep', 2_100));
  t.match(await check(grid, file, { verify: true }), { healthy: true, corruptShares: [] });
  const [first] = await holders(grid, file);
  if (!first) throw new RangeError('a file with shares');
  const [server, held] = first;
  const [[shareNumber, share] = [0, new Uint8Array(0)]] = held;
  const { blockHashes, blocks } = decodeMutableHeader(share.subarray(0, 123)).sections;
  for (const place of [blocks.end - 1, blockHashes.end - 1]) {
    const changed = share.slice();
    changed[place] = (changed[place] ?? 0) ^ 4;
    substitute(server, new Map([[shareNumber, changed]]));
    t.match((await check(grid, file, { verify: true })).corruptShares, [{ shareNumber }], `byte ${String(place)}`);
  }
});

t.test('a share with another signature is bad for its signature', async (t) => {
  const grid = new MutableGrid({ servers: 4, needed: 2, total: 4 });
  const file = await grid.create('sdmf', contents);
  const [[, held] = [undefined, new Map<number, Uint8Array>()]] = await holders(grid, file);
  const [[shareNumber, share] = [0, new Uint8Array(0)]] = held;
  const changed = share.slice();
  const { signature } = decodeMutableHeader(changed.subarray(0, 123)).sections;
  changed[signature.begin + 9] = (changed[signature.begin + 9] ?? 0) ^ 1;
  const [server] = grid.servers;
  if (!server) throw new RangeError('four servers');
  const { storageIndex } = file;
  const { fingerprint } = file.capability;
  const reader = (bytes: Uint8Array) => new MutableShareReader({ crypto, storageIndex, server, shareNumber }, bytes);
  const verified = new VerifiedSignatures({ crypto, storageIndex, fingerprint });
  const { signal } = new AbortController();
  await verified.verify(reader(share), signal);
  await t.rejects(verified.verify(reader(changed), signal), { code: 'ERR_SIGNATURE' });
});
