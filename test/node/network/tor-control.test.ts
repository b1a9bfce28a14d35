/** The control port: every proof, every way in which it refuses, lies, or says nothing; and the service that is kept up. */
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import type { Test } from 'tap';
import type { Clock } from '#core/environment.js';
import { silentLog } from '#core/environment.js';
import { systemClock } from '#node/clock.js';
import { nodeRandom } from '#node/keypair.js';
import { onionService, readOnionKey } from '#node/network/onion-service.js';
import { TorAccess } from '#node/network/tor-access.js';
import { TorControl } from '#node/network/tor-control.js';
import { CONTROL_LINE_LENGTH_MAX } from '#wire/tor-control.js';
import { ManualClock } from '../../fixtures/clock.js';
import type { LineServer } from '../../fixtures/network/line-server.js';
import { DOUBLE_KEY, DOUBLE_ONION, startTorControl } from '../../fixtures/network/tor-control-double.js';
import type { TorControlDoubleOptions } from '../../fixtures/network/tor-control-double.js';

const { signal } = new AbortController();
const cookie = Uint8Array.from({ length: 32 }, (_, i) => i);

async function startDouble(t: Test, options: TorControlDoubleOptions = {}): Promise<LineServer> {
  const double = await startTorControl(options);
  t.teardown(() => double.close());
  return double;
}

function open({ port }: { port: number }, clock: Clock = systemClock): Promise<TorControl> {
  return TorControl.open({ place: { host: '127.0.0.1', port }, clock, random: nodeRandom, signal });
}

async function cookieFile(t: Test, bytes: Uint8Array = cookie): Promise<string> {
  const folder = join(t.testdir(), 'a "b"');
  await mkdir(folder);
  await writeFile(join(folder, 'control_auth_cookie'), bytes);
  return join(folder, 'control_auth_cookie');
}

t.test('an open port, a cookie, and a cookie that is only proved', async (t) => {
  for (const methods of ['NULL', 'COOKIE', 'COOKIE,SAFECOOKIE,HASHEDPASSWORD']) {
    await t.test(methods, async (t) => {
      const double = await startDouble(t, { methods, cookie, cookieFile: await cookieFile(t), socksPort: 4321 });
      const control = await open(double);
      t.strictSame(await control.addOnion('NEW:ED25519-V3', 3457, 45, signal), {
        serviceId: DOUBLE_ONION,
        privateKey: DOUBLE_KEY,
      });
      t.strictSame(await control.socksPlaces(signal), [{ host: '127.0.0.1', port: 4321 }]);
      await control.removeOnion(DOUBLE_ONION, signal);
      t.ok(double.lines.includes('ADD_ONION NEW:ED25519-V3 Port=3457,127.0.0.1:45'));
      if (methods.includes('SAFE')) t.notMatch(double.lines.join(), Buffer.from(cookie).toString('hex'));
      control.close();
      await double.until(() => double.sockets.size === 0);
    });
  }
});

