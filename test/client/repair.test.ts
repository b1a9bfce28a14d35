/** Repairs of immutable files on a grid in memory: from the verify capability, to the same bytes, to more servers. */
import t from 'tap';
import { concat, equalBytes, utf8 } from '#core/bytes.js';
import { verifyChk } from '#core/capability/attenuate.js';
import { literalCapability } from '#core/capability/types.js';
import type { ChkReadCapability, ChkVerifyCapability } from '#core/capability/types.js';
import { deriveUebHash } from '#core/derive.js';
import { createErasureCodec } from '#core/erasure/codec.js';
import { TahoeError } from '#core/errors.js';
import { ShareEncoder } from '#core/immutable/encoder.js';
import { encodeShareHeader } from '#core/immutable/layout.js';
import { fileParameters, segmentSizeOf } from '#core/immutable/parameters.js';
import { uebSize } from '#core/immutable/ueb.js';
import { checkImmutable } from '#client/check/check-immutable.js';
import { repairImmutable } from '#client/check/repair-immutable.js';
import type { RepairOptions } from '#client/check/repair-immutable.js';
import type { RepairReport } from '#client/check/check-report.js';
import { settle } from '../fixtures/clock.js';
import { crypto, seededBytes } from '../fixtures/crypto.js';
import { MemoryGrid } from '../fixtures/memory-grid.js';
import { hang, keyOf } from '../fixtures/memory-server.js';
import type { MemoryServer } from '../fixtures/memory-server.js';

const plaintext = seededBytes('repair', 30_000);
const small = { segmentSizeMax: 3_000 };

async function repair(
  grid: MemoryGrid,
  capability: ChkVerifyCapability,
  options: Partial<RepairOptions> = {},
): Promise<RepairReport> {
  const signal = new AbortController().signal;
  const outcome = await repairImmutable(grid.context, capability, { signal, verify: true, ...options });
  if (outcome.kind !== 'shares') throw new RangeError('a literal');
  return outcome;
}

