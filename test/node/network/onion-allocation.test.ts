/** New nodes behind Tor: what is said, what is written, and that it can be started as it is. */
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import type { Test } from 'tap';
import { silentLog } from '#core/environment.js';
import { systemClock } from '#node/clock.js';
import { loadConfiguration } from '#node/config/load.js';
import { createClient, createIntroducer, createNode } from '#node/create.js';
import type { CreateNodeOptions } from '#node/create.js';
import { readIntroducerSettings } from '#node/introducer-settings.js';
import { nodeRandom } from '#node/keypair.js';
import { allocateI2p } from '#node/network/i2p-allocation.js';
import { allocateOnion } from '#node/network/onion-allocation.js';
import { resolveTubLocation } from '#node/tub-location.js';
import { readSettings } from '#node/settings.js';
import { DOUBLE_I2P_KEY, startSam } from '../../fixtures/network/sam-double.js';
import { DOUBLE_KEY, DOUBLE_ONION, startTorControl } from '../../fixtures/network/tor-control-double.js';
import { temporaryDirectory } from '../fixtures/temporary-directory.js';

const allocatePort = (): Promise<number> => Promise.resolve(43_039);

/** What tahoe-lafs 1.20.0 writes for create-node --listen=tor --hide-ip, from its first option to those of clients. */
const linesOf = (control: string): string => `[connections]
tcp = tor

[node]
nickname =${' '}
reveal-IP-address = false
web.port = tcp:3456:interface=127.0.0.1
web.static = public_html
tub.port = tcp:43039:interface=127.0.0.1
tub.location = tor:${DOUBLE_ONION}.onion:3457

#log_gatherer.furl =
#timeout.keepalive =
#timeout.disconnect =
#ssh.port = 8022
#ssh.authorized_keys_file = ~/.ssh/authorized_keys

[tor]
control.port = ${control}
onion = true
onion.local_port = 43039
onion.external_port = 3457
onion.private_key_file = private/tor_onion.privkey

[client]
`;

async function setUp(
  t: Test,
): Promise<{ options: CreateNodeOptions; said: string[]; control: string; asked: string[] }> {
  const double = await startTorControl();
  t.teardown(() => double.close());
  const said: string[] = [];
  const control = `tcp:127.0.0.1:${String(double.port)}`;
  const report = (line: string): Promise<void> => {
    said.push(line);
    return Promise.resolve();
  };
  const { signal } = new AbortController();
  const common = { allocatePort, report, clock: systemClock, random: nodeRandom, log: silentLog, signal };
  const allocate: CreateNodeOptions['allocateOnion'] = (words) => allocateOnion({ ...common, words });
  const allocateI2pHere = (samPort: string | undefined) => allocateI2p({ ...common, samPort });
  const options = {
    allocateI2p: allocateI2pHere,
    listen: 'tor',
    hideIp: true,
    torControlPort: control,
    allocateOnion: allocate,
  };
  return { options, said, control, asked: double.lines };
}

t.test('a node behind Tor has the lines of the reference, its key, and starts', async (t) => {
  const { asked, control, options, said } = await setUp(t);
  const path = join(await temporaryDirectory(t), 'node');
  await createNode(path, options, allocatePort);
  const text = await readFile(join(path, 'tahoe.cfg'), 'utf8');
  t.ok(text.includes(linesOf(control)), text);
  t.equal(await readFile(join(path, 'private/tor_onion.privkey'), 'utf8'), DOUBLE_KEY);
  t.equal((await stat(join(path, 'private/tor_onion.privkey'))).mode & 0o777, 0o600);
  t.strictSame(said, [
    'connecting to Tor (to allocate .onion address)..',
    'Tor connection established',
    'allocating .onion address (takes ~40s)..',
    '.onion address allocated',
  ]);
  t.strictSame(asked.slice(-2), ['ADD_ONION NEW:ED25519-V3 Port=3457,127.0.0.1:43039', `DEL_ONION ${DOUBLE_ONION}`]);
  const configuration = await loadConfiguration(path, 'client');
  t.equal(readSettings(configuration, path).network.hidesAddress, true);
  const surroundings = { rememberedPort: undefined, allocatePort, localAddresses: () => [] };
  const location = await resolveTubLocation(configuration, surroundings);
  t.equal(location?.endpoints[0]?.host, '127.0.0.1');
  await t.rejects(createNode(path, options, allocatePort), { code: 'ERR_DIRECTORY_NOT_EMPTY' }, 'it is not made again');
});

