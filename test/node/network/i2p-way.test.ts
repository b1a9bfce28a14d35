/** The way through I2P: names are for the router to look up, sessions are kept, and a bad router is a sentence. */
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import type { Test } from 'tap';
import { destinationOf } from '#client/dialler.js';
import { silentLog } from '#core/environment.js';
import type { Clock } from '#core/environment.js';
import { systemClock } from '#node/clock.js';
import { nodeRandom } from '#node/keypair.js';
import { I2pWay, readI2pKey } from '#node/network/i2p-way.js';
import { decodeI2pKey, parseI2pKey, parseSamReply, SAM_LINE_LENGTH_MAX, samRequest } from '#wire/sam.js';
import { ManualClock } from '../../fixtures/clock.js';
import type { LineServer } from '../../fixtures/network/line-server.js';
import { DOUBLE_DESTINATION, DOUBLE_I2P_KEY, startSam } from '../../fixtures/network/sam-double.js';

const { signal } = new AbortController();
const host = `${'a'.repeat(52)}.b32.i2p`;

async function startRouter(t: Test, ...given: Parameters<typeof startSam>): Promise<LineServer> {
  const router = await startSam(...given);
  t.teardown(() => router.close());
  return router;
}

function wayTo(t: Test, { port }: { port: number }, key?: string, clock: Clock = systemClock): I2pWay {
  const settings = { sam: { host: '127.0.0.1', port }, destination: undefined };
  const way = new I2pWay({ settings, dangerousKey: () => Promise.resolve(key), clock, random: nodeRandom });
  t.teardown(() => way.close());
  return way;
}

async function startEcho(t: Test): Promise<number> {
  const server = createServer((socket) => socket.on('error', () => undefined).pipe(socket));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  return (server.address() as AddressInfo).port;
}

t.test('lines of SAM', (t) => {
  const reply = parseSamReply('STREAM STATUS RESULT=CANT_REACH_PEER MESSAGE="a \\"b\\" \\\\" X=');
  t.equal(reply.topic, 'STREAM STATUS');
  t.strictSame(
    [...reply.options],
    [
      ['RESULT', 'CANT_REACH_PEER'],
      ['MESSAGE', 'a "b" \\'],
      ['X', ''],
    ],
  );
  for (const bad of ['', 'HELLO', 'HTTP/1.1 400 Bad', 'hello reply', 'STREAM STATUSRESULT=OK']) {
    t.throws(() => parseSamReply(bad), { code: 'ERR_MESSAGE' }, bad);
  }
  for (const bad of ['', 'a b', 'x\nSTREAM FORWARD', 'a'.repeat(254)]) {
    t.throws(() => samRequest.lookUp(bad), { code: 'ERR_MESSAGE' }, bad);
  }
  for (const bad of [undefined, '', 'A'.repeat(511), `${'A'.repeat(600)} X=1`]) {
    t.throws(() => parseI2pKey(bad), { code: 'ERR_MESSAGE' }, String(bad));
  }
  t.equal(decodeI2pKey(DOUBLE_DESTINATION).length, 385);
  fc.assert(
    fc.property(fc.string(), (line) => {
      try {
        return typeof parseSamReply(line).topic === 'string';
      } catch (error) {
        return (error as { code?: string }).code === 'ERR_MESSAGE';
      }
    }),
  );
  t.end();
});

t.test('streams go through one session', async (t) => {
  const router = await startRouter(t, new Map([[host, await startEcho(t)]]));
  const way = wayTo(t, router);
  for (const word of ['one', 'two']) {
    const socket = await way.dial(destinationOf(host, 0), signal);
    socket.write(word);
    const [piece] = (await once(socket, 'data')) as [Buffer];
    t.equal(piece.toString(), word);
    socket.destroy();
  }
  const sessions = router.lines.filter((line) => line.startsWith('SESSION'));
  t.match(sessions, [/^SESSION CREATE STYLE=STREAM ID=tallac-[0-9a-f]{16} DESTINATION=TRANSIENT SIGNATURE_TYPE=7$/]);
  router.dropAll();
  await router.until(() => router.sockets.size === 0);
  while (router.lines.filter((line) => line.startsWith('SESSION')).length < 2) {
    await way.dial(destinationOf(host, 0), signal).then(
      (socket) => socket.destroy(),
      () => undefined,
    );
  }
  t.pass('a session that is gone is made anew');
});

t.test('a router that does not get there, or is none, is a sentence', async (t) => {
  const ports = new Map([
    [host, 1],
    ['down.i2p', 1],
  ]);
  const cases: [own: Parameters<typeof startSam>[1], message: RegExp][] = [
    [undefined, /STREAM STATUS is CANT_REACH_PEER: no "way"/],
    [(line) => (line.startsWith('NAMING') ? 'NAMING REPLY RESULT=KEY_NOT_FOUND\n' : undefined), /is KEY_NOT_FOUND/],
    [(line) => (line.startsWith('SESSION') ? 'SESSION STATUS RESULT=DUPLICATED_DEST\n' : undefined), /DUPLICATED_DEST/],
    [() => 'HELLO REPLY RESULT=NOVERSION\n', /HELLO REPLY is NOVERSION/],
    [() => 'SESSION STATUS RESULT=OK\n', /it says SESSION STATUS where HELLO REPLY is expected/],
    [() => ({ end: 'HTTP/1.1 400 Bad Request\r\n' }), /it does not speak SAM/],
    [() => ({ end: 'HELLO REP' }), /closed the connection/],
    [() => 'x'.repeat(SAM_LINE_LENGTH_MAX + 1), /a line that is too long/],
  ];
  for (const [own, message] of cases) {
    const router = await startRouter(t, ports, own);
    const way = wayTo(t, router);
    await t.rejects(way.dial(destinationOf(host, 0), signal), { code: 'ERR_PROXY', message }, String(message));
    await way.close();
    await router.until(() => router.sockets.size === 0);
  }
  await t.rejects(wayTo(t, { port: 1 }).dial(destinationOf(host, 0), signal), {
    code: 'ERR_PROXY',
    message: /^the I2P router at tcp:127.0.0.1:1 cannot be used: /,
  });
});

t.test('one that says nothing is given up in time', async (t) => {
  const router = await startRouter(t, new Map(), () => null);
  const clock = new ManualClock();
  const dialling = wayTo(t, router, undefined, clock).dial(destinationOf(host, 0), signal);
  await router.until(() => router.lines.length === 1);
  clock.advance(120_000);
  await t.rejects(dialling, { code: 'ERR_TIMEOUT' });
  await router.until(() => router.sockets.size === 0);
});

t.test('a destination of its own is forwarded to a port', async (t) => {
  const router = await startRouter(t, new Map());
  const way = wayTo(t, router, DOUBLE_I2P_KEY);
  const forwarding = way.forwarding(4545, silentLog);
  forwarding.start();
  await router.until(() => router.lines.some((line) => /^STREAM FORWARD ID=\S+ PORT=4545 SILENT=true$/.test(line)));
  t.ok(router.lines.some((line) => line.includes(`DESTINATION=${DOUBLE_I2P_KEY} `)));
  while (!forwarding.isUp) await new Promise((resolve) => setImmediate(resolve));
  await forwarding.close();
  await way.close();
  await router.until(() => router.sockets.size === 0);
  const folder = t.testdir({ good: `${DOUBLE_I2P_KEY}\n`, bad: 'x' });
  t.equal(await readI2pKey(join(folder, 'good')), DOUBLE_I2P_KEY);
  for (const name of ['bad', 'absent']) await t.rejects(readI2pKey(join(folder, name)), { code: 'ERR_FILE' }, name);
});