/** All shares by number, and a way to see that every copy is one of them. */
function sharesOf(grid: MemoryGrid): Map<string, Uint8Array> {
  const numbered = (server: MemoryServer): [string, Uint8Array][] =>
    [...server.shares].map(([key, share]) => [key.replace(/.*\//, ''), share.slice()]);
  return new Map(grid.servers.flatMap(numbered));
}

function holdsOnly(grid: MemoryGrid, shares: ReadonlyMap<string, Uint8Array>): boolean {
  return grid.servers.every((server) =>
    [...server.shares].every(([key, share]) => equalBytes(share, shares.get(key.replace(/.*\//, '')) ?? utf8(''))),
  );
}

async function damagedGrid(
  serverCount: number,
  encoding = {},
): Promise<{
  grid: MemoryGrid;
  read: ChkReadCapability;
  capability: ChkVerifyCapability;
  shares: Map<string, Uint8Array>;
}> {
  const grid = new MemoryGrid(serverCount, { ...small, ...encoding });
  const read = await grid.uploadChk(plaintext);
  return { grid, read, capability: verifyChk(crypto, read), shares: sharesOf(grid) };
}

t.test('shares that are lost come back as they were, by the verify capability alone', async (t) => {
  for (const lost of [1, 4, 7]) {
    const { grid, read, capability, shares } = await damagedGrid(10);
    for (const server of grid.servers.slice(0, lost)) server.shares.clear();
    const { before, after, ...outcome } = await repair(grid, capability, { verify: false });
    t.same(outcome, { kind: 'shares', repairAttempted: true, repairSuccessful: true });
    t.equal(before.goodShareCount, 10 - lost);
    t.match(after, { healthy: true, summary: 'healthy', goodShareCount: 10, goodShareHostCount: 10, happiness: 10 });
    t.ok(holdsOnly(grid, shares), 'byte for byte');
    t.equal(new Set(grid.servers.flatMap((server) => [...server.shares.keys()])).size, 10);
    t.ok(equalBytes(await grid.download(read), plaintext));
    t.match(await repair(grid, capability), {
      repairAttempted: false,
      repairSuccessful: false,
      after: { healthy: true },
    });
    t.equal(grid.clock.pending, 0, 'no timer is left');
  }
});

t.test('a damaged share stays where it is, and its number goes elsewhere, with no server left idle', async (t) => {
  const { grid, capability, shares } = await damagedGrid(10);
  const [victim] = grid.servers;
  if (!victim) throw new RangeError('ten servers');
  for (const share of victim.shares.values()) share[60] = (share[60] ?? 0) ^ 1;
  const { before, after, repairSuccessful } = await repair(grid, capability);
  t.ok(repairSuccessful);
  t.match(before, { goodShareCount: 9, happiness: 9, corruptShares: [{ server: { shortName: victim.shortName } }] });
  t.match(after, { goodShareCount: 10, happiness: 10, corruptShares: [{ server: { shortName: victim.shortName } }] });
  const claimed = [...after.sharemap].filter(([, servers]) =>
    servers.some(({ serverId }) => serverId === victim.serverId),
  );
  t.notOk(
    claimed.some(([id]) => id === String(before.corruptShares[0]?.shareNumber)),
    'the damaged one does not count, though its server claims it',
  );
  const good = grid.servers.slice(1).flatMap((server) => [...server.shares.keys()]);
  t.equal(new Set(good).size, 10, 'the other nine have all numbers');
  t.equal(victim.shares.size, 2, 'and the first has a copy of another share');
  const copies = grid.servers.slice(1).flatMap((server) => [...server.shares]);
  t.ok(copies.every(([key, share]) => equalBytes(share, shares.get(key.replace(/.*\//, '')) ?? share)));
});

t.test('all shares on one server are spread over the others', async (t) => {
  const grid = new MemoryGrid(10, { ...small, happy: 1 });
  const others = grid.servers.splice(1);
  const capability = verifyChk(crypto, await grid.uploadChk(plaintext));
  const shares = sharesOf(grid);
  t.match(await repair(grid, capability), { repairAttempted: false }, 'one server is all there is');
  grid.servers.push(...others);
  const wide = Object.assign(grid, { context: { ...grid.context, encoding: { ...grid.context.encoding, happy: 7 } } });
  const { before, after, ...outcome } = await repair(wide, capability);
  t.match(before, { healthy: true, happinessHealthy: false, happiness: 1 });
  t.match(after, { healthy: true, happinessHealthy: true, happiness: 10, goodShareHostCount: 10 });
  t.match(outcome, { repairAttempted: true, repairSuccessful: true });
  t.ok(holdsOnly(grid, shares));
});

t.test('what cannot be recovered is the error of a download, and nothing is reserved', async (t) => {
  for (const [left, code] of [
    [2, 'ERR_NOT_ENOUGH_SHARES'],
    [0, 'ERR_NO_SHARES'],
  ] as const) {
    const { grid, capability } = await damagedGrid(10);
    for (const server of grid.servers.slice(left)) server.shares.clear();
    for (const server of grid.servers) server.requests.splice(0);
    await t.rejects(repair(grid, capability), { code });
    t.notOk(grid.servers.some((server) => server.requests.includes('allocate')));
  }
  const { grid, capability } = await damagedGrid(10);
  grid.servers.splice(0);
  await t.rejects(repair(grid, capability), { code: 'ERR_NO_SERVERS' });
  const signal = new AbortController().signal;
  const literal = await repairImmutable(grid.context, literalCapability(new Uint8Array(3)), { signal });
  t.same(literal, { kind: 'literal', healthy: true });
});

t.test('with no room anywhere a repair is in vain, and says so', async (t) => {
  const { grid, capability } = await damagedGrid(10);
  grid.servers[0]?.shares.clear();
  for (const server of grid.servers) server.space = 0;
  const { before, after, ...outcome } = await repair(grid, capability);
  t.match(outcome, { repairAttempted: true, repairSuccessful: false });
  t.match(after, { healthy: false, goodShareCount: 9, summary: 'not healthy', recoverable: true });
  t.equal(before.goodShareCount, 9);
});

t.test('servers that fail while they are written to cost their share only', async (t) => {
  const { grid, capability } = await damagedGrid(10);
  const [deaf, stuck, good, ...rest] = grid.servers;
  if (!deaf || !stuck || !good) throw new RangeError('ten servers');
  for (const server of [deaf, stuck, good]) server.shares.clear();
  deaf.write = () => Promise.reject(deaf.refusal('write'));
  stuck.write = (_index, _share, _secret, _offset, _parts, options) => hang(options);
  const repairing = repair(grid, capability);
  await settle(200);
  grid.clock.advance(15_000);
  const { after, repairSuccessful } = await repairing;
  t.notOk(repairSuccessful);
  t.equal(after.goodShareCount, 8);
  t.notOk(
    grid.servers.some(({ uploads }) => uploads.size > 0),
    'what was reserved is given back',
  );

  for (const server of [good, ...rest]) server.space = 0;
  const inVain = repair(grid, capability);
  await settle(200);
  grid.clock.advance(15_000);
  t.match(await inVain, { repairAttempted: true, repairSuccessful: false, after: { goodShareCount: 8 } });
  t.equal(grid.clock.pending, 0);
});

t.test('a source that goes bad in the midst ends the repair with its error, and nothing stays', async (t) => {
  const { grid, capability } = await damagedGrid(10);
  for (const server of grid.servers.slice(0, 5)) server.shares.clear();
  for (const server of grid.servers.slice(5)) {
    const read = server.read.bind(server);
    server.read = (...args) =>
      args[2].begin > 6_000
        ? Promise.reject(new TahoeError('ERR_CONNECT', { server: server.shortName, reason: 'gone' }))
        : read(...args);
  }
  await t.rejects(repair(grid, capability, { verify: false }), { code: 'ERR_NOT_ENOUGH_SHARES' });
  t.ok(grid.servers.slice(0, 5).every(({ shares, uploads }) => shares.size === 0 && uploads.size === 0));
});

t.test('cancelling gives everything back', async (t) => {
  const { grid, capability } = await damagedGrid(10);
  for (const server of grid.servers.slice(0, 5)) server.shares.clear();
  for (const server of grid.servers) server.write = (_i, _n, _s, _o, _p, options) => hang(options);
  const controller = new AbortController();
  const repairing = repair(grid, capability, { signal: controller.signal });
  await settle(100);
  t.ok(grid.servers.some(({ uploads }) => uploads.size > 0));
  controller.abort();
  await t.rejects(repairing, { code: 'ERR_CANCELLED' });
  t.ok(grid.servers.every(({ uploads }) => uploads.size === 0));
  t.equal(grid.clock.pending, 0);
});

t.test('memory: no more is read than the slowest new share takes', async (t) => {
  const grid = new MemoryGrid(4, { needed: 1, happy: 1, total: 4 });
  const capability = verifyChk(crypto, await grid.uploadChk(seededBytes('long', 24_000_000)));
  const [slow, ...rest] = grid.servers;
  if (!slow) throw new RangeError('four servers');
  slow.shares.clear();
  slow.write = (_i, _n, _s, _o, _p, options) => hang(options);
  let readBytes = 0;
  for (const server of rest) {
    const read = server.read.bind(server);
    server.read = async (...args) => {
      readBytes += args[2].end - args[2].begin;
      return read(...args);
    };
  }
  const controller = new AbortController();
  const repairing = repair(grid, capability, { verify: false, signal: controller.signal });
  repairing.catch(() => undefined);
  await settle(400);
  t.ok(readBytes > 4_000_000 && readBytes < 12_000_000, `${String(readBytes)} bytes of 24 000 000 were read`);
  controller.abort();
  await t.rejects(repairing, { code: 'ERR_CANCELLED' });
});

t.test('a repair whose last share is lost reads no further', async (t) => {
  const grid = new MemoryGrid(2, { needed: 1, happy: 1, total: 2 });
  const capability = verifyChk(crypto, await grid.uploadChk(seededBytes('long', 16_000_000)));
  const [deaf, source] = grid.servers;
  if (!deaf || !source) throw new RangeError('two servers');
  deaf.shares.clear();
  deaf.write = () => Promise.reject(deaf.refusal('write'));
  source.space = 0;
  source.requests.splice(0);
  t.match(await repair(grid, capability, { verify: false }), { repairSuccessful: false, after: { goodShareCount: 1 } });
  const reads = source.requests.filter((request) => request === 'read').length;
  t.ok(reads < 12, `${String(reads)} of some 16 blocks were read`);
});

/** Puts a file on the grid's servers that another writer might have made. */
function store(
  grid: MemoryGrid,
  { flaw, more = '' }: { readonly flaw?: boolean; readonly more?: string },
): ChkVerifyCapability {
  const file = fileParameters({ needed: 2, total: 4 }, 1000, 300);
  const codec = createErasureCodec(2, 4);
  const odd: typeof codec = {
    ...codec,
    encode: (...args) =>
      codec.encode(...args).map((block, i) => (flaw === true && i === 3 ? block.map((b) => b ^ 1) : block)),
  };
  const readKey = new Uint8Array(16).fill(9);
  const encoder = new ShareEncoder(crypto, odd, file, readKey);
  const header = encodeShareHeader(file, encoder.layout);
  const shares: Uint8Array[][] = Array.from({ length: 4 }, () => [header]);
  for (let segment = 0; segment < file.segmentCount; segment++) {
    const bytes = plaintext.subarray(300 * segment, 300 * segment + segmentSizeOf(file, segment));
    encoder.encodeSegment(bytes).forEach((block, i) => shares[i]?.push(block));
  }
  const { trailers, capability } = encoder.finish();
  const ueb = concat(trailers[0]?.slice(-uebSize(file)) ?? utf8(''), utf8(more));
  const length = Uint8Array.of(0, 0, ueb.length >> 8, ueb.length & 255);
  const verify = { ...verifyChk(crypto, capability), uebHash: deriveUebHash(crypto, ueb) };
  grid.servers.forEach((server, i) => {
    const trailer = trailers[i]?.subarray(0, -uebSize(file) - 4) ?? utf8('');
    server.shares.set(keyOf(verify.storageIndex, i), concat(...(shares[i] ?? []), trailer, length, ueb));
  });
  return verify;
}

t.test('a URI extension block with more in it than ours is kept as it is', async (t) => {
  const grid = new MemoryGrid(4);
  const capability = store(grid, { more: 'plaintext_hash:3:abc,' });
  const shares = sharesOf(grid);
  const signal = new AbortController().signal;
  t.match(await checkImmutable(grid.context, capability, { signal, verify: true }), { healthy: true });
  for (const server of grid.servers.slice(1, 3)) server.shares.clear();
  t.match(await repair(grid, capability), { repairSuccessful: true });
  t.ok(holdsOnly(grid, shares));
});

t.test(
  'a file whose shares do not follow from its ciphertext cannot be repaired: nothing wrong is stored',
  async (t) => {
    const grid = new MemoryGrid(4);
    const capability = store(grid, { flaw: true });
    grid.servers[0]?.shares.clear();
    grid.servers[3]?.shares.clear();
    await t.rejects(repair(grid, capability), { code: 'ERR_HASH' });
    t.ok([grid.servers[0], grid.servers[3]].every((server) => server?.shares.size === 0 && server.uploads.size === 0));
  },
);
