/** Uploads on a grid in memory: placement, happiness, servers that refuse, fail, hang or lie. */
import t from 'tap';
import { UploadTurns } from '#client/upload/upload-turns.js';
import { equalBytes, toHex } from '#core/bytes.js';
import { TahoeError } from '#core/errors.js';
import { serversOfHappiness } from '#core/happiness.js';
import { settle } from '../fixtures/clock.js';
import { crypto, seededBytes, seededRandom } from '../fixtures/crypto.js';
import { MemoryGrid } from '../fixtures/memory-grid.js';
import { hang, MemoryServer } from '../fixtures/memory-server.js';

const plaintext = seededBytes('upload', 3_000_000);

t.test('files of up to 55 bytes are their own capability and touch no server', async (t) => {
  const grid = new MemoryGrid(3);
  for (const size of [0, 1, 55]) {
    const { capability, pushedShares } = await grid.upload(seededBytes('literal', size));
    t.match({ kind: capability.kind, pushedShares }, { kind: 'lit', pushedShares: 0 });
    t.ok(capability.kind === 'lit' && equalBytes(capability.data, seededBytes('literal', size)));
  }
  t.equal((await grid.upload(seededBytes('literal', 56))).capability.kind, 'chk');
  t.notOk(grid.servers.some((server) => server.requests.length > 20));
});

t.test('every share on a server of its own; the same file again sends nothing', async (t) => {
  const grid = new MemoryGrid(10);
  const first = await grid.upload(plaintext);
  t.equal(first.pushedShares, 10);
  t.equal(serversOfHappiness(first.holdings), 10);
  t.same(
    grid.servers.map((server) => server.shares.size),
    new Array(10).fill(1),
  );
  const again = await grid.upload(plaintext);
  t.match({ pushed: again.pushedShares, old: again.preexistingShares }, { pushed: 0, old: 10 });
  t.same(again.capability, first.capability);
  t.ok(
    grid.servers.every((server) => server.leases.size === 1),
    'one lease each, by the same secrets',
  );
  t.notOk(grid.servers.some((server) => server.uploads.size > 0));
});

t.test('without a convergence secret equal files get different keys', async (t) => {
  const grid = new MemoryGrid(10);
  const context = { ...grid.context, convergenceSecret: undefined };
  Object.defineProperty(grid, 'context', { value: context });
  const [a, b] = [await grid.uploadChk(plaintext), await grid.uploadChk(plaintext)];
  t.notOk(equalBytes(a.readKey, b.readKey));
  t.ok(equalBytes(await grid.download(b), plaintext));
});

t.test('full and failing servers are passed over while the file can be happy', async (t) => {
  const grid = new MemoryGrid(12);
  const [full, broken, deaf] = grid.servers;
  if (!full || !broken || !deaf) throw new RangeError('twelve servers');
  full.space = 0;
  broken.allocate = () => Promise.reject(broken.refusal('allocate'));
  deaf.listShares = (_index, options) =>
    Promise.reject(new TahoeError('ERR_TIMEOUT', { what: 'list', timeoutMs: options?.timeoutMs ?? 0 }));
  const { holdings } = await grid.upload(plaintext);
  t.equal(serversOfHappiness(holdings), 9);
  t.equal(new Set([...holdings.values()].flatMap((shares) => [...shares])).size, 10, 'all ten shares are out');
  t.same([full.shares.size, broken.shares.size, deaf.shares.size], [0, 0, 0]);
});

t.test('too few servers: one sentence with the reasons, and everything reserved is given back', async (t) => {
  const grid = new MemoryGrid(8);
  for (const server of grid.servers.slice(0, 3)) server.space = 0;
  await t.rejects(grid.upload(plaintext), {
    code: 'ERR_UNHAPPY',
    facts: { happy: 7, reached: 5, needed: 3, total: 10 },
    message: /server0: it took no share/,
  });
  t.ok(grid.servers.every((server) => server.shares.size === 0 && server.uploads.size === 0));
  await t.rejects(new MemoryGrid(0).upload(plaintext), { code: 'ERR_NO_SERVERS' });
});

