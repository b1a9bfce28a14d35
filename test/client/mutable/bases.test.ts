/** Files of which writers have left too few shares of every version, and who may make them again of what. */
import t from 'tap';
import { KnownVersions } from '#client/mutable/known-versions.js';
import type { MutableContext } from '#client/mutable/mutable-context.js';
import { MutableFile } from '#client/mutable/mutable-file.js';
import { seededBytes } from '../../fixtures/crypto.js';
import { pushShares } from '../../fixtures/hasty-writer.js';
import type { MemoryServer } from '../../fixtures/memory-server.js';
import { MutableGrid, restore, sharesOn, substitute } from '../../fixtures/mutable-grid.js';
import { race } from '../../fixtures/mutable-race.js';

const old = seededBytes('what was there', 50);
const append = (contents: Uint8Array): Uint8Array => Uint8Array.of(...contents, 7);

/** Every share becomes one of a version of its own; each number is one's. The fifth server has none. */
async function scatter(grid: MutableGrid, file: MutableFile, sequenceNumbers: readonly number[]): Promise<void> {
  const map = await new MutableFile(grid.node('anybody'), file.capability).servermap('check');
  for (const [i, sequenceNumber] of sequenceNumbers.entries()) {
    const shares = map.shares.filter((share) => share.shareNumber === i);
    const contents = seededBytes(`writer ${String(i)}`, 50);
    const isWritten = await pushShares(grid.node(String(i)), file, { contents, sequenceNumber, map, shares });
    if (!isWritten) throw new Error('a writer was refused');
  }
}

async function gridWithFile(format: 'sdmf' | 'mdmf' = 'sdmf') {
  const grid = new MutableGrid({ needed: 2, total: 4, servers: 5, segmentSize: 40 });
  const file = await grid.create(format, old);
  const knowing: MutableContext = { ...grid.node('knowing'), known: new KnownVersions() };
  const own = new MutableFile(knowing, file.capability);
  await own.read();
  return { file, grid, own };
}

function fifth(grid: MutableGrid, { storageIndex }: MutableFile): MemoryServer {
  const server = grid.permuted(storageIndex)[4];
  if (server === undefined) throw new Error('there are five');
  return server;
}

t.test('a change that met them is made on what was acknowledged last', async (t) => {
  for (const format of ['sdmf', 'mdmf'] as const) {
    const { file, grid } = await gridWithFile(format);
    const tries: boolean[] = [];
    const change = async (contents: Uint8Array, isFirst: boolean): Promise<Uint8Array> => {
      tries.push(isFirst);
      t.strictSame(contents, old);
      if (isFirst) {
        await scatter(grid, file, [2, 2, 2, 2]);
        const { result } = await grid.pass(
          grid
            .open(file)
            .read()
            .catch((error: unknown) => error),
        );
        t.match(result, { code: 'ERR_NOT_ENOUGH_SHARES' }, 'nobody can read it');
      }
      return append(contents);
    };
    const writer = new MutableFile(grid.node('writer'), file.capability);
    const { result } = await grid.pass(writer.modify(change));
    t.strictSame(tries, [true, false]);
    t.equal(result.sequenceNumber, 3);
    const { result: read } = await grid.pass(grid.open(file).read());
    t.strictSame(read.bytes, append(old));
  }
});

t.test('so it is by a node that has read them before, and by no other', async (t) => {
  const { file, grid, own } = await gridWithFile();
  await scatter(grid, file, [2, 2, 2, 2]);
  const other = grid.open(file);
  const { result } = await grid.pass(other.modify(append).catch((error: unknown) => error));
  t.match(result, { code: 'ERR_NOT_ENOUGH_SHARES' });
  await grid.pass(own.modify(append));
  const { result: read } = await grid.pass(other.read());
  t.strictSame(read.bytes, append(old));
});

t.test('not where a newer version may have been acknowledged', async (t) => {
  const cases: Record<string, (grid: MutableGrid, file: MutableFile) => Promise<void>> = {
    'a higher number': (grid, file) => scatter(grid, file, [2, 2, 2, 3]),
    'a server that does not answer, which has none': async (grid, file) => {
      await scatter(grid, file, [2, 2, 2, 2]);
      const server = fifth(grid, file);
      server.listMutableShares = () => Promise.reject(server.refusal('list'));
    },
    'a number that is nowhere': async (grid, file) => {
      await scatter(grid, file, [2, 2, 2, 2]);
      grid.permuted(file.storageIndex)[0]?.loseDisk();
    },
    'a bad share besides': async (grid, file) => {
      await scatter(grid, file, [2, 2, 2, 2]);
      const all = await sharesOn(grid.servers, file.storageIndex);
      const [shares] = [...all.values()].filter(({ size }) => size > 0);
      const [[shareNumber, share] = [0, new Uint8Array(0)]] = shares ?? [];
      const bad = share.map((byte, i) => (i === 20 ? byte ^ 1 : byte));
      substitute(fifth(grid, file), new Map([[shareNumber, bad]]));
    },
  };
  for (const [name, prepare] of Object.entries(cases)) {
    const { file, grid, own } = await gridWithFile();
    await prepare(grid, file);
    const { result } = await grid.pass(own.modify(append).catch((error: unknown) => error));
    t.match(result, { code: 'ERR_NOT_ENOUGH_SHARES' }, name);
    for (const server of grid.servers) restore(server);
    const written = grid.servers.filter(
      ({ requests }) => requests.filter((what) => what === 'readTestWrite').length > 2,
    );
    t.strictSame(written, [], `${name}: nothing is written`);
  }
});

t.test('two who make it again: one server decides, and both changes are there', async (t) => {
  const { file, grid, own } = await gridWithFile();
  const another = new MutableFile({ ...grid.node('another'), known: new KnownVersions() }, file.capability);
  await another.read();
  await scatter(grid, file, [2, 2, 2, 2]);
  const add = (name: number) => (contents: Uint8Array) =>
    contents.includes(name) ? contents : Uint8Array.of(...contents, name);
  await grid.pass(Promise.all([own.modify(add(1)), another.modify(add(2))]));
  const { result } = await grid.pass(grid.open(file).read());
  t.strictSame([...result.bytes.subarray(old.length)].sort(), [1, 2]);
});

t.test('beside writers who write everywhere at once nothing that was acknowledged is lost', async (t) => {
  let moments = 0;
  for (const seed of [1, 2, 3]) {
    const { least, lost } = await race({ format: 'sdmf', writers: 6, hasty: 4, changes: 1, seed });
    t.strictSame(lost, [], `seed ${String(seed)}`);
    if (least < 2) moments++;
  }
  t.ok(moments > 0, `in ${String(moments)} of 3 there was nothing left for a moment`);
});
