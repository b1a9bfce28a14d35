/** The gateway client: deadlines that count only the gateway's time, back-pressure, cancelling, the welcome page. */
import { Readable } from 'node:stream';
import { setImmediate as nextTurn } from 'node:timers/promises';
import t from 'tap';
import { TahoeError } from '#core/errors.js';
import { GatewayClient, defaultGatewayLimits, sentenceOf } from '#cli/gateway-client.js';
import { ManualClock } from '#test/fixtures/clock.js';
import { CAPABILITY, CONTENT, deadAddress, reply, startGateway, startServer } from './fixtures/fake-gateway.js';

const { idleMs, answerMs } = defaultGatewayLimits;

interface Ending {
  teardown(action: () => Promise<void>): void;
}

function clientOf(test: Ending, address: string): { client: GatewayClient; clock: ManualClock } {
  const clock = new ManualClock();
  const client = new GatewayClient(new URL(address), { clock });
  test.teardown(() => client.close());
  return { client, clock };
}

/** Lets the event loop turn until `isThere`. */
async function until(isThere: () => boolean): Promise<void> {
  while (!isThere()) await nextTurn();
}

t.test('a gateway that does not begin its answer', async (t) => {
  let asked = false;
  const address = await startServer(t, () => {
    asked = true;
  });
  const { client, clock } = clientOf(t, address);
  const answer = client.get(`uri/${CAPABILITY}`);
  answer.catch(() => undefined);
  await until(() => asked);
  clock.advance(answerMs - 1);
  t.equal(clock.pending, 1);
  clock.advance(1);
  await t.rejects(answer, { code: 'ERR_TIMEOUT', message: `the gateway at ${address} gave no answer within 600 s` });
});

t.test('a gateway that stalls in the middle of a file', async (t) => {
  const address = await startServer(t, (_request, response) => {
    response.writeHead(200, { 'content-length': String(CONTENT.length) }).write(CONTENT.subarray(0, 7));
  });
  const { client, clock } = clientOf(t, address);
  const { bytes, sizeBytes } = await client.get(`uri/${CAPABILITY}`);
  t.equal(sizeBytes, CONTENT.length);
  t.same((await bytes.next()).value, CONTENT.subarray(0, 7));
  t.equal(clock.pending, 0, 'while it is our turn, no deadline runs');
  clock.advance(10 * idleMs);
  const next = bytes.next();
  next.catch(() => undefined);
  await until(() => clock.pending === 1);
  clock.advance(idleMs);
  await t.rejects(next, { code: 'ERR_TIMEOUT' });
});

t.test('a gateway that takes no more of an upload; what waits in memory is bounded', async (t) => {
  const address = await startServer(t, (request) => {
    request.pause();
  });
  const { client, clock } = clientOf(t, address);
  const PIECE = Buffer.alloc(1 << 16);
  let taken = 0;
  const endless = (async function* () {
    for (;;) {
      yield PIECE;
      taken += PIECE.length;
      await nextTurn();
    }
  })();
  const stored = client.put(endless);
  stored.catch(() => undefined);
  // Until the kernel's buffers are full: nothing more is taken in many turns of the loop.
  let before = 0;
  for (let quietTurns = 0; quietTurns < 2000; quietTurns += 1) {
    if (taken !== before) quietTurns = 0;
    before = taken;
    await nextTurn();
  }
  t.ok(taken < 32 << 20, `${String(taken)} bytes were taken`);
  clock.advance(idleMs);
  await t.rejects(stored, { code: 'ERR_TIMEOUT', message: / within 120 s$/ });
});

t.test(
  "a sender that thinks is not the gateway's fault; after the last byte its time grows with the size",
  async (t) => {
    let received = 0;
    const address = await startServer(t, (request) => {
      request.on('data', (piece: Buffer) => (received += piece.length));
    });
    const { client, clock } = clientOf(t, address);
    let end: () => void = () => undefined;
    const thinking = new Promise<void>((resolve) => (end = resolve));
    const slow = (async function* () {
      yield CONTENT;
      await thinking;
      yield Buffer.alloc(1 << 20);
    })();
    const stored = client.put(slow);
    stored.catch(() => undefined);
    await until(() => received === CONTENT.length && clock.pending === 0);
    clock.advance(10 * answerMs);
    end();
    await until(() => received === CONTENT.length + (1 << 20) && clock.pending === 1);
    clock.advance(answerMs + 4000);
    t.equal(clock.pending, 1);
    clock.advance(1000);
    await t.rejects(stored, { code: 'ERR_TIMEOUT' });
  },
);

