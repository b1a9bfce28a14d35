/** Checks of immutable files on a grid in memory: every figure, every kind of damage, every kind of server. */
import t from 'tap';
import { verifyChk } from '#core/capability/attenuate.js';
import { literalCapability } from '#core/capability/types.js';
import type { ChkReadCapability } from '#core/capability/types.js';
import { TahoeError } from '#core/errors.js';
import { decodeShareHeader } from '#core/immutable/layout.js';
import { checkImmutable } from '#client/check/check-immutable.js';
import type { CheckOptions } from '#client/check/check-immutable.js';
import type { CheckReport } from '#client/check/check-report.js';
import { Chance } from '../fixtures/chance.js';
import { healthyFigures, names } from '../fixtures/check-figures.js';
import { settle } from '../fixtures/clock.js';
import { crypto, seededBytes } from '../fixtures/crypto.js';
import { MemoryGrid } from '../fixtures/memory-grid.js';
import { hang } from '../fixtures/memory-server.js';
import type { MemoryServer } from '../fixtures/memory-server.js';
import { SimServer } from '../grid/sim-server.js';
import type { Fault } from '../grid/sim-server.js';
import { inVirtualTime } from '../grid/virtual-time.js';

const plaintext = seededBytes('check', 30_000);
const small = { segmentSizeMax: 3_000 };

async function check(
  grid: MemoryGrid,
  capability: ChkReadCapability,
  options: Partial<CheckOptions> = {},
): Promise<CheckReport> {
  const signal = new AbortController().signal;
  const report = await checkImmutable(grid.context, capability, { signal, ...options });
  if (report.kind !== 'shares') throw new RangeError('a literal');
  return report;
}

/** The server that has share `shareNumber`, and where it has it. */
function holderOf(grid: MemoryGrid, shareNumber: number): { server: MemoryServer; key: string; share: Uint8Array } {
  for (const server of grid.servers)
    for (const [key, share] of server.shares)
      if (key.endsWith(`/${String(shareNumber)}`)) return { server, key, share };
  throw new RangeError('no such share');
}

