/** Which way leads where, that no other is ever taken, and what the way through a proxy does when the proxy is bad. */
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import t from 'tap';
import type { Test } from 'tap';
import { destinationOf, destinationOfNurl } from '#client/dialler.js';
import type { Destination } from '#client/dialler.js';
import { HttpListFetcher } from '#client/list-fetching.js';
import { systemClock } from '#node/clock.js';
import { nodeRandom } from '#node/keypair.js';
import { connectToOwn, directDialler } from '#node/network/direct-dialler.js';
import { makeDialler as makeWith } from '#node/network/network.js';
import type { NetworkSettings } from '#node/network/network-settings.js';
import { chooseWay } from '#node/network/node-dialler.js';
import { openRelayLink } from '#node/wormhole/relay-link.js';
import { parseNurl } from '#wire/nurl.js';
import { SocksProxy } from '../../fixtures/network/socks-proxy.js';

const makeDialler = (settings: NetworkSettings) => makeWith(settings, { clock: systemClock, random: nodeRandom });
const onion = 'abcdefghij234567.onion';
const { signal } = new AbortController();

function settingsOf(tcp: NetworkSettings['tcp'], socksPort?: number): NetworkSettings {
  const socks = socksPort === undefined ? undefined : { host: '127.0.0.1', port: socksPort };
  const tor = { socks, control: undefined, launch: false, executable: undefined, onion: undefined };
  return {
    tcp,
    hidesAddress: tcp !== 'tcp',
    tor,
    i2p: { sam: { host: '127.0.0.1', port: 1 }, destination: undefined },
  };
}

async function startProxy(t: Test): Promise<SocksProxy> {
  const proxy = await SocksProxy.start();
  t.teardown(() => proxy.close());
  return proxy;
}

async function startEcho(t: Test): Promise<number> {
  const server = createServer((socket) => socket.on('error', () => undefined).pipe(socket));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  return (server.address() as AddressInfo).port;
}

t.test('the way is chosen by the settings and the name', (t) => {
  const [tcp, tor, disabled] = [settingsOf('tcp'), settingsOf('tor'), settingsOf('disabled')];
  const plain = destinationOf('example.org', 1);
  const cases: [settings: NetworkSettings, destination: Destination, way: string][] = [
    [tcp, plain, 'tcp'],
    [tor, plain, 'tor'],
    [disabled, plain, '[connections]tcp = disabled forbids it'],
    [{ ...tcp, hidesAddress: true }, plain, 'reveal-IP-address = false forbids it'],
    [{ ...tor, tor: undefined }, plain, '[tor]enabled = false turns Tor off'],
    [{ ...tcp, i2p: undefined }, destinationOf('x.i2p', 0), '[i2p]enabled = false turns I2P off'],
  ];
  for (const settings of [tcp, tor, disabled]) {
    cases.push([settings, destinationOf(onion, 1), 'tor'], [settings, destinationOf('example.org', 1, 'tor'), 'tor']);
    cases.push([settings, destinationOf('x.b32.i2p', 1), 'i2p'], [settings, destinationOf('x', 1, 'i2p'), 'i2p']);
    // Also where somebody says that it is something else.
    for (const host of [onion.toUpperCase(), `${onion}.`]) {
      cases.push([settings, { network: 'tcp', host, port: 1 }, 'tor']);
    }
  }
  for (const [settings, destination, way] of cases) {
    const choice = chooseWay(settings, destination);
    t.equal('network' in choice ? choice.network : choice.reason, way, `${settings.tcp}: ${destination.host}`);
  }
  const nurl = parseNurl(`pb://${'A'.repeat(43)}@${onion}:1/x#v=1`);
  t.equal(destinationOfNurl(nurl).network, 'tor', 'a NURL need not say that it is an onion');
  t.end();
});

t.test('whoever asks, a hidden node connects to nobody directly and looks nothing up', async (t) => {
  const [proxy, port] = [await startProxy(t), await startEcho(t)];
  const hidden = makeDialler({ ...settingsOf('tcp', proxy.port), hidesAddress: true });
  t.notOk(hidden.leadsTo(destinationOf('127.0.0.1', port)));
  for (const host of ['127.0.0.1', 'localhost', 'example.org', '::1']) {
    await t.rejects(hidden.dial(destinationOf(host, port), signal), { code: 'ERR_PRIVACY' }, host);
  }
  const fetcher = new HttpListFetcher(systemClock, hidden);
  await t.rejects(fetcher.fetch(`http://127.0.0.1:${String(port)}/`, undefined, signal), { code: 'ERR_PRIVACY' });
  await fetcher.close();
  const listener = { text: () => undefined, closed: () => undefined };
  const opening = openRelayLink(`ws://127.0.0.1:${String(port)}/v1`, listener, { clock: systemClock, dialler: hidden });
  await t.rejects(opening, { code: 'ERR_PRIVACY', message: /^no way over tcp: reveal-IP-address = false/ });
  t.strictSame(proxy.asked, []);
});

