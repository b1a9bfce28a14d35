/** Checks of mutable files on a grid in memory: every figure, every kind of damage, every kind of server. */
import t from 'tap';
import { formatBase32 } from '#core/base32.js';
import { concat } from '#core/bytes.js';
import type { MutableFormat } from '#core/capability/types.js';
import { TahoeError } from '#core/errors.js';
import type { MutableCapability } from '#core/mutable/access.js';
import { encodeVersion, saltsFrom } from '#core/mutable/encoder.js';
import { mutableKeysOf } from '#core/mutable/keys.js';
import { OPEN_SIZE } from '#client/mutable/share-reader.js';
import { healthyFigures, names } from '../fixtures/check-figures.js';
import { settle } from '../fixtures/clock.js';
import { crypto, seededBytes, seededRandom } from '../fixtures/crypto.js';
import { hang } from '../fixtures/memory-server.js';
import type { MemoryServer } from '../fixtures/memory-server.js';
import { MutableGrid, restore, substitute, testKeys } from '../fixtures/mutable-grid.js';
import { check, holders, strengths } from '../fixtures/mutable-checks.js';

const formats: readonly MutableFormat[] = ['sdmf', 'mdmf'];
const contents = seededBytes('contents', 10_000);

t.test('a healthy file, with every figure, by any capability', async (t) => {
  for (const format of formats) {
    for (const size of [0, 100, 10_000]) {
      const grid = new MutableGrid({ happy: 7 });
      const file = await grid.create(format, contents.subarray(0, size));
      const { version } = await file.read();
      const root = formatBase32(version.rootHash).slice(0, 4);
      for (const capability of strengths(file)) {
        for (const verify of [false, true]) {
          const report = await check(grid, { capability }, { verify });
          const { sharemap, serversResponding, storageIndex, ...figures } = report;
          t.same(figures, { ...healthyFigures, needsMerge: false, newerUnrecoverableCount: 0 });
          t.same(storageIndex, file.storageIndex);
          t.same(
            [...sharemap.keys()],
            Array.from({ length: 10 }, (_, i) => `seq1-${root}-sh${String(i)}`),
          );
          t.same(names(serversResponding), names(grid.servers));
          const holding = await holders(grid, file);
          for (const [id, servers] of sharemap) {
            const holder = holding.find(([, shares]) => id.endsWith(`-sh${String([...shares.keys()][0])}`));
            t.same(names(servers), [holder?.[0].shortName]);
          }
        }
      }
    }
  }
});

t.test('fewer shares, too few, none, and no servers', async (t) => {
  const grid = new MutableGrid();
  const file = await grid.create('sdmf', contents);
  const holding = await holders(grid, file);
  const lose = (count: number): void => {
    for (const [server] of holding.splice(0, count)) substitute(server, new Map());
  };
  lose(1);
  t.match(await check(grid, file), {
    summary: 'Unhealthy: 9 shares (enc 3-of-10)',
    healthy: false,
    recoverable: true,
    happiness: 9,
    goodShareHostCount: 9,
    recoverableVersionCount: 1,
  });
  lose(7);
  t.match(await check(grid, file, { verify: true }), {
    summary: 'Unhealthy: some versions are unrecoverable no versions are recoverable',
    recoverable: false,
    recoverableVersionCount: 0,
    unrecoverableVersionCount: 1,
    goodShareCount: 2,
    wrongShareCount: 0,
    happinessHealthy: false,
  });
  lose(2);
  const nothing = {
    ...{ summary: 'Unhealthy: no versions are recoverable', goodShareCount: 0, needed: 3, total: 10 },
    ...{ recoverable: false, unrecoverableVersionCount: 0 },
  };
  t.match(await check(grid, file), nothing);
  grid.servers.splice(0);
  t.match(await check(grid, file), { ...nothing, serversResponding: [] });
});

