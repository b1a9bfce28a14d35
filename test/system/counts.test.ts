/**
 * What each kind of work costs, in figures that no clock has a part in: round trips that it waits for, requests to the ten
 * servers of a 3-of-10 file, connections that are given up, syncs of the servers' disks, and bytes hashed. Whoever changes
 * a figure changes it here and says why; one that grew by itself is a regression, one that shrank is to be written down.
 * Never hold a time against these.
 */
import t from 'tap';
import { CountedGrid } from '#test/fixtures/counted-grid.js';
import type { Cost } from '#test/fixtures/counted-grid.js';
import { seededBytes } from '#test/fixtures/crypto.js';
import { DistantGateway } from '#test/fixtures/distant-gateway.js';

/** Of no count; for a machine that does other things meanwhile. */
const TIMEOUT_MS = 5 * 60_000;

/** A gateway: either of the two that count. */
type Ask = CountedGrid['ask'];

interface Work {
  readonly name: string;
  readonly roundTrips: number;
  /** By operation, all servers together. */
  readonly requests: Cost['requests'];
  /** The same; none if left out. */
  readonly syncs?: Cost['syncs'];
  /** Calls of the file system, all servers together; not held where that depends on how bytes come in, or on what was given up before. */
  readonly fileCalls?: number;
  /** Bytes that the client hashes and enciphers for each byte of the file, to two digits behind the point. */
  readonly cryptoPerByte?: number;
  /** What is asked more often where answers trickle in, each server being further away than the one before it. */
  readonly uneven?: Cost['requests'];
  /** Why so many. */
  readonly why: string;
  /** Leaves in `kept` what later ones go on with. @throws when other bytes come back. */
  readonly run: (ask: Ask, kept: Map<string, string>) => Promise<void>;
}

const SMALL = 2000;
const LARGE = 3 << 20;
const small = seededBytes('a small file', SMALL);
const large = seededBytes('a large file', LARGE);
const slot = seededBytes('a slot', 1000);
const change = seededBytes('a change', 100);

/** Stores bytes and keeps the path of their capability as `name`. */
const put =
  (name: string, bytes: Uint8Array, query = ''): Work['run'] =>
  async (ask, kept) => {
    kept.set(name, `/uri/${encodeURIComponent((await ask('PUT', `/uri${query}`, bytes)).toString().trim())}`);
  };

/** Reads what is kept as `name`, or of it a range whose end is left out. */
const get =
  (name: string, bytes: Uint8Array, begin = 0, end = bytes.length): Work['run'] =>
  async (ask, kept) => {
    const range = end - begin === bytes.length ? undefined : `bytes=${String(begin)}-${String(end - 1)}`;
    const returned = await ask('GET', kept.get(name) ?? '', undefined, range);
    if (!returned.equals(bytes.subarray(begin, end))) throw new Error(`other bytes came back of ${name}`);
  };

