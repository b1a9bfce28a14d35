/** Repairs of mutable files on a grid in memory: what is mended, over how many servers, and what is refused. */
import t from 'tap';
import { equalBytes } from '#core/bytes.js';
import { readCapabilityOf, verifyCapabilityOf } from '#core/capability/attenuate.js';
import type { MutableFormat } from '#core/capability/types.js';
import type { MutableCapability } from '#core/mutable/access.js';
import { encodeVersion, saltsFrom } from '#core/mutable/encoder.js';
import { mutableKeysOf } from '#core/mutable/keys.js';
import { checkMutable } from '#client/check/check-mutable.js';
import type { CheckOptions } from '#client/check/check-immutable.js';
import { repairMutable } from '#client/check/repair-mutable.js';
import type { MutableRepairReport } from '#client/check/repair-mutable.js';
import type { MutableContext } from '#client/mutable/mutable-context.js';
import { placeWidely } from '#client/mutable/goal.js';
import type { MutableFile } from '#client/mutable/mutable-file.js';
import { settle } from '../fixtures/clock.js';
import { crypto, seededBytes, seededRandom } from '../fixtures/crypto.js';
import { hang, MemoryServer } from '../fixtures/memory-server.js';
import { holders } from '../fixtures/mutable-checks.js';
import { MutableGrid, restore, substitute, testKeys } from '../fixtures/mutable-grid.js';

const formats: readonly MutableFormat[] = ['sdmf', 'mdmf'];
const contents = seededBytes('contents', 10_000);
type Held = [MemoryServer, Map<number, Uint8Array>];

function repair(
  grid: { readonly context: MutableContext },
  { capability }: { readonly capability: MutableCapability },
  options: Partial<CheckOptions> = {},
): Promise<MutableRepairReport> {
  return repairMutable(grid.context, capability, { signal: new AbortController().signal, ...options });
}

/** Puts shares into a server for good, whatever it has: as who has its disk would. */
async function put(grid: MutableGrid, file: MutableFile, [server, shares]: Held): Promise<void> {
  const slot = new Map(
    Array.from({ length: 10 }, (_, n) => [n, shares.get(n) ?? new Uint8Array(0)] as const).map(([n, data]) => [
      n,
      { tests: [], writes: data.length > 0 ? [{ offset: 0, data }] : [], newLength: data.length },
    ]),
  );
  const secret = new Uint8Array(32);
  const secrets = { renewSecret: secret, cancelSecret: secret, writeEnabler: grid.writeEnablerOf(file, server) };
  await server.readTestWrite(file.storageIndex, { ...secrets, shares: slot, reads: [] });
}

const flipped = (share: Uint8Array, place: number): Uint8Array =>
  share.map((byte, i) => (i === (place < 0 ? share.length + place : place) ? byte ^ 1 : byte));

t.test('lost shares come back, under the next number, and a healthy file is left alone', async (t) => {
  for (const format of formats) {
    for (const lost of [1, 4, 7]) {
      const grid = new MutableGrid();
      const file = await grid.create(format, contents);
      for (const [server] of (await holders(grid, file)).slice(0, lost))
        await put(grid, file, [server, new Map<number, Uint8Array>()]);
      const { before, after, ...outcome } = await repair(grid, file);
      t.same(outcome, { kind: 'shares', repairAttempted: true, repairSuccessful: true });
      t.equal(before.goodShareCount, 10 - lost);
      t.match(after, { healthy: true, summary: 'Healthy', goodShareCount: 10, goodShareHostCount: 10, happiness: 10 });
      const { bytes, version } = await grid.open(file).read();
      t.ok(equalBytes(bytes, contents));
      t.equal(version.sequenceNumber, 2);
      t.match(await repair(grid, file, { verify: true }), { repairAttempted: false, after: { healthy: true } });
      t.equal(grid.clock.pending, 0, 'no timer is left');
    }
  }
});

