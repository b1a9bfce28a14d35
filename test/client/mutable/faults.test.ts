/** Servers that lie, refuse, forget or die while a mutable file is read or written. */
import t from 'tap';
import { equalBytes } from '#core/bytes.js';
import { TahoeError } from '#core/errors.js';
import { decodeMutableHeader } from '#core/mutable/layout.js';
import { MutableFile } from '#client/mutable/mutable-file.js';
import { createSeenVersions } from '#client/mutable/seen-versions.js';
import { OPEN_SIZE } from '#client/mutable/share-reader.js';
import { settle } from '../../fixtures/clock.js';
import { seededBytes } from '../../fixtures/crypto.js';
import type { MemoryServer } from '../../fixtures/memory-server.js';
import { MutableGrid, restore, sharesOn, substitute } from '../../fixtures/mutable-grid.js';

const formats = ['sdmf', 'mdmf'] as const;
const contents = seededBytes('contents', 30_000);

/** Serves every share of a server with one byte changed, at a place that its header says. */
async function damage(
  server: MemoryServer,
  storageIndex: Uint8Array,
  placeOf: (share: Uint8Array) => number,
): Promise<void> {
  const shares = (await sharesOn([server], storageIndex)).get(server) ?? new Map<number, Uint8Array>();
  for (const share of shares.values()) {
    const place = placeOf(share);
    share[place] = (share[place] ?? 0) ^ 1;
  }
  substitute(server, shares);
}

const sectionOf =
  (name: keyof ReturnType<typeof decodeMutableHeader>['sections']) =>
  (share: Uint8Array): number =>
    decodeMutableHeader(share.subarray(0, 123)).sections[name].begin + 20;

t.test('a bad share is passed over, reported to its server alone, and replaced by the next write', async (t) => {
  for (const format of formats) {
    for (const section of ['blocks', 'blockHashes', 'shareHashes'] as const) {
      const grid = new MutableGrid();
      const file = await grid.create(format, contents);
      const [liar] = grid.permuted(file.storageIndex);
      if (liar === undefined) throw new Error('there is no server');
      await damage(liar, file.storageIndex, sectionOf(section));
      t.ok(equalBytes((await file.read()).bytes, contents), `${format} ${section}`);
      await settle();
      t.equal(liar.reports.length, 1, `${format} ${section}: reported`);
      t.ok(
        grid.servers.every((server) => server === liar || server.reports.length === 0),
        'nobody else is accused',
      );
    }
  }
});

t.test('a share whose keys or signature are damaged is found by looking', async (t) => {
  const reasons = {
    signature: new TahoeError('ERR_SIGNATURE', {}).message,
    publicKey: new TahoeError('ERR_HASH', { what: 'the public key' }).message,
  };
  for (const format of formats) {
    for (const section of ['signature', 'publicKey'] as const) {
      const grid = new MutableGrid();
      const file = await grid.create(format, contents);
      const [, liar] = grid.permuted(file.storageIndex);
      if (liar === undefined) throw new Error('there is no server');
      await damage(liar, file.storageIndex, sectionOf(section));
      const map = await file.servermap('check');
      t.equal(map.best()?.distinct, 9);
      t.match(map.badShares, [{ server: liar, reason: reasons[section] }], `${format} ${section}`);
      await settle();
      t.equal(liar.reports.length, 1);
    }
  }
});

t.test('a private key that does not fit is taken from another share', async (t) => {
  for (const format of formats) {
    const grid = new MutableGrid();
    const file = await grid.create(format, contents);
    const liars = grid.permuted(file.storageIndex).slice(0, 9);
    for (const liar of liars) await damage(liar, file.storageIndex, sectionOf('encryptedPrivateKey'));
    t.equal((await grid.open(file).overwrite(contents.subarray(1))).sequenceNumber, 2);
    const [, , , , , , , , , honest] = grid.permuted(file.storageIndex);
    if (honest) await damage(honest, file.storageIndex, sectionOf('encryptedPrivateKey'));
    await t.rejects(grid.open(file).overwrite(contents), { code: 'ERR_NOT_ENOUGH_SHARES' });
  }
});