const works: readonly Work[] = [
  {
    name: 'put 2 kB, the first of its servers',
    roundTrips: 1,
    requests: { storeShares: 10 },
    syncs: { fdatasync: 30, fsync: 10 },
    why: 'each server takes its share whole, unless it has one already; each makes its journal, which takes two more syncs',
    run: put('first', seededBytes('the first file', SMALL)),
  },
  {
    name: 'put 2 kB',
    roundTrips: 1,
    requests: { storeShares: 10 },
    syncs: { fdatasync: 10 },
    fileCalls: 100,
    why: 'as above; one sync a server, of its journal. Of ten calls a server one looks at the directory, two at the free room',
    run: put('small', small),
  },
  {
    name: 'put the same 2 kB again',
    roundTrips: 1,
    requests: { storeShares: 10 },
    syncs: { fdatasync: 20, fsync: 40 },
    why: 'every server says that it has its share, and renews its lease; a share that is only in the journal yet is settled first: its file and three directories. One of these once more, for who hears that it is there stores it nowhere else',
    run: put('small', small),
  },
  {
    name: 'get 2 kB',
    roundTrips: 1,
    requests: { readBeginnings: 5 },
    fileCalls: 25,
    why: 'two servers more than are needed are asked what they hold, and a small share comes with the answer, for five calls of the file system; servers that have not said by then are not waited for, and may say it',
    run: get('small', small),
  },
  {
    name: 'put 3 MiB',
    roundTrips: 2,
    requests: { allocate: 10, streamWrite: 10 },
    syncs: { fdatasync: 10, fsync: 30 },
    cryptoPerByte: 7.34,
    why: 'a server that reserves room says what it holds; then one long request a share; its file is synced, its directory, and the two above that. Bytes: the key, the cipher, the file, each segment, and 10/3 of blocks',
    run: put('large', large),
  },
  {
    name: 'get 3 MiB',
    roundTrips: 2,
    requests: { readBeginnings: 5, read: 9 },
    cryptoPerByte: 3,
    why: 'beginning and end of a share come with the answer to whether it is there, then three blocks of three shares. Bytes: blocks, segments, the cipher',
    run: get('large', large),
  },
  {
    name: 'a range of 3 MiB, after it was read',
    roundTrips: 1,
    requests: { read: 3 },
    why: 'the file is still open: one block of three shares',
    run: get('large', large, 1_500_000, 1_500_100),
  },
  {
    name: 'check 3 MiB and verify it',
    roundTrips: 3,
    requests: { listShares: 10, read: 40 },
    cryptoPerByte: 3.34,
    why: 'of each of ten shares its beginning and end, then two pieces of 512 KiB, both at once. Bytes: all of the shares',
    run: async (ask, kept) => {
      const answer = await ask('POST', `${kept.get('large') ?? ''}?t=check&verify=true&output=JSON`);
      const { results } = JSON.parse(answer.toString()) as { results: { healthy: boolean } };
      if (!results.healthy) throw new Error('the file is not healthy');
    },
  },
  {
    name: 'make SDMF',
    roundTrips: 1,
    requests: { readTestWrite: 10 },
    syncs: { fdatasync: 10 },
    fileCalls: 90,
    why: 'nobody else can have the key: all at once, one sync of each journal',
    run: put('slot', slot, '?format=SDMF'),
  },
  {
    name: 'overwrite SDMF',
    roundTrips: 2,
    requests: { readTestWrite: 10 },
    syncs: { fdatasync: 10 },
    fileCalls: 70,
    why: 'on top of what this node wrote itself, without a look; the first server decides, then all others',
    run: async (ask, kept) => {
      await ask('PUT', kept.get('slot') ?? '', change);
    },
  },
  {
    name: 'read SDMF',
    roundTrips: 1,
    requests: { readMutableBeginnings: 6 },
    uneven: { readMutableBeginnings: 10 },
    why: 'twice as many servers as are needed; what they have is what this node wrote. Where answers trickle in, another server is asked for each, until there are enough',
    run: get('slot', change),
  },
  {
    name: 'mkdir',
    roundTrips: 1,
    requests: { readTestWrite: 10 },
    syncs: { fdatasync: 10 },
    why: 'as an SDMF file',
    run: async (ask, kept) => {
      kept.set('directory', `/uri/${encodeURIComponent((await ask('POST', '/uri?t=mkdir')).toString().trim())}`);
    },
  },
  {
    name: 'put 2 kB into a directory',
    roundTrips: 3,
    requests: { storeShares: 10, readMutableBeginnings: 6, readTestWrite: 10 },
    syncs: { fdatasync: 20 },
    uneven: { readMutableBeginnings: 9 },
    why: 'the file, and a look at the directory meanwhile, for this node remembers it; its first server, all others',
    run: async (ask, kept) => {
      await ask('PUT', `${kept.get('directory') ?? ''}/entry`, seededBytes('an entry', SMALL));
    },
  },
  {
    name: 'list a directory',
    roundTrips: 1,
    requests: { readMutableBeginnings: 6 },
    uneven: { readMutableBeginnings: 9 },
    why: 'as reading SDMF',
    run: async (ask, kept) => {
      await ask('GET', `${kept.get('directory') ?? ''}?t=json`);
    },
  },
  {
    name: 'make MDMF of 3 MiB',
    roundTrips: 1,
    requests: { readTestWrite: 10 },
    syncs: { fdatasync: 10, fsync: 30 },
    cryptoPerByte: 4.36,
    why: 'as SDMF; too large for journals, so each is a file in its directory',
    run: put('parts', large, '?format=MDMF'),
  },
  {
    name: 'change 100 B of MDMF',
    roundTrips: 3,
    requests: { readMutable: 9, readTestWrite: 10 },
    syncs: { fdatasync: 10, fsync: 10 },
    why: 'the records of the changed segment and the hashes beside them from three shares; the first server, all others',
    run: async (ask, kept) => {
      await ask('PUT', `${kept.get('parts') ?? ''}?offset=1000`, change);
    },
  },
  {
    name: 'read MDMF of 3 MiB',
    roundTrips: 3,
    requests: { readMutableBeginnings: 6, readMutable: 21 },
    uneven: { readMutableBeginnings: 10 },
    why: 'one request for each four of 24 segments of three shares, and one of each for the hashes',
    run: get('parts', Buffer.concat([large.subarray(0, 1000), change, large.subarray(1100)])),
  },
];