t.test('a port that refuses, lies or is something else is a sentence', async (t) => {
  const file = await cookieFile(t);
  const cases: [name: string, options: TorControlDoubleOptions, message: RegExp][] = [
    ['a password', { methods: 'HASHEDPASSWORD' }, /it wants a password; set CookieAuthentication 1/],
    [
      'another cookie',
      { methods: 'COOKIE', cookie: new Uint8Array(32), cookieFile: file },
      /refuses AUTHENTICATE \(515 /,
    ],
    [
      'a liar',
      { methods: 'SAFECOOKIE', cookie: new Uint8Array(32), cookieFile: file },
      /not the Tor that it claims to be/,
    ],
    ['no cookie file', { methods: 'COOKIE' }, /names no cookie file/],
    ['a missing one', { methods: 'COOKIE', cookieFile: '/nonexistent/c' }, /cookie cannot be read: ENOENT/],
    ['some other file', { methods: 'COOKIE', cookieFile: '/etc/passwd' }, /'\/etc\/passwd' is no cookie/],
    ['a web server', { answer: () => ({ end: 'HTTP/1.1 400 Bad Request\r\n' }) }, /it is no control port/],
    ['cut', { answer: () => ({ end: '250-PROTOCOLINFO 1\r\n250-AU' }) }, /closed the connection/],
    ['a long line', { answer: () => 'x'.repeat(CONTROL_LINE_LENGTH_MAX + 1) }, /a line that is too long/],
    ['many lines', { answer: () => '250-x\r\n'.repeat(300) }, /too many lines/],
  ];
  for (const [name, options, message] of cases) {
    const double = await startDouble(t, options);
    await t.rejects(open(double), { code: 'ERR_PROXY', message }, name);
    await double.until(() => double.sockets.size === 0);
  }
  await t.rejects(open({ port: 1 }), {
    code: 'ERR_PROXY',
    message: /^Tor's control port at tcp:127.0.0.1:1 cannot be/,
  });
  const refusing = await startDouble(t, { answer: (line) => (/^ADD/.test(line) ? '512 Bad key\r\n' : undefined) });
  const control = await open(refusing);
  const refused = control.addOnion(DOUBLE_KEY, 1, 1, signal);
  await t.rejects(refused, { code: 'ERR_PROXY', message: /refuses ADD_ONION \(512 Bad key\)/ });
  await refused.catch((error: unknown) => t.notMatch(String(error), DOUBLE_KEY));
  control.close();
});

t.test('one that says nothing is given up in time', async (t) => {
  const silent = await startDouble(t, { answer: () => null });
  const clock = new ManualClock();
  const opening = open(silent, clock);
  await silent.until(() => silent.lines.length === 1);
  clock.advance(10_000);
  await t.rejects(opening, { code: 'ERR_TIMEOUT' });
  await silent.until(() => silent.sockets.size === 0);
  const later = await startDouble(t, { answer: (line) => (/^(PROTO|AUTH)/.test(line) ? undefined : null) });
  const control = await open(later, clock);
  const asking = control.socksPlaces(signal);
  await later.until(() => later.lines.includes('GETINFO net/listeners/socks'));
  clock.advance(30_000);
  await t.rejects(asking, { code: 'ERR_TIMEOUT' });
  await later.until(() => later.sockets.size === 0);
});

t.test('the service is published at the start, again when Tor was gone, and is gone with the node', async (t) => {
  const double = await startDouble(t);
  const clock = new ManualClock();
  const place = { host: '127.0.0.1', port: double.port };
  const settings = { localPort: 45, externalPort: 3457, keyFile: 'k' };
  const openControl = (signal: AbortSignal) => TorControl.open({ place, clock, random: nodeRandom, signal });
  const service = onionService({ settings, dangerousKey: DOUBLE_KEY, openControl, clock, log: silentLog });
  const published = (): number => double.lines.filter((line) => line.startsWith('ADD_ONION')).length;
  service.start();
  await double.until(() => published() === 1);
  t.equal(double.lines.at(-1), `ADD_ONION ${DOUBLE_KEY} Port=3457,127.0.0.1:45`);
  while (!service.isUp) await new Promise((resolve) => setImmediate(resolve));
  double.dropAll();
  while (service.isUp) await new Promise((resolve) => setImmediate(resolve));
  while (published() === 1) {
    clock.advance(1_000);
    await new Promise((resolve) => setImmediate(resolve));
  }
  while (!service.isUp) await new Promise((resolve) => setImmediate(resolve));
  await service.close();
  await double.until(() => double.sockets.size === 0);
  t.equal(published(), 2);
});

t.test('the key is read, and what is no key is told at once', async (t) => {
  const folder = t.testdir({ good: `${DOUBLE_KEY}\n`, bad: 'hello\n', large: 'x'.repeat(5000) });
  t.equal(await readOnionKey(join(folder, 'good')), DOUBLE_KEY);
  for (const name of ['bad', 'large', 'absent']) {
    await t.rejects(readOnionKey(join(folder, name)), { code: 'ERR_FILE', message: /private_key_file names it/ }, name);
  }
});

t.test('where the SOCKS proxy is', async (t) => {
  const { port } = await startDouble(t, { socksPort: 77 });
  const base = { socks: undefined, control: undefined, launch: false, executable: undefined, onion: undefined };
  const control = { host: '127.0.0.1', port };
  const socks = { path: '/s' };
  const placesOf = (changes: object) =>
    new TorAccess({ settings: { ...base, ...changes }, clock: systemClock, random: nodeRandom }).socksPlaces(signal);
  t.strictSame(
    await placesOf({}),
    [9050, 9150].map((port) => ({ host: '127.0.0.1', port })),
  );
  t.strictSame(await placesOf({ socks, control }), [socks]);
  t.strictSame(await placesOf({ control }), [{ host: '127.0.0.1', port: 77 }], 'the control port says');
  await t.rejects(placesOf({ launch: true }), { code: 'ERR_PROXY', message: /the node starts it for itself/ });
});

t.test('a Tor of its own', async (t) => {
  const folder = t.testdir({
    // A program that does what tor does when it starts well, and ends when it is told to.
    tor: '#!/bin/sh\nwhile [ "$1" != --ControlPortWriteToFile ]; do shift; done\necho PORT=127.0.0.1:$PORT > "$2"\nexec sleep 600\n',
    bad: '#!/bin/sh\nexit 3\n',
  });
  for (const name of ['tor', 'bad']) await chmod(join(folder, name), 0o755);
  const { port } = await startDouble(t, { socksPort: 88 });
  process.env['PORT'] = String(port);
  const { TorProcess } = await import('#node/network/tor-process.js');
  const settings = { socks: undefined, control: undefined, launch: true, executable: undefined, onion: undefined };
  const access = (executable: string): TorAccess =>
    new TorAccess({
      settings,
      clock: systemClock,
      random: nodeRandom,
      launch: (signal) =>
        TorProcess.start({ executable, directory: folder, clock: systemClock, log: silentLog }, signal),
    });
  const good = access(join(folder, 'tor'));
  t.strictSame(await good.socksPlaces(signal), [{ host: '127.0.0.1', port: 88 }]);
  t.strictSame(await good.socksPlaces(signal), [{ host: '127.0.0.1', port: 88 }], 'the same one');
  await good.close();
  for (const [name, message] of [
    ['bad', /Tor cannot be used: it ended with status 3/],
    ['absent', /it cannot be started: .* set \[tor\]tor.executable/],
  ] as const) {
    const failing = access(join(folder, name));
    await t.rejects(failing.socksPlaces(signal), { code: 'ERR_PROXY', message }, name);
    await failing.close();
  }
});