t.test('who is overtaken while reading reads what is there now, and accuses nobody', async (t) => {
  for (const format of formats) {
    const grid = new MutableGrid();
    const file = await grid.create(format, contents);
    const other = grid.open(file);
    let isFirst = true;
    for (const server of grid.servers) {
      const read = server.readMutable.bind(server);
      server.readMutable = async (index, number, range, options) => {
        if (range.end > OPEN_SIZE && isFirst) {
          isFirst = false;
          await other.overwrite(contents.subarray(1));
        }
        return read(index, number, range, options);
      };
    }
    const { bytes, version } = await file.read();
    t.ok(equalBytes(bytes, contents.subarray(1)), format);
    t.equal(version.sequenceNumber, 2);
    await settle();
    t.notOk(grid.servers.some((server) => server.reports.length > 0));
  }
});

t.test('shares that servers do not take go to others', async (t) => {
  const grid = new MutableGrid({ servers: 14 });
  const file = await grid.create('sdmf', contents);
  const holders = grid.permuted(file.storageIndex).slice(0, 10);
  for (const server of holders.slice(0, 4)) {
    server.readTestWrite = () => Promise.reject(server.refusal('a write: no space'));
  }
  await file.overwrite(contents.subarray(1));
  for (const server of holders.slice(0, 4)) server.listMutableShares = () => Promise.resolve(new Set());
  const map = await file.servermap('check');
  t.equal(map.best()?.distinct, 10, 'all numbers are placed');
  t.equal(new Set(map.best()?.shares.map(({ server }) => server)).size, 10, 'on ten servers');
  t.ok(equalBytes((await file.read()).bytes, contents.subarray(1)));
});

t.test('when nobody takes a share the old version stays', async (t) => {
  const grid = new MutableGrid({ happy: 3 });
  const file = await grid.create('mdmf', contents);
  for (const server of grid.servers) server.readTestWrite = () => Promise.reject(server.refusal('a write'));
  await t.rejects(file.overwrite(new Uint8Array(1)), { code: 'ERR_UNHAPPY', facts: { reached: 0 } });
  await t.rejects(
    file.modify(() => new Uint8Array(1)),
    { code: 'ERR_UNHAPPY' },
  );
  await t.rejects(file.update(0, new Uint8Array(1)), { code: 'ERR_UNHAPPY' });
  t.ok(equalBytes((await file.read()).bytes, contents));
});

t.test('servers that say they have written and have not lose nothing while k are honest', async (t) => {
  const grid = new MutableGrid();
  const file = await grid.create('sdmf', contents);
  for (const server of grid.permuted(file.storageIndex).slice(0, 7)) {
    server.readTestWrite = () => Promise.resolve({ success: true, data: new Map() });
  }
  await file.overwrite(contents.subarray(1));
  t.ok(equalBytes((await file.read()).bytes, contents.subarray(1)));
});

t.test('a write between looking and writing is a meeting', async (t) => {
  const grid = new MutableGrid({ servers: 12, total: 5, needed: 2 });
  const file = await grid.create('sdmf', contents);
  const other = grid.open(file);
  const seen = createSeenVersions();
  let questions = 0;
  const node = new MutableFile(
    {
      ...grid.node(),
      seen: {
        ...seen,
        // It is asked before looking, and again before writing.
        highest: async (index) => {
          questions += 1;
          if (questions === 2) await other.overwrite(contents.subarray(2));
          return seen.highest(index);
        },
      },
    },
    file.capability,
  );
  await t.rejects(node.overwrite(contents.subarray(1)), { code: 'ERR_UNCOORDINATED_WRITE' });
  t.ok(equalBytes((await grid.open(file).read()).bytes, contents.subarray(2)), 'the other one is whole');
  t.equal((await file.servermap('check')).versions().length, 1);
});

