/**
 * A storage node and a gateway that hide their addresses, over doubles of Tor, with every kind of bait before them: what
 * they connect to and look up is watched from their first system call to their last.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import type { Test } from 'tap';
import { dangerouslyFormatServersYaml } from '#wire/announcement.js';
import { parseNurl } from '#wire/nurl.js';
import { allocatePort } from '#node/endpoint.js';
import { readAnnouncement } from '../fixtures/grid-node-directory.js';
import { SocksProxy } from '../fixtures/network/socks-proxy.js';
import { parseTrace, startWatched } from '../fixtures/network/socket-watcher.js';
import type { WatchedCalls } from '../fixtures/network/socket-watcher.js';
import { DOUBLE_KEY, DOUBLE_ONION, startTorControl } from '../fixtures/network/tor-control-double.js';
import { straceWorks } from '../fixtures/strace.js';

const ONION = `${DOUBLE_ONION}.onion`;
const WAIT_MS = 60_000;
const key = `pub-v0-${'a'.repeat(52)}`;
const tubId = 'b'.repeat(32);
/** What a node may be told of, and must not go to: names and addresses of every kind, by every way of telling. */
const bait = {
  introducers: `introducers:
  one: {furl: 'pb://${tubId}@tcp:introducer.example.org:3458/secret'}
  two: {furl: 'pb://${'A'.repeat(43)}@introducer2.example.org:443/secret#v=1'}
  three: {furl: 'pb://${tubId}@tcp:192.0.2.1:3458,tor:${'c'.repeat(56)}.onion:1,i2p:x.i2p/secret'}
`,
  own: `[client]
server_lists = https://lists.example.org/list ${key}, http://192.0.2.2/list ${key}
helper_nurl = pb://${'A'.repeat(43)}@helper.example.org:443/secret#v=1
`,
  nurls: ['baitserver.example.org:443', '192.0.2.3:443', '[2001:db8::1]:443'],
};

interface Places {
  readonly tub: number;
  readonly web: number;
  readonly socks: number;
  readonly control: number;
}

type Manner = 'tor' | 'disabled' | 'tcp';

async function writeNode(
  directory: string,
  kind: 'storage' | 'gateway',
  manner: Manner,
  places: Places,
): Promise<void> {
  const { control, socks, tub, web } = places;
  const isStorage = kind === 'storage';
  const onion = `onion = true
onion.local_port = ${String(tub)}
onion.external_port = 3457
onion.private_key_file = private/tor_onion.privkey
control.port = tcp:127.0.0.1:${String(control)}
`;
  const text = `[connections]
tcp = ${manner}

[node]
nickname = ${kind}
log_gatherer.furl = pb://${tubId}@tcp:gatherer.example.org:3117,192.0.2.4:3117,tor:${'d'.repeat(56)}.onion:1/secret
reveal-IP-address = ${String(manner === 'tcp')}
web.port = ${isStorage ? '' : `tcp:${String(web)}:interface=127.0.0.1`}
tub.port = ${isStorage ? 'listen:tor' : 'disabled'}
tub.location = ${isStorage ? `tor:${ONION}:3457` : 'disabled'}

[tor]
socks.port = tcp:127.0.0.1:${String(socks)}
${isStorage ? onion : ''}
[i2p]
enabled = false

[client]
shares.needed = 1
shares.happy = 1
shares.total = 1

[storage]
enabled = ${String(isStorage)}
`;
  await mkdir(join(directory, 'private'), { recursive: true, mode: 0o700 });
  await writeFile(join(directory, 'tahoe-client.tac'), '');
  await writeFile(join(directory, 'tahoe.cfg'), text);
  await writeFile(join(directory, 'tallac.cfg'), bait.own);
  await writeFile(join(directory, 'private/introducers.yaml'), bait.introducers);
  await writeFile(join(directory, 'private/tor_onion.privkey'), DOUBLE_KEY);
}

async function writeServers(directory: string, storage: string, places: Places): Promise<void> {
  const own = await readAnnouncement({
    directory: storage,
    name: 'storage',
    ports: { tub: places.tub, web: undefined },
  });
  const baits = bait.nurls.map((place, i) => ({
    ...own,
    serverId: `v0-${String.fromCharCode(98 + i).repeat(52)}`,
    furl: `pb://${tubId}@tcp:${place}/swissnum`,
    nurls: [parseNurl(`pb://${'A'.repeat(43)}@${place}/swissnum#v=1`)],
  }));
  await writeFile(join(directory, 'private/servers.yaml'), dangerouslyFormatServersYaml([own, ...baits]));
}

