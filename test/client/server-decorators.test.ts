/** Decorators of servers: passing calls on, trying once more, choosing among addresses. */
import t from 'tap';
import { AnyAddressServer } from '#client/any-address-server.js';
import { RetryingServer } from '#client/retrying-server.js';
import type { CallOptions, StorageServer } from '#client/storage-server.js';
import { TahoeError } from '#core/errors.js';
import type { StorageVersion } from '#wire/storage.js';
import { ManualClock } from '#test/fixtures/clock.js';
import { MemoryServer } from '#test/fixtures/memory-server.js';

const storageIndex = new Uint8Array(16).fill(9);
const uploadSecret = new Uint8Array(20);
const writeEnabler = new Uint8Array(32);
const secrets = { renewSecret: new Uint8Array(32), cancelSecret: new Uint8Array(32) };

function connectionClosed(keptAlive: boolean, replyBegun: boolean): TahoeError {
  return new TahoeError('ERR_CONNECTION_CLOSED', { server: 'x', what: 'it', keptAlive, replyBegun });
}

const unreachable = (): TahoeError => new TahoeError('ERR_CONNECT', { server: 'x', reason: 'gone' });
const versionOf = (applicationVersion: string): StorageVersion => ({
  maximumImmutableShareSize: 1,
  maximumMutableShareSize: 1,
  availableSpace: 1,
  applicationVersion,
});

const oneChunk: AsyncIterable<Uint8Array> = (async function* () {
  await Promise.resolve();
  yield new Uint8Array(2);
})();

/** All operations, with the names they have. */
const operations: Readonly<Record<string, (server: StorageServer, options?: CallOptions) => Promise<unknown>>> = {
  version: (server, options) => server.version(options),
  listShares: (server, options) => server.listShares(storageIndex, options),
  readBeginnings: async (server, options) =>
    server.readBeginnings?.(storageIndex, { beginning: 100, end: 10 }, options),
  read: (server, options) => server.read(storageIndex, 1, { begin: 0, end: 2 }, options),
  allocate: (server, options) =>
    server.allocate(storageIndex, { shareNumbers: new Set([1]), allocatedSize: 2, uploadSecret, ...secrets }, options),
  write: (server, options) => server.write(storageIndex, 1, uploadSecret, 0, [new Uint8Array(2)], options),
  streamWrite: (server, options) =>
    server.streamWrite(storageIndex, 1, uploadSecret, { begin: 0, end: 2 }, oneChunk, options),
  abort: (server, options) => server.abort(storageIndex, 2, uploadSecret, options),
  addLease: (server, options) => server.addLease(storageIndex, secrets, options),
  reportCorrupt: (server, options) => server.reportCorrupt(storageIndex, 1, 'bad', options),
  readTestWrite: (server, options) =>
    server.readTestWrite(storageIndex, { shares: new Map(), reads: [], writeEnabler, ...secrets }, options),
  listMutableShares: (server, options) => server.listMutableShares(storageIndex, options),
  readMutable: (server, options) => server.readMutable(storageIndex, 1, { begin: 0, end: 2 }, options),
  reportMutableCorrupt: (server, options) => server.reportMutableCorrupt(storageIndex, 1, 'bad', options),
};

/** A server that fails with each of `failures` in turn, then answers with the arguments it was given. */
function failing(...failures: Error[]): { server: StorageServer; calls: { name: string; args: unknown[] }[] } {
  const calls: { name: string; args: unknown[] }[] = [];
  const methods = Object.keys(operations).map((name) => [
    name,
    (...args: unknown[]): Promise<unknown> => {
      calls.push({ name, args });
      const failure = failures.shift();
      return failure === undefined ? Promise.resolve(name) : Promise.reject(failure);
    },
  ]);
  return { server: Object.assign(new MemoryServer('failing'), Object.fromEntries(methods) as object), calls };
}

t.test('every operation is passed on with its arguments and options', async (t) => {
  const signal = new AbortController().signal;
  for (const [name, call] of Object.entries(operations)) {
    const direct = failing();
    await call(direct.server, { signal });
    const { server, calls } = failing();
    const decorated = new RetryingServer(server, new ManualClock());
    t.equal(await call(decorated, { signal }), name);
    t.same(calls, direct.calls, name);
    t.equal(decorated.serverId, 'v0-failing');
    t.equal(decorated.shortName, 'failing');
    t.same([decorated.permutationSeed, decorated.tubId], [server.permutationSeed, server.tubId]);
  }
});

t.test('what is tried once more', async (t) => {
  const readOnly = ['version', 'listShares', 'readBeginnings', 'read', 'listMutableShares', 'readMutable'];
  const onceOnly = ['streamWrite', 'readTestWrite'];
  const failures: readonly [string, () => Error, (name: string) => boolean][] = [
    [
      'a kept-alive connection that closed before a reply',
      () => connectionClosed(true, false),
      (name) => !onceOnly.includes(name),
    ],
    ['a new connection that closed', () => connectionClosed(false, false), (name) => readOnly.includes(name)],
    ['one that closed in the middle', () => connectionClosed(true, true), (name) => readOnly.includes(name)],
    ['no connection', unreachable, () => false],
    ['a deadline', () => new TahoeError('ERR_TIMEOUT', { what: 'it', timeoutMs: 5 }), () => false],
    ['a refusal', () => new TahoeError('ERR_SERVER_REPLY', { server: 'x', what: 'it', reason: 'no' }), () => false],
    ['a mistake of ours', () => new TypeError('oops'), () => false],
  ];
  for (const [what, failure, expected] of failures) {
    for (const [name, call] of Object.entries(operations)) {
      const error = failure();
      const once = failing(error);
      const retrying = new RetryingServer(once.server, new ManualClock());
      const outcome = await call(retrying).catch((caught: unknown) => caught);
      t.equal(outcome, expected(name) ? name : error, `${what}: ${name}`);
      t.equal(once.calls.length, expected(name) ? 2 : 1);
      const twice = failing(failure(), failure());
      await t.rejects(call(new RetryingServer(twice.server, new ManualClock())), Error, 'never a third time');
    }
  }
});