t.test('a server that claims every share number and serves rubbish costs a bounded number of reports', async (t) => {
  const grid = new MutableGrid();
  const file = await grid.create('sdmf', contents);
  const [liar] = grid.permuted(file.storageIndex);
  if (liar === undefined) throw new Error('there is no server');
  const rubbish = seededBytes('rubbish', OPEN_SIZE);
  substitute(liar, new Map(Array.from({ length: 256 }, (_, i) => [i, rubbish])));
  t.ok(equalBytes((await file.read()).bytes, contents));
  await settle();
  t.ok(liar.reports.length <= 10, String(liar.reports.length));
});

t.test('how many servers are asked', async (t) => {
  const grid = new MutableGrid({ servers: 40 });
  const file = await grid.create('sdmf', seededBytes('small', 100));
  const asked = async (action: (file: MutableFile) => Promise<unknown>): Promise<number> => {
    for (const server of grid.servers) server.requests.splice(0);
    await action(new MutableFile(grid.node(), file.capability));
    return grid.servers.filter((server) => server.requests.includes('listMutable')).length;
  };
  // Up to five more may be asked before the last answer that was wanted is there.
  const isAbout = (count: number, wanted: number): boolean => count >= wanted && count <= wanted + 5;
  t.ok(isAbout(await asked((each) => each.read()), 6), 'reading: 2k');
  t.ok(isAbout(await asked((each) => each.servermap('anything')), 6));
  t.ok(isAbout(await asked((each) => each.servermap('write')), 13), 'writing: N and k more');
  t.equal(await asked((each) => each.servermap('check')), 40, 'checking: all');
  t.equal(await asked((each) => each.servermap('repair')), 40);
  const holders = grid.permuted(file.storageIndex).slice(0, 10);
  for (const server of holders.slice(0, 8)) substitute(server, new Map());
  await t.rejects(
    asked((each) => each.read()),
    { code: 'ERR_NOT_ENOUGH_SHARES', facts: { found: 2, needed: 3 } },
  );
  t.equal(
    grid.servers.filter((server) => server.requests.includes('listMutable')).length,
    32,
    'all of them, before that',
  );
  for (const server of holders) restore(server);
  for (const server of holders.slice(0, 6)) substitute(server, new Map());
  const found = await asked((each) => each.read());
  t.ok(found <= 12, `reading further until it is found: ${String(found)}`);
});

t.test('versions that are there in part: the newest whole one is read, and written over', async (t) => {
  const grid = new MutableGrid();
  const file = await grid.create('sdmf', seededBytes('one', 100));
  const old = await sharesOn(grid.servers, file.storageIndex);
  await file.overwrite(seededBytes('two', 100));
  const servers = grid.permuted(file.storageIndex);
  for (const server of servers.slice(2)) substitute(server, old.get(server) ?? new Map());
  const node = grid.open(file);
  t.ok(equalBytes((await node.read()).bytes, seededBytes('one', 100)), 'two shares of the newer are not enough');
  const map = await node.servermap('check');
  t.strictSame([map.versions().length, map.newerUnrecoverable().length, map.needsMerge], [2, 1, false]);
  for (const server of servers) restore(server);
  t.equal((await node.overwrite(seededBytes('three', 100))).sequenceNumber, 3);
  t.equal((await node.servermap('check')).versions().length, 1);
});

t.test('a stream of a version, in pieces', async (t) => {
  const grid = new MutableGrid({ segmentSize: 4096 });
  const file = await grid.create('mdmf', contents);
  const reader = await file.openVersion();
  t.equal(reader.size, contents.length);
  const parts: Uint8Array[] = [];
  const { signal } = new AbortController();
  for await (const part of reader.read({ begin: 100, end: 29_000 }, signal)) parts.push(part);
  t.ok(parts.length > 5);
  t.ok(Buffer.concat(parts).equals(contents.subarray(100, 29_000)));
});