/** Waits until the gateway has `count` servers. */
async function connected(web: number, count: number): Promise<void> {
  const deadline = Date.now() + WAIT_MS;
  for (;;) {
    const reply = await fetch(`http://127.0.0.1:${String(web)}/?t=json`, { signal: AbortSignal.timeout(WAIT_MS) });
    const { servers } = (await reply.json()) as { servers: { connection_status: string }[] };
    const states = servers.map((server) => server.connection_status);
    if (states.filter((state) => /^connected/i.test(state)).length >= count) return;
    if (Date.now() > deadline) throw new Error(states.join('; '));
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

async function storeAndFetch(t: Test, web: number): Promise<void> {
  const contents = 'the quick brown fox '.repeat(10_000);
  const place = `http://127.0.0.1:${String(web)}/uri`;
  const stored = await fetch(place, { method: 'PUT', body: contents });
  const capability = await stored.text();
  t.match(capability, /^URI:CHK:/);
  const fetched = await fetch(`${place}/${encodeURIComponent(capability)}`);
  t.ok((await fetched.text()) === contents, 'what was stored came back');
}

/** Runs both nodes. @returns what they did, and what the proxy was asked for. */
async function run(
  t: Test,
  manner: Manner,
): Promise<{ calls: Record<string, WatchedCalls>; proxy: SocksProxy; places: Places }> {
  const folder = t.testdir();
  const [storage, gateway] = [join(folder, 'storage'), join(folder, 'gateway')];
  const proxy = await SocksProxy.start();
  t.teardown(() => proxy.close());
  const control = await startTorControl();
  t.teardown(() => control.close());
  const [tub, web] = [await allocatePort(), await allocatePort()];
  const places = { tub, web, socks: proxy.port, control: control.port };
  proxy.lead(`${ONION}:3457`, tub);
  await writeNode(storage, 'storage', manner, places);
  const storing = await startWatched(storage, join(folder, 'storage.trace'));
  await control.until(() => control.lines.some((line) => line.startsWith('ADD_ONION')));
  t.ok(control.lines.includes(`ADD_ONION ${DOUBLE_KEY} Port=3457,127.0.0.1:${String(tub)}`), 'the onion is published');
  await writeNode(gateway, 'gateway', manner, places);
  await writeServers(gateway, storage, places);
  const serving = await startWatched(gateway, join(folder, 'gateway.trace'));
  await connected(web, 1);
  await storeAndFetch(t, web);
  return { calls: { gateway: await serving.stop(), storage: await storing.stop() }, proxy, places };
}

t.test('the watcher reads what strace writes', (t) => {
  const text = `12 connect(3, {sa_family=AF_INET, sin_port=htons(53), sin_addr=inet_addr("192.0.2.9")}, 16) = 0
12 sendto(5, "x", 1, 0, {sa_family=AF_INET6, sin6_port=htons(80), sin6_flowinfo=htonl(0), inet_pton(AF_INET6, "2001:db8::1", &sin6_addr), sin6_scope_id=0}, 28) = 1
13 openat(AT_FDCWD, "/etc/hosts", O_RDONLY|O_CLOEXEC) = 4
`;
  t.strictSame(parseTrace(text), {
    addresses: ['192.0.2.9:53', '2001:db8::1:80'],
    lookups: ['192.0.2.9:53', '/etc/hosts'],
    connectionCount: 1,
  });
  t.end();
});

t.setTimeout(10 * 60_000);

for (const manner of ['tor', 'disabled'] as const) {
  t.test(`with tcp = ${manner} nobody but the doubles hears of a hidden node`, { timeout: 180_000 }, async (t) => {
    t.ok(straceWorks(), 'strace is there and may attach');
    const { calls, places, proxy } = await run(t, manner);
    const doubles = [`127.0.0.1:${String(places.socks)}`, `127.0.0.1:${String(places.control)}`];
    for (const [name, { addresses, connectionCount, lookups }] of Object.entries(calls)) {
      t.ok(connectionCount > 0, `${name} was watched: ${String(connectionCount)} connections`);
      t.strictSame(
        addresses.filter((address) => !doubles.includes(address)),
        [],
        `${name}: other addresses`,
      );
      t.strictSame(lookups, [], `${name}: lookups of names`);
    }
    t.ok(proxy.asked.includes(`${ONION}:3457`));
    const names = new Set(proxy.asked.filter((target) => !target.includes('.onion:')));
    if (manner === 'disabled') t.strictSame([...names], [], 'not even Tor is asked for other networks');
    else
      t.match(
        [...names].sort().join(' '),
        /baitserver\.example\.org:443.*gatherer\.example\.org:3117.*helper\.example\.org:443.*introducer\.example\.org:3458.*lists\.example/,
      );
  });
}

t.test('a node that does not hide is seen by the same watcher', { timeout: 180_000 }, async (t) => {
  const { calls, places } = await run(t, 'tcp');
  const { addresses, lookups } = calls['gateway'] ?? { addresses: [], lookups: [] };
  const doubles = [`127.0.0.1:${String(places.socks)}`, `127.0.0.1:${String(places.control)}`];
  t.ok(addresses.filter((address) => !doubles.includes(address)).length > 0, addresses.join(' '));
  t.ok(lookups.length > 0, lookups.join(' '));
});