t.test('versions beside one another: older ones, newer ones, and two of one number', async (t) => {
  const grid = new MutableGrid();
  const file = await grid.create('mdmf', contents);
  const old = await holders(grid, file);
  await file.overwrite(seededBytes('newer', 5_000));
  const put = (count: number, shares: readonly [MemoryServer, Map<number, Uint8Array>][]): void => {
    for (const [server, held] of shares.slice(0, count)) substitute(server, held);
  };
  put(1, old);
  const report = await check(grid, file, { verify: true });
  t.match(report, {
    summary: 'Unhealthy: some versions are unrecoverable 9 shares (enc 3-of-10)',
    ...{ goodShareCount: 9, wrongShareCount: 1, recoverableVersionCount: 1, unrecoverableVersionCount: 1 },
    ...{ happiness: 10, newerUnrecoverableCount: 0, needsMerge: false },
  });
  t.equal([...report.sharemap.keys()].filter((id) => id.startsWith('seq1-')).length, 1);
  t.equal([...report.sharemap.keys()].filter((id) => id.startsWith('seq2-')).length, 9);
  put(3, old);
  t.match(await check(grid, file), {
    summary: 'Unhealthy: multiple versions are recoverable 7 shares (enc 3-of-10)',
    ...{ recoverableVersionCount: 2, unrecoverableVersionCount: 0, wrongShareCount: 3, needsMerge: false },
  });
  put(8, old);
  t.match(await check(grid, file), {
    summary: 'Unhealthy: some versions are unrecoverable 8 shares (enc 3-of-10)',
    ...{ newerUnrecoverableCount: 1, goodShareCount: 8, wrongShareCount: 2 },
  });
  const keys = mutableKeysOf(crypto, testKeys[0] ?? new Uint8Array(0));
  const request = { format: 'mdmf', sequenceNumber: 2, encoding: { needed: 3, total: 10 }, contents } as const;
  const rival = encodeVersion(crypto, keys, request, saltsFrom(seededRandom('rival'))).shares;
  put(
    5,
    old.map(([server, held]) => [server, new Map([...held].map(([n]) => [n, rival[n] ?? new Uint8Array(0)]))]),
  );
  for (const [server] of old.slice(5)) restore(server);
  t.match(await check(grid, file), {
    summary: 'Unhealthy: multiple versions are recoverable 5 shares (enc 3-of-10)',
    needsMerge: true,
  });
});

t.test('all shares on one server are healthy by the reference, and not by us', async (t) => {
  const grid = new MutableGrid({ servers: 10, happy: 1 });
  const others = grid.servers.splice(1);
  const file = await grid.create('sdmf', contents);
  grid.servers.push(...others);
  const context = { ...grid.context, encoding: { needed: 3, happy: 7, total: 10 } };
  const verdict = { healthy: true, summary: 'Healthy', happiness: 1, happinessWanted: 7, happinessHealthy: false };
  t.match(await check({ context }, file), verdict);
});

t.test('a share that is overwritten while it is read is not called corrupt', async (t) => {
  const grid = new MutableGrid({ servers: 4, needed: 2, total: 4 });
  const file = await grid.create('mdmf', contents);
  const [first] = await holders(grid, file);
  if (!first) throw new RangeError('a file with shares');
  const [server] = first;
  const read = server.readMutable.bind(server);
  let isWritten = false;
  server.readMutable = async (index, number, range, options) => {
    if (range.begin > 0 && !isWritten) {
      isWritten = true;
      await file.overwrite(seededBytes('meanwhile', 9_000));
    }
    return read(index, number, range, options);
  };
  const report = await check(grid, { capability: strengths(file)[2] as MutableCapability }, { verify: true });
  t.ok(isWritten);
  t.same(report.corruptShares, []);
  t.ok(report.unreadShares.length > 0);
  t.ok(grid.servers.every(({ reports }) => reports.length === 0));
});