t.test("the caller's signal and the caller's errors come through as they are", async (t) => {
  const address = await startServer(t, (request) => {
    request.resume();
  });
  const { client, clock } = clientOf(t, address);
  const controller = new AbortController();
  const cancelled = client.get(`uri/${CAPABILITY}`, { signal: controller.signal });
  cancelled.catch(() => undefined);
  controller.abort(new TahoeError('ERR_CANCELLED', { what: 'this' }));
  await t.rejects(cancelled, { code: 'ERR_CANCELLED' });
  await t.rejects(client.get(`uri/${CAPABILITY}`, { signal: controller.signal }), { code: 'ERR_CANCELLED' });
  const failing = (async function* () {
    yield CONTENT;
    await nextTurn();
    throw new TahoeError('ERR_FILE', { file: 'it', reason: 'unreadable' });
  })();
  await t.rejects(client.put(failing), { code: 'ERR_FILE' });
  t.equal(clock.pending, 0);
});

t.test('a download that is not read to its end frees the connection', async (t) => {
  let isClosed = false;
  const address = await startServer(t, (_request, response) => {
    response.once('close', () => (isClosed = true));
    response.writeHead(200).write(CONTENT);
  });
  const { client, clock } = clientOf(t, address);
  const { bytes } = await client.get(`uri/${CAPABILITY}`);
  for await (const piece of bytes) {
    t.same(piece, CONTENT);
    break;
  }
  await until(() => isClosed);
  t.equal(clock.pending, 0);
});

t.test("without any length the end is believed; a capability's size is not overruled", async (t) => {
  const address = await startServer(t, (_request, response) => {
    response.writeHead(200).end(CONTENT);
  });
  const { client } = clientOf(t, address);
  const read = async (sizeBytes?: number): Promise<number> => {
    let size = 0;
    for await (const piece of (await client.get(`uri/${CAPABILITY}`, { sizeBytes })).bytes) size += piece.length;
    return size;
  };
  t.equal(await read(), CONTENT.length);
  t.equal(await read(CONTENT.length), CONTENT.length);
  await t.rejects(read(CONTENT.length + 1), { code: 'ERR_GATEWAY_CUT', facts: { received: CONTENT.length } });
  await t.rejects(read(CONTENT.length - 1), { code: 'ERR_GATEWAY_CUT' });
});

t.test('connected servers are counted by their status', async (t) => {
  const statuses = ['connected', 'Connected to 127.0.0.1:1 via tcp', 'connecting', 'nothing listens', 7, null];
  const servers = [...statuses.map((connection_status) => ({ connection_status })), null, 'text'];
  const { address, seen } = await startGateway(t, reply(200, JSON.stringify({ servers })));
  t.equal(await clientOf(t, address).client.connectedServerCount(), 2);
  t.match(seen, [{ method: 'GET', url: '/?t=json' }]);
  for (const body of ['', 'null', '[]', '{}', '{"servers":{}}', 'no JSON']) {
    const { address } = await startGateway(t, reply(200, body));
    const count = clientOf(t, address).client.connectedServerCount();
    await t.rejects(count, { code: 'ERR_GATEWAY_REPLY', message: /not the JSON of a welcome page/ }, body);
  }
  const refusing = await startGateway(t, reply(500, 'no'));
  await t.rejects(clientOf(t, refusing.address).client.connectedServerCount(), { code: 'ERR_GATEWAY_REPLY' });
});

t.test('an address keeps its path and hides its password', async (t) => {
  const { address, seen } = await startGateway(t, reply(410, 'gone'));
  const url = new URL(address);
  url.pathname = '/grid';
  url.password = 'secret';
  url.username = 'me';
  const { client } = clientOf(t, url.href);
  t.equal(client.address, address);
  await t.rejects(client.get('uri/URI%3ALIT%3A'), { code: 'ERR_GATEWAY_REPLY' });
  t.match(seen, [{ url: '/grid/uri/URI%3ALIT%3A' }]);
});

t.test('nobody there', async (t) => {
  const address = await deadAddress();
  const { client, clock } = clientOf(t, address);
  const unreachable = { code: 'ERR_GATEWAY', facts: { address, reason: 'nothing listens there' } };
  await t.rejects(client.get(`uri/${CAPABILITY}`), unreachable);
  await t.rejects(client.put(Readable.from([CONTENT])), unreachable);
  t.equal(clock.pending, 0);
});

t.test('what a gateway says is fit for a terminal and a log', async (t) => {
  t.equal(sentenceOf('a\r\n\u0007b\u009b2J c\n'), 'a b 2J c');
  t.equal(sentenceOf(`no shares of "${CAPABILITY}"`), 'no shares of "URI:[hidden]"');
  t.equal(sentenceOf(' \n'), 'it gives no reason');
});