t.test('damage is mended where it lies, whatever part it hit', async (t) => {
  for (const format of formats) {
    for (const place of [0, 3, 20, 200, 700, -1, -40]) {
      const grid = new MutableGrid({ servers: 5, total: 5 });
      const file = await grid.create(format, contents);
      const [first] = await holders(grid, file);
      if (!first) throw new RangeError('a file with shares');
      const [server, shares] = first;
      await put(grid, file, [server, new Map([...shares].map(([n, share]) => [n, flipped(share, place)]))]);
      const { before, after, repairAttempted } = await repair(grid, file, { verify: true });
      const what = `${format}, byte ${String(place)}`;
      t.ok(repairAttempted, what);
      t.equal(before.corruptShares.length + before.incompatibleShares.length, 1, what);
      t.match(after, { healthy: true, goodShareCount: 5, corruptShares: [] }, what);
      const again = await checkMutable(grid.node('other'), file.capability, {
        signal: new AbortController().signal,
        verify: true,
      });
      t.match(again, { healthy: true, corruptShares: [], incompatibleShares: [] }, what);
      t.ok(equalBytes((await grid.open(file).read()).bytes, contents), what);
    }
  }
});

t.test('older versions beside the best, recoverable or not, are written over', async (t) => {
  for (const count of [1, 4]) {
    const grid = new MutableGrid();
    const file = await grid.create('mdmf', contents);
    const old = await holders(grid, file);
    const newer = seededBytes('newer', 5_000);
    await file.overwrite(newer);
    for (const held of old.slice(0, count)) await put(grid, file, held);
    const { before, after, repairSuccessful } = await repair(grid, file);
    t.match(before, { healthy: false, wrongShareCount: count, recoverableVersionCount: count === 4 ? 2 : 1 });
    t.match(after, { healthy: true, wrongShareCount: 0, recoverableVersionCount: 1, unrecoverableVersionCount: 0 });
    t.ok(repairSuccessful);
    t.ok(equalBytes((await grid.open(file).read()).bytes, newer));
  }
});

t.test('all shares on one server are spread over the others', async (t) => {
  const grid = new MutableGrid({ happy: 1 });
  const others = grid.servers.splice(1);
  const file = await grid.create('sdmf', contents);
  t.match(await repair(grid, file), { repairAttempted: false }, 'one server is all there is');
  grid.servers.push(...others);
  const context = { ...grid.context, encoding: { needed: 3, happy: 7, total: 10 } };
  const { before, after, ...outcome } = await repair({ context }, file);
  t.match(before, { healthy: true, happinessHealthy: false, happiness: 1 });
  t.match(after, { healthy: true, happinessHealthy: true, happiness: 10, goodShareHostCount: 10 });
  t.match(outcome, { repairAttempted: true, repairSuccessful: true });
  t.match(await repair({ context }, file), { repairAttempted: false });
});

t.test('copies go only where they spread further', async (t) => {
  const servers = Array.from({ length: 4 }, (_, i) => new MemoryServer(`s${String(i)}`));
  const [a, b, c, d] = servers as [MemoryServer, MemoryServer, MemoryServer, MemoryServer];
  const at = (server: MemoryServer, shareNumber: number) => ({ server, shareNumber, checkstring: new Uint8Array(57) });
  const places = (taken: readonly ReturnType<typeof at>[], total: number): string[] =>
    placeWidely(total, taken, servers).map(({ server, shareNumber }) => `${server.shortName}/${String(shareNumber)}`);
  t.same(places([at(a, 0), at(b, 1), at(c, 2), at(d, 3)], 4), []);
  t.equal(places([at(a, 0), at(a, 1), at(a, 2), at(a, 3)], 4).length, 3);
  t.same(places([at(a, 0), at(b, 1), at(c, 2)], 4), ['s3/3']);
  t.same(places([at(a, 0), at(b, 1)], 2), [], 'no more copies than there are shares');
});