t.test('leases are added on the way; what fails is counted and fails nothing', async (t) => {
  const grid = new MutableGrid();
  const file = await grid.create('sdmf', contents);
  const [deaf, empty, ...rest] = grid.servers;
  if (!deaf || !empty) throw new RangeError('ten servers');
  for (const server of grid.servers) server.leases.clear();
  deaf.addLease = () => Promise.reject(deaf.refusal('lease'));
  substitute(empty, new Map());
  const report = await check(grid, file, { addLease: true, verify: true });
  t.match(report, { goodShareCount: 9, leases: { renewed: 8, failed: 1 } });
  t.ok(rest.every((server) => server.leases.size === 1));
  t.equal(empty.leases.size, 0, 'there is nothing to lease where there is no share');
});

t.test('cancelling ends a check at once with a named error', async (t) => {
  for (const operation of ['listMutableShares', 'readMutable', 'addLease'] as const) {
    const grid = new MutableGrid();
    const file = await grid.create('sdmf', contents);
    for (const server of grid.servers)
      server[operation] = (...args: readonly unknown[]) => hang(args.at(-1) as Parameters<typeof hang>[0]);
    const controller = new AbortController();
    const checking = check(grid, file, { verify: true, addLease: true, signal: controller.signal });
    await settle();
    controller.abort();
    await t.rejects(checking, { code: 'ERR_CANCELLED' }, operation);
    await settle();
    t.equal(grid.clock.pending, 0, 'no timer is left');
  }
});

/** What hangs on a server. */
const phases: Readonly<Record<string, (server: MemoryServer) => void>> = {
  list: (server) => {
    server.listMutableShares = () => new Promise(() => undefined);
  },
  open: (server) => {
    server.readMutable = () => new Promise(() => undefined);
  },
  'read on': (server) => {
    const read = server.readMutable.bind(server);
    server.readMutable = (index, number, range, options) =>
      range.end > OPEN_SIZE ? new Promise(() => undefined) : read(index, number, range, options);
  },
  lease: (server) => {
    server.addLease = () => new Promise(() => undefined);
  },
};

t.test('seven hung servers of ten, at every phase: the check goes on without them', async (t) => {
  for (const [phase, apply] of Object.entries(phases)) {
    const grid = new MutableGrid({ segmentSize: 15_000 });
    const file = await grid.create('mdmf', seededBytes('longer', 40_000));
    for (const server of grid.servers.slice(0, 7)) apply(server);
    const { result, seconds } = await grid.pass(check(grid, file, { verify: true, addLease: true }));
    t.ok(seconds <= 30, `${phase}: ${String(seconds)} s`);
    const isRead = phase === 'read on';
    t.equal(result.serversResponding.length, isRead || phase === 'lease' ? 10 : 3, phase);
    t.equal(result.goodShareCount, phase === 'lease' ? 10 : 3, phase);
    t.equal(result.unreadShares.length, isRead ? 7 : 0, phase);
    t.same(result.corruptShares, [], phase);
    t.equal(result.leases.failed, phase === 'lease' ? 7 : 0, phase);
    await settle();
    grid.clock.advance(60_000);
    t.equal(grid.clock.pending, 0, 'no timer is left');
  }
});

t.test('a server that dies while its shares are read is not tried for each of them', async (t) => {
  const grid = new MutableGrid({ servers: 1 });
  const file = await grid.create('sdmf', concat(...Array.from({ length: 9 }, () => contents)));
  const [server] = grid.servers;
  if (!server) throw new RangeError('one server');
  const read = server.readMutable.bind(server);
  let reads = 0;
  server.readMutable = (index, number, range, options) => {
    if (range.end <= OPEN_SIZE) return read(index, number, range, options);
    reads += 1;
    return Promise.reject(new TahoeError('ERR_CONNECT', { server: server.shortName, reason: 'gone' }));
  };
  const report = await check(grid, { capability: strengths(file)[2] as MutableCapability }, { verify: true });
  t.match(report, { goodShareCount: 0, corruptShares: [] });
  t.equal(report.unreadShares.length, 10);
  t.equal(reads, 1);
});