t.test('a server that dies in the middle is given up; one too many fails the upload', async (t) => {
  const long = seededBytes('long', 9_000_000);
  for (const [deaths, outcome] of [
    [3, 'stored'],
    [4, 'refused'],
  ] as const) {
    const grid = new MemoryGrid(10);
    for (const server of grid.servers.slice(0, deaths)) {
      let writes = 0;
      const write = server.write.bind(server);
      server.write = (...args) => (++writes > 1 ? Promise.reject(server.refusal('write')) : write(...args));
    }
    if (outcome === 'stored') {
      const { holdings } = await grid.upload(long);
      t.equal(serversOfHappiness(holdings), 7);
    } else {
      await t.rejects(grid.upload(long), { code: 'ERR_UNHAPPY', message: /no usable answer to write/ });
      t.ok(
        grid.servers.every((server) => server.uploads.size === 0),
        'nothing is left half-written',
      );
    }
  }
});

t.test('servers that like it get each share as one long request, with the same bytes', async (t) => {
  const long = seededBytes('streamed', 9_000_000);
  const batches = new MemoryGrid(10);
  const capability = await batches.uploadChk(long);
  const streams = new MemoryGrid(10);
  for (const server of streams.servers) server.takesStreams = true;
  t.same(await streams.uploadChk(long), capability);
  for (const [i, { shares }] of streams.servers.entries()) {
    const others = batches.servers[i]?.shares;
    t.ok([...shares].every(([place, share]) => equalBytes(share, others?.get(place) ?? new Uint8Array(0))));
  }
  const [deaf, stuck] = streams.servers;
  if (!deaf || !stuck) throw new RangeError('ten servers');
  deaf.write = () => Promise.reject(deaf.refusal('write'));
  stuck.write = (_index, _share, _secret, _offset, _parts, options) => hang(options);
  const upload = streams.upload(seededBytes('another', 9_000_000));
  await settle(500);
  streams.clock.advance(15_000);
  t.equal(serversOfHappiness((await upload).holdings), 8, 'the others go on without a deaf and a stuck one');
  t.notOk(streams.servers.some((server) => server.uploads.size > 0));
});

t.test('a server that stops answering is given up when it has kept the others waiting', async (t) => {
  const grid = new MemoryGrid(10);
  const [stuck] = grid.servers;
  if (!stuck) throw new RangeError('ten servers');
  stuck.write = (_index, _share, _secret, _offset, _parts, options) => hang(options);
  const upload = grid.upload(plaintext);
  await settle(200);
  t.equal(grid.clock.pending, 1, 'the upload waits for the straggler');
  grid.clock.advance(15_000);
  const { holdings } = await upload;
  t.notOk(holdings.get(stuck.serverId)?.size);
  t.equal(serversOfHappiness(holdings), 9);
  t.equal(stuck.uploads.size, 0, 'its reservation was given back');
});

t.test('a server that never calls its share complete does not count', async (t) => {
  const grid = new MemoryGrid(7);
  for (const server of grid.servers) {
    const write = server.write.bind(server);
    server.write = async (...args) => {
      await write(...args);
      return { complete: false };
    };
  }
  await t.rejects(grid.upload(plaintext), { code: 'ERR_UNHAPPY', message: /does not call the share complete/ });
});

t.test('memory: what is under way is bounded by the slowest server, not by the file', async (t) => {
  const grid = new MemoryGrid(10);
  const [slow] = grid.servers;
  if (!slow) throw new RangeError('ten servers');
  let release: () => void = () => undefined;
  const write = slow.write.bind(slow);
  slow.write = async (...args) => {
    await new Promise<void>((resolve) => (release = resolve));
    return write(...args);
  };
  let encoded = 0;
  const { uploadFile } = await import('#client/upload/upload.js');
  const { pieces } = await import('../fixtures/memory-grid.js');
  const big = seededBytes('big', 40_000_000);
  const upload = uploadFile(grid.context, pieces(big), {
    signal: new AbortController().signal,
    progress: (bytes) => (encoded = bytes),
  });
  for (let i = 0; i < 50; i++) await settle();
  t.ok(encoded > 0 && encoded < 16_000_000, `${String(encoded)} bytes were encoded while one server stands still`);
  const pump = setInterval(() => release(), 1);
  const { pushedShares } = await upload;
  clearInterval(pump);
  t.equal(pushedShares, 10);
});