t.setTimeout(TIMEOUT_MS);
t.test('round trips, and what is asked', { timeout: TIMEOUT_MS }, async (t) => {
  const gateway = new DistantGateway();
  t.teardown(() => gateway.close());
  const kept = new Map<string, string>();
  for (const { name, requests, roundTrips, run } of works) {
    const cost = await gateway.cost(() => run((...asked) => gateway.ask(...asked), kept));
    t.same(cost, { roundTrips, requests, givenUp: {} }, name);
  }
});

t.test('where servers are not equally near', { timeout: TIMEOUT_MS }, async (t) => {
  const gateway = new DistantGateway(10);
  t.teardown(() => gateway.close());
  const kept = new Map<string, string>();
  for (const { name, requests, run, uneven } of works) {
    const cost = await gateway.cost(() => run((...asked) => gateway.ask(...asked), kept));
    const expected = { requests: { ...requests, ...uneven }, givenUp: {} };
    t.same({ requests: cost.requests, givenUp: cost.givenUp }, expected, name);
  }
});

/** The others: how many servers are asked may depend on when their answers come. */
function without(operations: Cost['requests'], requests: Cost['requests']): Cost['requests'] {
  return Object.fromEntries(Object.entries(requests).filter(([name]) => !(name in operations)));
}

t.test('requests over HTTPS, syncs, and bytes hashed', { timeout: TIMEOUT_MS }, async (t) => {
  const grid = await CountedGrid.start(t);
  const kept = new Map<string, string>();
  for (const { name, requests, syncs = {}, fileCalls, cryptoPerByte, uneven = {}, run } of works) {
    const cost = await grid.cost(() => run((...asked) => grid.ask(...asked), kept));
    t.same(without(uneven, cost.requests), without(uneven, requests), `${name}: requests`);
    t.same(cost.syncs, syncs, `${name}: syncs`);
    if (fileCalls !== undefined) t.equal(cost.fileCalls, fileCalls, `${name}: calls of the file system`);
    if (cryptoPerByte === undefined) continue;
    t.equal(Math.round((cost.cryptoSize / LARGE) * 100) / 100, cryptoPerByte, `${name}: bytes hashed and enciphered`);
  }
});

t.test('many small files at once share requests and syncs', { timeout: TIMEOUT_MS }, async (t) => {
  const grid = await CountedGrid.start(t);
  await grid.ask('PUT', '/uri', small); // each server makes its journal
  const files = Array.from({ length: 40 }, (_, number) => seededBytes(`one of many ${String(number)}`, SMALL));
  let paths: string[] = [];
  const { requests, syncs } = await grid.cost(async () => {
    const capabilities = await Promise.all(files.map((bytes) => grid.ask('PUT', '/uri', bytes)));
    paths = capabilities.map((capability) => `/uri/${encodeURIComponent(capability.toString().trim())}`);
  });
  // Ten servers and a share of each file: alone it would be 400 of either. How many wait together depends on the machine.
  t.strictSame(Object.keys(requests), ['storeShares']);
  t.ok((requests['storeShares'] ?? 0) <= 200, `${String(requests['storeShares'])} requests`);
  t.ok((syncs['fdatasync'] ?? 0) <= 200, `${String(syncs['fdatasync'])} syncs`);
  for (const [number, path] of paths.entries()) {
    t.ok((await grid.ask('GET', path)).equals(files[number] ?? small), `file ${String(number)} comes back`);
  }
});