t.test('a healthy file, with every figure', async (t) => {
  const grid = new MemoryGrid(10, small);
  const capability = await grid.uploadChk(plaintext);
  for (const verify of [false, true]) {
    const report = await check(grid, capability, { verify });
    const { sharemap, serversResponding, storageIndex, ...figures } = report;
    t.same(figures, healthyFigures);
    t.same(storageIndex, verifyChk(crypto, capability).storageIndex);
    t.same([...sharemap.keys()], ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9']);
    t.same(names(serversResponding), names(grid.servers));
    for (const [id, servers] of sharemap) t.same(names(servers), [holderOf(grid, Number(id)).server.shortName]);
  }
  const verifying = await checkImmutable(grid.context, verifyChk(crypto, capability), {
    signal: new AbortController().signal,
    verify: true,
  });
  t.equal(verifying.healthy, true, 'the verify capability is enough');
});

t.test('a literal is healthy, and nobody is asked', async (t) => {
  const grid = new MemoryGrid(3);
  const signal = new AbortController().signal;
  const report = await checkImmutable(grid.context, literalCapability(new Uint8Array(9)), { signal, verify: true });
  t.same(report, { kind: 'literal', healthy: true });
  t.ok(grid.servers.every((server) => server.requests.length === 0));
});

t.test('fewer shares, too few, none, and no servers', async (t) => {
  const grid = new MemoryGrid(10, small);
  const capability = await grid.uploadChk(plaintext);
  const lose = (count: number): void => {
    for (let n = 0; n < count; n++) grid.servers.find(({ shares }) => shares.size > 0)?.shares.clear();
  };
  lose(1);
  t.match(await check(grid, capability), {
    summary: 'Not Healthy: 9 shares (enc 3-of-10)',
    healthy: false,
    recoverable: true,
    happinessHealthy: true,
    goodShareHostCount: 9,
    recoverableVersionCount: 1,
  });
  lose(7);
  t.match(await check(grid, capability, { verify: true }), {
    summary: 'Not Healthy: 2 shares (enc 3-of-10)',
    recoverable: false,
    recoverableVersionCount: 0,
    unrecoverableVersionCount: 1,
    happiness: 2,
  });
  lose(2);
  t.match(await check(grid, capability), { goodShareCount: 0, happiness: 0, recoverable: false });
  grid.servers.splice(0);
  t.match(await check(grid, capability), { goodShareCount: 0, serversResponding: [] });
});

t.test('all shares on too few servers are healthy by the reference, and not by us', async (t) => {
  const grid = new MemoryGrid(10, { ...small, happy: 1 });
  const others = grid.servers.splice(2);
  const capability = await grid.uploadChk(plaintext);
  grid.servers.push(...others);
  const context = { ...grid.context, encoding: { happy: 7 } };
  const report = await checkImmutable(context, capability, { signal: new AbortController().signal });
  t.match(report, { healthy: true, summary: 'Healthy', happiness: 2, happinessWanted: 7, happinessHealthy: false });
});

t.test('a changed byte anywhere in a share is found, and nobody else is accused', async (t) => {
  const grid = new MemoryGrid(4, { needed: 2, happy: 1, total: 4, segmentSizeMax: 40 });
  const capability = await grid.uploadChk(seededBytes('tiny', 100));
  const { server, key, share } = holderOf(grid, 1);
  const { offsets } = decodeShareHeader(share.subarray(0, 68));
  const ignored = (place: number): boolean =>
    (place >= 4 && place < 12) || // sizes that the offsets make superfluous
    (place >= 16 && place < 20) || // the offset of the plaintext hash tree, which nobody reads
    (place >= offsets.plaintextHashTree && place < offsets.crypttextHashTree);
  for (let place = 0; place < share.length; place++) {
    const changed = share.slice();
    changed[place] = (changed[place] ?? 0) ^ (1 << (place % 8));
    server.shares.set(key, changed);
    server.reports.splice(0);
    const report = await check(grid, capability, { verify: true });
    const found = [...report.corruptShares, ...report.incompatibleShares];
    const expected = ignored(place) ? [] : [{ server: { shortName: server.shortName }, shareNumber: 1 }];
    if (!ignored(place) || found.length > 0) t.match(found, expected, `byte ${String(place)}`);
    if (!ignored(place)) t.equal(report.goodShareCount, 3, `byte ${String(place)}`);
    const isIncompatible = place < 4;
    t.equal(server.reports.length, ignored(place) || isIncompatible ? 0 : 1, 'corrupt shares are reported, no others');
    if (isIncompatible) t.equal(report.incompatibleShares.length, 1, 'an unknown version is not damage');
  }
  for (let size = 0; size < share.length; size += 7) {
    server.shares.set(key, share.slice(0, size));
    t.match(
      (await check(grid, capability, { verify: true })).corruptShares,
      [{ shareNumber: 1 }],
      `${String(size)} bytes`,
    );
  }
  t.ok(
    grid.servers.every((other) => other === server || other.reports.length === 0),
    'nobody honest was accused',
  );
});

t.test('a share of another file or another number is corrupt', async (t) => {
  const grid = new MemoryGrid(4, { ...small, needed: 2, happy: 1, total: 4 });
  const capability = await grid.uploadChk(plaintext);
  const [first, second] = [holderOf(grid, 0), holderOf(grid, 1)];
  first.server.shares.set(first.key, second.share);
  t.match(await check(grid, capability, { verify: true }), { corruptShares: [{ shareNumber: 0 }], goodShareCount: 3 });
  t.match(
    await check(grid, capability),
    { corruptShares: [], goodShareCount: 4 },
    'without verify servers are believed',
  );
  first.server.shares.set(first.key, first.share);
  await grid.uploadChk(seededBytes('another', 30_000));
  const stranger = [...first.server.shares].find(([key]) => key !== first.key)?.[1] ?? new Uint8Array(0);
  first.server.shares.set(first.key, stranger);
  t.match(await check(grid, capability, { verify: true }), { corruptShares: [{ shareNumber: 0 }] });
});

t.test('what a server claims and does not have is not counted; numbers of no share are passed over', async (t) => {
  const grid = new MemoryGrid(10, small);
  const capability = await grid.uploadChk(plaintext);
  const { server } = holderOf(grid, 4);
  server.listShares = () => Promise.resolve(new Set([3, 4, 10, 255]));
  const report = await check(grid, capability, { verify: true });
  t.match(report, { healthy: true, goodShareCount: 10, corruptShares: [] });
  t.match(report.unreadShares, [{ shareNumber: 3 }]);
  t.equal((await check(grid, capability)).goodShareCount, 10);
});

t.test('leases are added on the way; what fails is counted and fails nothing', async (t) => {
  const grid = new MemoryGrid(10, small);
  const capability = await grid.uploadChk(plaintext);
  const [deaf, empty, ...rest] = grid.servers;
  if (!deaf || !empty) throw new RangeError('ten servers');
  for (const server of grid.servers) server.leases.clear();
  deaf.addLease = () => Promise.reject(deaf.refusal('lease'));
  empty.shares.clear();
  const report = await check(grid, capability, { addLease: true, verify: true });
  t.match(report, { goodShareCount: 9, leases: { renewed: 8, failed: 1 } });
  t.ok(rest.every((server) => server.leases.size === 1));
  t.equal(empty.leases.size, 0, 'there is nothing to lease where there is no share');
  t.match(await check(grid, capability), { leases: { renewed: 0, failed: 0 } });
});

t.test('a large file is read in small pieces, a few shares at a time, with progress', async (t) => {
  const grid = new MemoryGrid(30, { needed: 1, happy: 1, total: 30 });
  const capability = await grid.uploadChk(seededBytes('large', 2_500_000));
  let [reading, most, largest] = [0, 0, 0];
  for (const server of grid.servers) {
    const read = server.read.bind(server);
    server.read = async (index, number, range, options) => {
      largest = Math.max(largest, range.end - range.begin);
      most = Math.max(most, ++reading);
      await new Promise((resolve) => setImmediate(resolve));
      reading -= 1;
      return read(index, number, range, options);
    };
  }
  const steps: string[] = [];
  const progress = (done: number, all: number): void => void steps.push(`${String(done)}/${String(all)}`);
  t.match(await check(grid, capability, { verify: true, progress }), { healthy: true });
  t.ok(largest <= 524_288, `${String(largest)} bytes at a time`);
  t.ok(most <= 20, `${String(most)} reads at a time: of ten shares, beginning and end at once`);
  t.same([steps.length, steps.at(-1)], [30, '30/30']);
});

t.test('cancelling ends a check at once with a named error', async (t) => {
  for (const operation of ['listShares', 'read', 'addLease'] as const) {
    const grid = new MemoryGrid(10, small);
    const capability = await grid.uploadChk(plaintext);
    for (const server of grid.servers)
      server[operation] = (...args: readonly unknown[]) => hang(args.at(-1) as Parameters<typeof hang>[0]);
    const controller = new AbortController();
    const checking = check(grid, capability, { verify: true, addLease: true, signal: controller.signal });
    await settle();
    controller.abort();
    await t.rejects(checking, { code: 'ERR_CANCELLED' }, operation);
  }
});

/** The grid's servers, behind a network in virtual time; the first seven have the fault. */
function withFault(grid: MemoryGrid, fault: Fault): { context: MemoryGrid['context']; faulty: SimServer[] } {
  const servers = grid.servers.map((server, i) => new SimServer(server, grid.clock, new Chance(i)));
  const faulty = servers.slice(0, 7);
  for (const server of faulty) server.fault = fault;
  return { context: { ...grid.context, serversFor: () => servers }, faulty };
}

t.test('seven hung servers of ten, at every phase: the check goes on without them', async (t) => {
  for (const phase of ['before', 'after'] as const) {
    for (const operation of ['listShares', 'read', 'reportCorrupt', 'addLease'] as const) {
      const grid = new MemoryGrid(10, small);
      const capability = await grid.uploadChk(plaintext);
      const { context, faulty } = withFault(grid, { kind: 'hang', phase, operations: [operation] });
      if (operation === 'reportCorrupt')
        for (const { inner } of faulty) for (const share of inner.shares.values()) share[50] = (share[50] ?? 0) ^ 1;
      const signal = new AbortController().signal;
      const checking = checkImmutable(context, capability, { signal, verify: true, addLease: true });
      const outcome = await inVirtualTime(grid.clock, checking, 60_000);
      const what = `${operation}, ${phase}: ${String(outcome.elapsedMs)} ms`;
      if (outcome.kind !== 'done' || outcome.value.kind !== 'shares') throw new RangeError(what);
      const report = outcome.value;
      const isLease = operation === 'addLease';
      t.equal(report.goodShareCount, isLease ? 10 : 3, what);
      t.equal(report.serversResponding.length, operation === 'listShares' ? 3 : 10, what);
      t.equal(report.unreadShares.length, operation === 'read' ? 7 : 0, what);
      t.equal(report.corruptShares.length, operation === 'reportCorrupt' ? 7 : 0, what);
      t.same(report.leases, { renewed: isLease || operation === 'listShares' ? 3 : 10, failed: isLease ? 7 : 0 }, what);
      t.ok(outcome.elapsedMs <= 31_000, what);
      t.equal(grid.clock.pending, 0, 'no timer is left');
    }
  }
});

t.test('a server that dies while its shares are read is not tried for each of them', async (t) => {
  const grid = new MemoryGrid(1, { ...small, happy: 1 });
  const capability = await grid.uploadChk(plaintext);
  const [server] = grid.servers;
  if (!server) throw new RangeError('one server');
  let reads = 0;
  server.read = () => {
    reads += 1;
    return Promise.reject(new TahoeError('ERR_CONNECT', { server: server.shortName, reason: 'gone' }));
  };
  const report = await check(grid, capability, { verify: true });
  t.match(report, { goodShareCount: 0, corruptShares: [] });
  t.equal(report.unreadShares.length, 10);
  t.equal(reads, 1);
});