t.test('cancelling stops at once and gives everything back', async (t) => {
  const grid = new MemoryGrid(10);
  for (const server of grid.servers) server.write = (_i, _n, _s, _o, _p, options) => hang(options);
  const controller = new AbortController();
  const upload = grid.upload(plaintext, controller.signal);
  await settle(100);
  controller.abort();
  await t.rejects(upload, { code: 'ERR_CANCELLED' });
  t.ok(grid.servers.every((server) => server.uploads.size === 0));
  t.equal(grid.clock.pending, 0, 'no timer is left');
});

t.test('input that breaks off, and a spool that is full, fail without a trace', async (t) => {
  const grid = new MemoryGrid(10);
  const { uploadFile } = await import('#client/upload/upload.js');
  async function* broken(): AsyncGenerator<Uint8Array> {
    yield plaintext.subarray(0, 2_000_000);
    await Promise.resolve();
    throw new Error('the reader went away');
  }
  const options = { signal: new AbortController().signal };
  await t.rejects(uploadFile(grid.context, broken(), options), { message: 'the reader went away' });
  let closed = 0;
  const openSpool = (): ReturnType<typeof grid.context.openSpool> =>
    Promise.resolve({
      append: () => Promise.reject(new TahoeError('ERR_NO_SPACE', { where: 'the spool' })),
      read: () => Promise.resolve(new Uint8Array(0)),
      close: () => {
        closed++;
        return Promise.resolve();
      },
    });
  await t.rejects(
    uploadFile({ ...grid.context, openSpool }, [plaintext] as unknown as AsyncIterable<Uint8Array>, options),
    {
      code: 'ERR_NO_SPACE',
    },
  );
  t.equal(closed, 1);
  t.ok(
    grid.servers.every((server) => server.requests.length === 0),
    'no server heard of it',
  );
});

t.test('an upload that died with its node is gone on with by the next run of it', async (t) => {
  const grid = new MemoryGrid(10);
  const { servers } = grid;
  // The node dies in the middle: nobody is told.
  for (const server of servers) {
    server.write = () => hang();
    server.abort = () => Promise.resolve();
  }
  const dying = new AbortController();
  const died = grid.upload(plaintext, dying.signal);
  while (servers.some(({ uploads }) => uploads.size === 0)) await settle();
  dying.abort();
  await t.rejects(died, { code: 'ERR_CANCELLED' });
  for (const server of servers) {
    Reflect.deleteProperty(server, 'write');
    Reflect.deleteProperty(server, 'abort');
  }
  await t.rejects(grid.upload(plaintext), { code: 'ERR_UNHAPPY' }, 'in the same run another upload may be beside it');
  Object.assign(grid.context, { uploadTurns: new UploadTurns(grid.context) });
  const { capability, pushedShares } = await grid.upload(plaintext);
  t.equal(pushedShares, 10);
  t.notOk(servers.some(({ uploads }) => uploads.size > 0));
  if (capability.kind === 'chk') t.ok(equalBytes(await grid.download(capability), plaintext));
});

t.test('uploads of one file take turns, each with secrets of its own', async (t) => {
  const turns = new UploadTurns({ crypto, random: seededRandom('secrets'), leaseSecret: new Uint8Array(32) });
  const [index, other] = [seededBytes('index', 16), seededBytes('other index', 16)];
  const [server, another] = [new MemoryServer('one'), new MemoryServer('another')];
  const { signal } = new AbortController();
  const made: Uint8Array[] = [];
  const events: string[] = [];
  const one = async (storageIndex: Uint8Array, name: string): Promise<void> =>
    turns.run(storageIndex, signal, async (secretFor) => {
      events.push(`${name} begins`);
      made.push(secretFor(server), secretFor(another));
      await settle();
      events.push(`${name} ends`);
    });
  await Promise.all([one(index, 'first'), one(index, 'second'), one(other, 'other')]);
  t.ok(events.indexOf('first ends') < events.indexOf('second begins'));
  t.ok(events.indexOf('other begins') < events.indexOf('first ends'), 'another file waits for nobody');
  t.equal(new Set(made.map((secret) => toHex(secret))).size, made.length, 'all differ');
  t.ok(made.every((secret) => secret.length === 20));
});

t.test('the same file twice at a time is sent once', async (t) => {
  const grid = new MemoryGrid(10);
  const results = await Promise.all([grid.upload(plaintext), grid.upload(plaintext)]);
  t.strictSame(
    results.map(({ pushedShares }) => pushedShares),
    [10, 0],
  );
});
