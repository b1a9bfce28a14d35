/** Mutable files on a grid in memory: what is written is read, in ranges too, and updates are as on plain bytes. */
import t from 'tap';
import fc from 'fast-check';
import { concat, equalBytes } from '#core/bytes.js';
import { readCapabilityOf, verifyCapabilityOf } from '#core/capability/attenuate.js';
import { decodeMutableHeader } from '#core/mutable/layout.js';
import type { MutableCapability } from '#core/mutable/access.js';
import { MutableFile } from '#client/mutable/mutable-file.js';
import { Chance } from '../../fixtures/chance.js';
import { crypto, seededBytes } from '../../fixtures/crypto.js';
import { MutableGrid, sharesOn, testKeys } from '../../fixtures/mutable-grid.js';

const formats = ['sdmf', 'mdmf'] as const;

t.test('what is published is read, by any who may read', async (t) => {
  for (const format of formats) {
    const grid = new MutableGrid();
    for (const size of [0, 1, 2, 3, 1199, 1200, 1201, 2400, 3601, 20_000]) {
      const contents = seededBytes(`${format} ${String(size)}`, size);
      const file = await grid.create(format, contents);
      t.ok(equalBytes((await file.read()).bytes, contents), `${format} ${String(size)}`);
      const reader = readCapabilityOf(crypto, file.capability) as MutableCapability;
      const read = await new MutableFile(grid.node('reader'), reader).read();
      t.ok(equalBytes(read.bytes, contents));
      t.match(read.version, { sequenceNumber: 1, format, dataSize: size });
    }
  }
});

t.test('any encoding, size and format; any range', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...formats),
      fc.integer({ min: 1, max: 6 }),
      fc.nat(6),
      fc.integer({ min: 1, max: 12 }),
      fc.nat(3000),
      fc.nat(),
      async (format, needed, more, servers, size, seed) => {
        const grid = new MutableGrid({
          needed,
          total: needed + more,
          servers: Math.max(servers, needed),
          segmentSize: 700,
          seed: String(seed),
        });
        const contents = seededBytes(String(seed), size);
        const file = await grid.create(format, contents);
        const chance = new Chance(seed);
        for (let i = 0; i < 4; i++) {
          const [begin, end] = [chance.below(size + 10), chance.below(size + 100)];
          const { bytes } = await file.read({ begin, end });
          if (!equalBytes(bytes, contents.subarray(begin, Math.max(begin, end)))) return false;
        }
        return equalBytes((await grid.open(file).read()).bytes, contents);
      },
    ),
    { numRuns: 25 },
  );
});

/** Offsets where updates may go wrong: at, before and behind every boundary. */
function offsetsOf(size: number, segmentSize: number): number[] {
  const edges = [0, segmentSize, 2 * segmentSize, 3 * segmentSize, size];
  const around = edges.flatMap((edge) => [edge - 1, edge, edge + 1]);
  return [...new Set(around)].filter((offset) => offset >= 0 && offset <= size);
}

t.test('updates at every kind of offset are as on plain bytes', async (t) => {
  for (const format of formats) {
    const grid = new MutableGrid({ needed: 2, total: 3, servers: 3, segmentSize: 300 });
    for (const size of [0, 299, 300, 1000]) {
      const file = await grid.create(format, seededBytes('start', size));
      let model: Uint8Array = seededBytes('start', size);
      for (const length of [0, 1, 300, 650]) {
        for (const offset of offsetsOf(size, 300)) {
          const bytes = seededBytes(`${String(length)} ${String(offset)}`, length);
          await file.update(offset, bytes);
          model = concat(model.subarray(0, offset), bytes, model.subarray(offset + length));
          const { bytes: now } = await file.read();
          if (!equalBytes(now, model)) t.fail(`${format} of ${String(size)}: ${String(length)} at ${String(offset)}`);
        }
      }
      t.ok(equalBytes((await grid.open(file).read()).bytes, model), `${format} of ${String(size)}`);
    }
  }
});

t.test('an MDMF update sends only what changes', async (t) => {
  const grid = new MutableGrid({ segmentSize: 30_000 });
  const contents = seededBytes('large', 1_000_000);
  const file = await grid.create('mdmf', contents);
  const other = grid.open(file);
  let sent = 0;
  for (const server of grid.servers) {
    const write = server.readTestWrite.bind(server);
    server.readTestWrite = (index, request) => {
      for (const { writes } of request.shares.values()) for (const { data } of writes) sent += data.length;
      return write(index, request);
    };
  }
  await other.update(500_000, seededBytes('part', 100));
  t.ok(sent < 200_000, `${String(sent)} bytes were sent`);
  const expected = contents.slice();
  expected.set(seededBytes('part', 100), 500_000);
  t.ok(equalBytes((await file.read()).bytes, expected));
  const reads = grid.servers.flatMap((server) => server.requests.splice(0));
  await file.read({ begin: 500_000, end: 500_010 });
  const again = grid.servers.flatMap((server) => server.requests).filter((request) => request === 'readMutable').length;
  t.ok(reads.length > again && again <= 10 + 3 * 3, `${String(again)} reads for ten bytes`);
});

