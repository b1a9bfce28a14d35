/** The search for a file's shares: few servers at first, many when those bring too little or take their time. */
import t from 'tap';
import { ShareFinder } from '#client/download/share-finder.js';
import type { StorageServer } from '#client/storage-server.js';
import { silentLog } from '#core/environment.js';
import { equalBytes } from '#core/bytes.js';
import type { ShareEdges } from '#wire/immutable-beginnings.js';
import { ManualClock, settle } from '#test/fixtures/clock.js';
import { seededBytes } from '#test/fixtures/crypto.js';
import { MemoryGrid } from '#test/fixtures/memory-grid.js';
import { hang, keyOf, MemoryServer } from '#test/fixtures/memory-server.js';

const storageIndex = seededBytes('storage index', 16);
const PATIENCE_MS = 250;
const LONG_MS = 3_000;

/** A search among servers whose answers come when the test says so, for a file of which three shares are needed. */
class Subject {
  readonly clock = new ManualClock();
  readonly servers: MemoryServer[];
  /** Ends the wait of each server that was asked, in the order of asking. */
  readonly asked: (() => void)[] = [];
  readonly finder: ShareFinder;

  /** @param holders - the places in permuted order of those that have a share each. */
  constructor(serverCount: number, holders: readonly number[], needed = 3) {
    this.servers = Array.from({ length: serverCount }, (_, i) => {
      const server = new MemoryServer(String(i));
      if (holders.includes(i)) server.shares.set(keyOf(storageIndex, i), new Uint8Array(1));
      const listShares = server.listShares.bind(server);
      server.listShares = async (index) => {
        await new Promise<void>((resolve) => this.asked.push(resolve));
        return listShares(index);
      };
      return server;
    });
    const { clock, servers } = this;
    const edgeSizes = { beginning: 100, end: 0 };
    const changed = (): void => undefined;
    this.finder = new ShareFinder({ storageIndex, servers, needed, edgeSizes, clock, log: silentLog, changed });
  }

  /** Those of `places` answer. */
  async answer(...places: readonly number[]): Promise<void> {
    for (const place of places) this.asked[place]?.();
    await settle();
  }

  /** How many have been asked after another look for so many. */
  async search(missing: number): Promise<number> {
    this.finder.searchFurther(missing);
    await settle();
    return this.asked.length;
  }

  get found(): number[] {
    return this.finder.take().map(({ shareNumber }) => shareNumber);
  }
}

t.test('two more than are needed are asked first, and nobody else while they bring enough', async (t) => {
  const subject = new Subject(200, [0, 1, 2, 3, 4, 5]);
  t.equal(await subject.search(3), 5);
  await subject.answer(1);
  t.equal(await subject.search(2), 5);
  await subject.answer(0, 4);
  t.strictSame(subject.found, [1, 0, 4]);
  t.equal(await subject.search(2), 5, 'two are still to answer');
  await subject.answer(2, 3);
  t.strictSame(subject.found, [2, 3]);
  t.equal(subject.clock.pending, 0, 'no timer is left');
  t.notOk(subject.finder.exhausted);
});

t.test('many are asked as soon as those that are to answer are too few', async (t) => {
  const subject = new Subject(200, [0, 1]);
  await subject.search(3);
  await subject.answer(2, 3);
  t.equal(await subject.search(3), 5, 'three may bring it');
  await subject.answer(4);
  t.equal(await subject.search(3), 5 + 8, 'two cannot');
  await subject.answer(0, 1, 5);
  t.equal(await subject.search(1), 13 + 3, 'ten at once from then on');
});

t.test('a share that is of no use counts as one that was not found', async (t) => {
  const subject = new Subject(200, [0, 1, 2, 3, 4]);
  await subject.search(3);
  await subject.answer(0, 1, 2, 3);
  t.equal(await subject.search(1), 5, 'the last one may have another');
  t.equal(await subject.search(2), 5 + 9);
});

t.test('many are asked when the first take their time, and late answers count', async (t) => {
  const subject = new Subject(50, [0, 1, 2, 3, 4, 5, 6]);
  await subject.search(3);
  subject.clock.advance(PATIENCE_MS - 1);
  t.equal(await subject.search(3), 5);
  subject.clock.advance(1);
  t.equal(await subject.search(3), 10);
  await subject.answer(0, 1);
  t.strictSame(subject.found, [0, 1]);
  t.equal(await subject.search(1), 12);
  subject.clock.advance(LONG_MS);
  t.equal(await subject.search(1), 22, 'and more for each that is overdue');
  await subject.answer(4);
  t.strictSame(subject.found, [4]);
});

t.test('a file on few servers of many takes the first few, then ten at once', async (t) => {
  const subject = new Subject(50, [31, 32, 33]);
  let [rounds, answered] = [0, 0];
  const found: number[] = [];
  while (found.length < 3 && rounds < 20) {
    const asked = await subject.search(3 - found.length);
    await subject.answer(...Array.from({ length: asked - answered }, (_, i) => answered + i));
    answered = asked;
    found.push(...subject.found);
    rounds += 1;
  }
  t.equal(rounds, 1 + 3);
  t.equal(answered, 35);
});

t.test('fewer servers than that, and more shares than are asked at once', async (t) => {
  const few = new Subject(2, []);
  t.equal(await few.search(3), 2);
  await few.answer(0, 1);
  t.ok(few.finder.exhausted);
  t.equal(few.clock.pending, 0);
  t.equal(await new Subject(50, [], 30).search(30), 10);
});

t.test('seven hung servers of ten cost a quarter of a second', async (t) => {
  const grid = new MemoryGrid(10);
  for (const server of grid.servers) server.hasBeginnings = true;
  const plaintext = seededBytes('hung', 5_000);
  const capability = await grid.uploadChk(plaintext);
  for (const server of grid.servers.slice(0, 7)) {
    server.listShares = (_index, options) => hang(options);
    server.readBeginnings = (_index, _sizes, options) => hang(options);
  }
  let done = false;
  const download = grid.download(capability).finally(() => (done = true));
  await settle(50);
  const beforeMs = grid.clock.monotonicMs();
  if (!done) grid.clock.advance(PATIENCE_MS);
  t.ok(equalBytes(await download, plaintext));
  t.ok(grid.clock.monotonicMs() - beforeMs <= PATIENCE_MS);
});

t.test('what is kept of shares that nobody asked for by themselves is bounded', async (t) => {
  const edges: ShareEdges = { size: 2 ** 20, beginning: new Uint8Array(2 ** 20), end: new Uint8Array(0) };
  const servers: StorageServer[] = Array.from({ length: 7 }, (_, i) => {
    const server = new MemoryServer(String(i));
    server.readBeginnings = () => Promise.resolve(new Map([[i, edges]]));
    return server;
  });
  const options = { storageIndex, servers, needed: 5, edgeSizes: { beginning: 2 ** 20, end: 0 }, log: silentLog };
  const finder = new ShareFinder({ ...options, clock: new ManualClock(), changed: () => undefined });
  finder.searchFurther(5);
  await settle();
  const found = finder.take();
  t.equal(found.length, 7);
  t.equal(found.filter((share) => share.edges !== undefined).length, 4);
});