t.test('names go to the proxy as they are', async (t) => {
  const [proxy, port] = [await startProxy(t), await startEcho(t)];
  const dialler = makeDialler(settingsOf('tor', proxy.port));
  const targets = [`${onion}:3457`, 'example.org:80', '192.0.2.1:443'];
  for (const target of targets) proxy.lead(target, port);
  for (const target of [...targets, `${onion}:3457`]) {
    const [host = '', portText] = target.split(':');
    const socket = await dialler.dial(destinationOf(host, Number(portText)), signal);
    socket.write(target);
    const [piece] = (await once(socket, 'data')) as [Buffer];
    t.equal(piece.toString(), target);
    socket.destroy();
  }
  t.strictSame(proxy.asked, [...targets, `${onion}:3457`]);
  t.strictSame(proxy.kinds, [3, 3, 1, 3]);
  t.ok(dialler.patienceMs(destinationOf(onion, 1)) > 0);
  t.equal(directDialler.patienceMs(destinationOf('example.org', 1)), 0);
});

t.test('a proxy that does not get there, or is none, is a sentence', async (t) => {
  const proxy = await startProxy(t);
  const dialler = makeDialler(settingsOf('tor', proxy.port));
  const bytes = (...values: number[]) => ({ answer: Uint8Array.from(values) });
  const cases: [rule: Parameters<SocksProxy['lead']>[1], reason: RegExp][] = [
    [{ refusal: 1 }, /it failed$/],
    [{ refusal: 2 }, /does not allow/],
    [{ refusal: 4 }, /does not get to the host/],
    [{ refusal: 5 }, /nothing listens/],
    [{ refusal: 6 }, /took too long/],
    [bytes(4, 0, 0, 1, 0, 0, 0, 0, 0, 0), /cannot be used: /],
    [bytes(5, 0, 0), /closed the connection/],
    [bytes(), /closed the connection/],
  ];
  for (const [i, [rule, reason]] of cases.entries()) {
    const host = `a${String(i)}.onion`;
    proxy.lead(`${host}:1`, rule);
    await t.rejects(
      dialler.dial(destinationOf(host, 1), signal),
      { code: 'ERR_PROXY', message: reason },
      String(reason),
    );
  }
  await t.rejects(dialler.dial(destinationOf(`${'a'.repeat(250)}.onion`, 1), signal), { message: /name is too long/ });
  const nowhere = makeDialler(settingsOf('tor', 1));
  const message = /^Tor cannot be used: it is not running, or \[tor\]socks.port is wrong \(tcp:127.0.0.1:1: /;
  await t.rejects(nowhere.dial(destinationOf(onion, 1), signal), { code: 'ERR_PROXY', message });
});

t.test('a proxy that says nothing is waited for no longer than the caller waits', async (t) => {
  const proxy = await startProxy(t);
  proxy.lead(`${onion}:1`, 'hang');
  const ended = new AbortController();
  const dialling = makeDialler(settingsOf('tor', proxy.port)).dial(destinationOf(onion, 1), ended.signal);
  while (proxy.asked.length === 0) await new Promise((resolve) => setImmediate(resolve));
  ended.abort();
  await t.rejects(dialling, { code: 'ERR_CANCELLED' });
  await t.rejects(directDialler.dial(destinationOf('127.0.0.1', 1), ended.signal), { code: 'ERR_CANCELLED' });
});

t.test('its own ports a node may always look at, others never', async (t) => {
  const port = await startEcho(t);
  (await connectToOwn({ host: '127.0.0.1', port }, signal)).destroy();
  for (const host of ['192.0.2.1', 'localhost', 'example.org']) {
    await t.rejects(connectToOwn({ host, port }, signal), { code: 'ERR_PRIVACY' });
  }
  await t.rejects(directDialler.dial(destinationOf(onion, 1), signal), { code: 'ERR_PRIVACY' });
});