t.test('the second try has what the first left of the time', async (t) => {
  const clock = new ManualClock();
  for (const [tookMs, leftMs] of [
    [300, 700],
    [999, 1],
    [1000, undefined],
    [5000, undefined],
  ] as const) {
    const { server, calls } = failing();
    let first = true;
    const inner = Object.assign(new MemoryServer('slow'), {
      version(options: CallOptions): Promise<unknown> {
        if (!first) return server.version(options);
        first = false;
        clock.advance(tookMs);
        return Promise.reject(connectionClosed(true, false));
      },
    });
    await new RetryingServer(inner, clock).version({ timeoutMs: 1000 }).catch(() => undefined);
    t.equal((calls[0]?.args[0] as CallOptions | undefined)?.timeoutMs, leftMs, `after ${String(tookMs)} ms`);
  }
  const { server, calls } = failing(connectionClosed(true, false));
  const signal = AbortSignal.abort();
  await t.rejects(new RetryingServer(server, clock).version({ signal }), { code: 'ERR_CONNECTION_CLOSED' });
  t.equal(calls.length, 1, 'not for one who has left');
});

t.test('closing a decorator closes what it decorates', async (t) => {
  let closed = 0;
  const inner = (): StorageServer =>
    Object.assign(new MemoryServer('x'), { close: () => Promise.resolve(void (closed += 1)) });
  await new RetryingServer(inner(), new ManualClock()).close();
  t.equal(closed, 1);
  const servers = [inner(), inner(), inner()];
  await new AnyAddressServer(new MemoryServer('x'), servers).close();
  t.equal(closed, 4);
});

/** An address whose version request the test ends, and which then answers reads with its name. */
class Address extends MemoryServer {
  readonly signals: AbortSignal[] = [];
  #settle: ((error?: Error) => void)[] = [];

  override version(options: CallOptions = {}): Promise<StorageVersion> {
    return new Promise((resolve, reject) => {
      if (options.signal !== undefined) this.signals.push(options.signal);
      options.signal?.addEventListener('abort', () => {
        reject(new TahoeError('ERR_CANCELLED', { what: 'it' }));
      });
      this.#settle.push((error) => {
        if (error === undefined) resolve(versionOf(this.shortName));
        else reject(error);
      });
    });
  }

  override listShares(): Promise<ReadonlySet<number>> {
    this.requests.push('listShares');
    return Promise.resolve(new Set([Number(this.shortName)]));
  }

  answer(error?: Error): void {
    for (const settle of this.#settle.splice(0)) settle(error);
  }
}

t.test('of several addresses the first that answers is used, until it cannot be reached', async (t) => {
  const addresses = [new Address('1'), new Address('2'), new Address('3')] as const;
  const server = new AnyAddressServer(new MemoryServer('server'), addresses);
  const asked = server.listShares(storageIndex);
  addresses[0].answer(unreachable());
  addresses[2].answer();
  t.same(await asked, new Set([3]));
  t.equal(addresses[1].signals[0]?.aborted, true, 'the loser is let go');
  t.same(await server.listShares(storageIndex), new Set([3]), 'no second race');
  t.equal(addresses[0].signals.length, 1);

  const error = unreachable();
  addresses[2].listShares = () => Promise.reject(error);
  await t.rejects(server.listShares(storageIndex), error);
  const again = server.listShares(storageIndex);
  addresses[1].answer();
  t.same(await again, new Set([2]), 'a new race');
  addresses[1].listShares = () => Promise.reject(connectionClosed(true, true));
  await t.rejects(server.listShares(storageIndex), { code: 'ERR_CONNECTION_CLOSED' });
  await t.rejects(server.listShares(storageIndex), { code: 'ERR_CONNECTION_CLOSED' }, 'other failures change nothing');
});

t.test('when no address answers, a wrong key is what is told', async (t) => {
  const addresses = [new Address('1'), new Address('2')] as const;
  const server = new AnyAddressServer(new MemoryServer('server'), addresses);
  const first = server.version();
  addresses[0].answer(unreachable());
  addresses[1].answer(new TahoeError('ERR_PIN', { server: 'x' }));
  await t.rejects(first, { code: 'ERR_PIN' });
  const second = server.version();
  for (const address of addresses) address.answer(unreachable());
  await t.rejects(second, { code: 'ERR_CONNECT' });
  const cancelling = new AbortController();
  const third = server.version({ signal: cancelling.signal });
  cancelling.abort();
  await t.rejects(third, { code: 'ERR_CANCELLED' });
});