t.test('what would lose data is refused, and nothing is written', async (t) => {
  const grid = new MutableGrid();
  const file = await grid.create('sdmf', contents);
  const old = await holders(grid, file);
  await file.overwrite(seededBytes('newer', 5_000));
  for (const held of old.slice(2)) await put(grid, file, held);
  const writes = (): number =>
    grid.servers.flatMap(({ requests }) => requests).filter((r) => r === 'readTestWrite').length;
  const writesBefore = writes();
  const fresh = { context: grid.node('fresh') };
  await t.rejects(repair(fresh, file), { code: 'ERR_REPAIR_REFUSED', message: /newer version/ });
  const keys = mutableKeysOf(crypto, testKeys[0] ?? new Uint8Array(0));
  const request = { format: 'sdmf', sequenceNumber: 1, encoding: { needed: 3, total: 10 } } as const;
  const rival = encodeVersion(crypto, keys, { ...request, contents }, saltsFrom(seededRandom('rival'))).shares;
  old.forEach(([server, held], i) => {
    if (i >= 5) return;
    substitute(server, new Map([...held].map(([n]) => [n, rival[n] ?? new Uint8Array(0)])));
  });
  await t.rejects(repair(fresh, file), { code: 'ERR_REPAIR_REFUSED', message: /one sequence number/ });
  for (const server of grid.servers) restore(server);
  for (const [server] of old.slice(0, 2)) substitute(server, new Map());
  t.match(await checkMutable(grid.context, file.capability, { signal: new AbortController().signal }), {
    recoverable: true,
  });
  await t.rejects(
    repair(grid, file),
    { code: 'ERR_ROLLED_BACK' },
    'who has seen the newer one puts no older one above it',
  );
  t.equal(writes(), writesBefore);
});

t.test('a capability that does not write gets the check; what is lost is not repaired', async (t) => {
  const grid = new MutableGrid();
  const file = await grid.create('sdmf', contents);
  const holding = await holders(grid, file);
  for (const [server] of holding.slice(0, 3)) substitute(server, new Map());
  for (const weaker of [readCapabilityOf(crypto, file.capability), verifyCapabilityOf(crypto, file.capability)]) {
    const report = await repair(grid, { capability: weaker as MutableCapability });
    t.match(report, { repairAttempted: false, repairSuccessful: false, before: { goodShareCount: 7 } });
  }
  for (const [server] of holding.slice(0, 8)) substitute(server, new Map());
  const report = await repair(grid, file);
  t.match(report, { repairAttempted: true, repairSuccessful: false, before: { recoverable: false } });
  t.equal(report.after, report.before);
});

t.test('hung servers are passed over: all shares go to the rest', async (t) => {
  const grid = new MutableGrid({ happy: 3 });
  const file = await grid.create('mdmf', contents);
  for (const server of grid.servers.slice(0, 7)) server.listMutableShares = (_index, options) => hang(options);
  const { result, seconds } = await grid.pass(repair(grid, file));
  t.ok(seconds <= 30, `${String(seconds)} s`);
  t.match(result, { repairSuccessful: true, after: { goodShareCount: 10, happiness: 3 } });
  t.ok(equalBytes((await grid.pass(grid.open(file).read())).result.bytes, contents));
});

t.test('servers that hang when they are written to are replaced; cancelling ends it', async (t) => {
  const grid = new MutableGrid({ happy: 3 });
  const file = await grid.create('sdmf', contents);
  const holding = await holders(grid, file);
  for (const [server] of holding.slice(0, 2)) await put(grid, file, [server, new Map<number, Uint8Array>()]);
  for (const server of grid.servers.slice(0, 6)) server.readTestWrite = () => new Promise(() => undefined);
  const { result, seconds } = await grid.pass(repair(grid, file));
  t.ok(seconds <= 60, `${String(seconds)} s`);
  t.match(result.after, { goodShareCount: 10, recoverable: true });
  const controller = new AbortController();
  const repairing = repair(grid, file, { signal: controller.signal });
  await settle();
  controller.abort();
  await t.rejects(repairing, { code: 'ERR_CANCELLED' });
});