t.test('an update of a file that lacks a share publishes it whole, which mends it', async (t) => {
  const grid = new MutableGrid({ segmentSize: 600 });
  const contents = seededBytes('lacking', 5000);
  const file = await grid.create('mdmf', contents);
  const [gone] = grid.permuted(file.storageIndex);
  grid.servers.splice(
    grid.servers.findIndex((server) => server === gone),
    1,
  );
  await file.update(4999, Uint8Array.of(1, 2, 3));
  const map = await file.servermap('check');
  t.equal(map.best()?.distinct, 10);
  t.equal(map.versions().length, 1);
  t.ok(equalBytes((await file.read()).bytes, concat(contents.subarray(0, 4999), Uint8Array.of(1, 2, 3))));
});

t.test('shares have no more bytes than the version, also after it has shrunk', async (t) => {
  for (const format of formats) {
    const grid = new MutableGrid();
    const file = await grid.create(format, seededBytes('long', 9000));
    await file.overwrite(seededBytes('short', 10));
    for (const shares of (await sharesOn(grid.servers, file.storageIndex)).values()) {
      for (const share of shares.values()) t.equal(share.length, decodeMutableHeader(share.subarray(0, 123)).end);
    }
  }
});

t.test('offsets behind the end', async (t) => {
  const grid = new MutableGrid();
  const sdmf = await grid.create('sdmf', seededBytes('a', 10));
  await sdmf.update(1000, Uint8Array.of(7));
  t.equal((await sdmf.read()).bytes.length, 11, 'SDMF appends, as the reference does');
  const mdmf = await grid.create('mdmf', seededBytes('a', 10));
  await t.rejects(mdmf.update(11, Uint8Array.of(7)), { code: 'ERR_BEYOND_END' });
  t.equal((await mdmf.read()).version.sequenceNumber, 1, 'nothing was written');
});

t.test('what a capability does not grant is refused', async (t) => {
  const grid = new MutableGrid();
  const file = await grid.create('sdmf', seededBytes('a', 10));
  const reader = new MutableFile(grid.context, readCapabilityOf(crypto, file.capability) as MutableCapability);
  const verifier = new MutableFile(grid.context, verifyCapabilityOf(crypto, file.capability) as MutableCapability);
  for (const each of [reader, verifier]) {
    await t.rejects(each.overwrite(new Uint8Array(1)), { code: 'ERR_AUTHORITY' });
    await t.rejects(
      each.modify((old) => old),
      { code: 'ERR_AUTHORITY' },
    );
    await t.rejects(each.update(0, new Uint8Array(1)), { code: 'ERR_AUTHORITY' });
  }
  await t.rejects(verifier.read(), { code: 'ERR_AUTHORITY' });
  const map = await verifier.servermap('check');
  t.equal(map.best()?.distinct, 10, 'who verifies sees all shares');
});

t.test('one key makes one file', async (t) => {
  const grid = new MutableGrid();
  const { createMutableFile } = await import('#client/mutable/create.js');
  const privateKey = testKeys[50] ?? new Uint8Array(0);
  const make = (format: 'sdmf' | 'mdmf', bytes: Uint8Array) =>
    createMutableFile(grid.node(), bytes, { format, privateKey });
  const file = await make('sdmf', seededBytes('first', 10));
  await t.rejects(make('sdmf', seededBytes('second', 10)), { code: 'ERR_UNCOORDINATED_WRITE' });
  await t.rejects(make('mdmf', seededBytes('second', 10)), { code: 'ERR_UNCOORDINATED_WRITE' });
  t.ok(equalBytes((await file.read()).bytes, seededBytes('first', 10)), 'the file is as it was');
  await t.rejects(
    createMutableFile(grid.node(), new Uint8Array(0), { format: 'sdmf', privateKey: new Uint8Array(9) }),
    {
      code: 'ERR_RSA_KEY',
    },
  );
});

t.test('contents may depend on the keys', async (t) => {
  const grid = new MutableGrid();
  const file = await grid.create('sdmf', ({ writeKey }) => writeKey);
  t.equal((await file.read()).bytes.length, 16);
});

t.test('too few servers: nothing is begun', async (t) => {
  const grid = new MutableGrid({ happy: 7, servers: 6 });
  await t.rejects(grid.create('sdmf', new Uint8Array(1)), { code: 'ERR_UNHAPPY', facts: { reached: 6 } });
  t.notOk(grid.servers.some((server) => server.requests.includes('readTestWrite')));
  grid.servers.splice(0);
  await t.rejects(grid.create('sdmf', new Uint8Array(1)), { code: 'ERR_NO_SERVERS' });
});

t.test('a file that is not there', async (t) => {
  const grid = new MutableGrid();
  const file = await grid.create('sdmf', seededBytes('a', 10));
  const elsewhere = new MutableGrid();
  const lost = new MutableFile(elsewhere.context, file.capability);
  await t.rejects(lost.read(), { code: 'ERR_NO_SHARES' });
  await t.rejects(lost.overwrite(new Uint8Array(1)), { code: 'ERR_NO_SHARES' });
  await t.rejects(
    lost.modify((old) => old),
    { code: 'ERR_NO_SHARES' },
  );
});