t.test('the last listener comes first, and none disables all', async (t) => {
  const { options } = await setUp(t);
  const folder = await temporaryDirectory(t);
  await createNode(join(folder, 'both'), { ...options, hideIp: false, listen: 'tcp,tor', hostname: 'h' }, allocatePort);
  const both = await readFile(join(folder, 'both/tahoe.cfg'), 'utf8');
  t.match(both, 'tub.port = tcp:43039:interface=127.0.0.1,tcp:43039\n');
  t.match(both, `tub.location = tor:${DOUBLE_ONION}.onion:3457,tcp:h:43039\n`);
  await createNode(join(folder, 'none'), { ...options, listen: 'tor,none' }, allocatePort);
  t.match(await readFile(join(folder, 'none/tahoe.cfg'), 'utf8'), 'tub.port = disabled\n');
});

t.test('clients and introducers hide as well', async (t) => {
  const { options } = await setUp(t);
  const folder = await temporaryDirectory(t);
  await createClient(join(folder, 'client'), { hideIp: true });
  const configuration = await loadConfiguration(join(folder, 'client'), 'client');
  t.match(readSettings(configuration, folder).network, { tcp: 'tor', hidesAddress: true });
  await createIntroducer(join(folder, 'introducer'), options, allocatePort);
  const introducer = await loadConfiguration(join(folder, 'introducer'), 'introducer');
  t.match(readIntroducerSettings(introducer).network, { tcp: 'tor', hidesAddress: true });
});

t.test('where no Tor is reached nothing is made', async (t) => {
  const { options, said } = await setUp(t);
  const path = join(await temporaryDirectory(t), 'node');
  const nowhere = createNode(path, { ...options, torControlPort: 'tcp:127.0.0.1:1' }, allocatePort);
  await t.rejects(nowhere, {
    code: 'ERR_PROXY',
    message: /^Tor cannot be used: no control port was reached; start it/,
  });
  t.match(said[1], /^Unable to reach Tor at 'tcp:127.0.0.1:1': /);
  const odd = createNode(path, { ...options, torControlPort: '9051' }, allocatePort);
  await t.rejects(odd, { code: 'ERR_USAGE', message: /^--tor-control-port: '9051' is no place to connect to/ });
  const absent = { ...options, torControlPort: undefined, torLaunch: true, torExecutable: '/nonexistent/tor' };
  await t.rejects(createNode(path, absent, allocatePort), { code: 'ERR_PROXY', message: /it cannot be started/ });
  t.equal(await stat(path).catch(() => 'absent'), 'absent');
});

t.test('a node behind I2P has its destination, its key, and starts', async (t) => {
  const { options, said } = await setUp(t);
  const router = await startSam(new Map());
  t.teardown(() => router.close());
  const folder = await temporaryDirectory(t);
  const path = join(folder, 'node');
  const i2pSamPort = `tcp:127.0.0.1:${String(router.port)}`;
  await createNode(path, { ...options, torControlPort: undefined, listen: 'i2p', i2pSamPort }, allocatePort);
  const text = await readFile(join(path, 'tahoe.cfg'), 'utf8');
  t.match(text, /\ntub.port = listen:i2p\ntub.location = i2p:[a-z2-7]{52}\.b32\.i2p:3457\n/);
  const section = `[i2p]\nsam.port = ${i2pSamPort}\ndest = true\ndest.port = 3457\n`;
  t.ok(text.includes(`\n\n${section}dest.private_key_file = private/i2p_dest.privkey\n\n[client]\n`), text);
  t.equal(await readFile(join(path, 'private/i2p_dest.privkey'), 'utf8'), DOUBLE_I2P_KEY);
  t.strictSame(said, [
    'connecting to I2P (to allocate .i2p address)..',
    'I2P connection established',
    'allocating .i2p address...',
    '.i2p address allocated',
  ]);
  const configuration = await loadConfiguration(path, 'client');
  t.match(readSettings(configuration, path).network.i2p, { destination: { port: 3457 } });
  const bad = createNode(
    join(folder, 'bad'),
    { ...options, torControlPort: undefined, listen: 'i2p', i2pSamPort: '7656' },
    allocatePort,
  );
  await t.rejects(bad, { code: 'ERR_USAGE', message: /^--i2p-sam-port: '7656' is no place/ });
});
