/**
 * New node directories: their files, the lines of their tahoe.cfg that programs rewrite, and every refusal.
 */
import { mkdir, readFile, readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { parse } from 'yaml';
import { loadConfiguration } from '#node/config/load.js';
import { setOption } from '#node/config/ini-edit.js';
import { options } from '#node/config/schema.js';
import { createClient, createIntroducer, createNode, notEmptyLines } from '#node/create.js';
import type { CreateNodeOptions } from '#node/create.js';
import { identifyNodeType } from '#node/node-directory.js';
import { quotePath } from '#node/quoted-path.js';
import { readIntroducerSettings } from '#node/introducer-settings.js';
import { readSettings } from '#node/settings.js';
import { configure } from './fixtures/configure.js';
import { temporaryDirectory } from './fixtures/temporary-directory.js';

const allocatePort = () => Promise.resolve(43_039);

/** What tahoe-lafs 1.20.0 writes for create-node --hostname=localhost --nickname=foo, without its prose. */
const REFERENCE_LINES = `
# -*- mode: conf; coding: utf-8 -*-
[node]
nickname = foo
reveal-IP-address = true
web.port = tcp:3456:interface=127.0.0.1
web.static = public_html
tub.port = tcp:43039
tub.location = tcp:localhost:43039
#log_gatherer.furl =
#timeout.keepalive =
#timeout.disconnect =
#ssh.port = 8022
#ssh.authorized_keys_file = ~/.ssh/authorized_keys
[client]
helper.furl =
shares.needed = 3
shares.happy = 7
shares.total = 10
[storage]
enabled = true
#readonly =
reserved_space = 1G
#storage_dir =
#expire.enabled =
#expire.mode =
[helper]
enabled = false
`;

function withoutProse(text: string): string[] {
  return text.split('\n').filter((line) => line !== '' && !/^# (?!-\*-)/.test(line));
}

t.test('tahoe.cfg has the lines of the reference', async (t) => {
  const path = join(await temporaryDirectory(t), 'made', 'node');
  const lines = await createNode(path, { hostname: 'localhost', nickname: 'foo' }, allocatePort);
  const text = await readFile(join(path, 'tahoe.cfg'), 'utf8');
  t.strictSame(withoutProse(text), withoutProse(REFERENCE_LINES));
  t.strictSame(lines, [
    `Node created in '${path}'`,
    ` Please add introducers to '${path}/private/introducers.yaml'!`,
    ' The node cannot connect to a grid without it.',
  ]);
  t.strictSame((await readdir(path)).sort(), ['private', 'tahoe-client.tac', 'tahoe.cfg']);
  t.equal((await stat(join(path, 'private'))).mode & 0o777, 0o700);
  t.equal(await identifyNodeType(path), 'client');
});

t.test('a client stores nothing and listens for nobody', async (t) => {
  const path = await temporaryDirectory(t);
  const introducer = 'pb://abc@tcp:a:1/swiss';
  const lines = await createClient(path, {
    introducer,
    webport: 'None',
    sharesNeeded: '1',
    sharesHappy: '1',
    sharesTotal: '1',
  });
  t.equal(lines.length, 2);
  t.equal(lines[1], ` Please set [node]nickname= in '${path}/tahoe.cfg'`);
  const introducers = await readFile(join(path, 'private', 'introducers.yaml'), 'utf8');
  t.equal(introducers, `introducers:\n  default:\n    furl: ${introducer}\n`, 'as PyYAML writes it');
  t.equal((await stat(join(path, 'private', 'introducers.yaml'))).mode & 0o777, 0o600);
  const settings = readSettings(await loadConfiguration(path, 'client'), path);
  t.match(settings, { nickname: '', web: undefined, storage: undefined, encoding: { needed: 1, happy: 1, total: 1 } });
  const text = await readFile(join(path, 'tahoe.cfg'), 'utf8');
  t.match(text, /^web\.port = \n/m);
  t.match(text, /^tub\.port = disabled\ntub\.location = disabled\n/m);
});

t.test('what was asked for is in the configuration, whatever characters it has', async (t) => {
  const asked = { nickname: '100% ü; # x', storageDir: '/srv/50%', introducer: 'x: {"}' };
  const path = await temporaryDirectory(t);
  const where = { port: 'tcp:3457:interface=127.0.0.1', location: 'tcp:example.org:3457' };
  await createNode(path, { ...asked, ...where, helper: true, webport: '0' }, allocatePort);
  const configuration = await loadConfiguration(path, 'client');
  t.equal(configuration.get(options.nickname), asked.nickname);
  t.equal(configuration.get(options.storageDir), asked.storageDir);
  t.equal(configuration.get(options.tubPort), where.port);
  t.equal(configuration.get(options.tubLocation), where.location);
  t.equal(configuration.get(options.helperEnabled), true);
  t.equal(readSettings(configuration, path).web?.port, 0);
  const introducers = await readFile(join(path, 'private', 'introducers.yaml'), 'utf8');
  t.strictSame(parse(introducers), { introducers: { default: { furl: asked.introducer } } });
  const changed = setOption(await readFile(join(path, 'tahoe.cfg'), 'utf8'), {
    section: 'storage',
    option: 'readonly',
    value: 'true',
  });
  await writeFile(join(path, 'tahoe.cfg'), changed);
  t.equal((await loadConfiguration(path, 'client')).get(options.storageReadonly), true);
});

t.test('none among the listeners disables all', async (t) => {
  const path = await temporaryDirectory(t);
  await createNode(path, { listen: 'none,tcp', hostname: 'h', noStorage: true }, allocatePort);
  t.equal((await loadConfiguration(path, 'client')).get(options.tubPort), 'disabled');
});

t.test('an invitation is taken when all else is right, and fills in what it says', async (t) => {
  const path = join(await temporaryDirectory(t), 'node');
  let count = 0;
  const settings = { sharesNeeded: '2', sharesHappy: '3', sharesTotal: '4', nickname: 'ann', introducer: 'pb://x' };
  const take = () => Promise.resolve({ ...settings, sharesNeeded: ++count === 1 ? 'two' : '2' });
  await t.rejects(createClient(path, { sharesTotal: 'many', join: take }), { code: 'ERR_USAGE' });
  t.equal(count, 0, 'the code serves only once: it is not used for nothing');
  await t.rejects(createClient(path, { join: take }), { code: 'ERR_USAGE', message: /shares-needed/ });
  await createClient(path, { join: take });
  const configuration = await loadConfiguration(path, 'client');
  t.same([configuration.get(options.sharesNeeded), configuration.get(options.nickname)], [2, 'ann']);
  t.match(await readFile(join(path, 'private/introducers.yaml'), 'utf8'), /furl: pb:\/\/x/);
});

t.test('options that do not go together are refused before anything is made', async (t) => {
  const path = join(await temporaryDirectory(t), 'node');
  const refused: [options: CreateNodeOptions, message: string | RegExp][] = [
    [{}, '--listen=tcp requires --hostname='],
    [{ hostname: 'h', listen: 'none' }, '--hostname cannot be used when --listen=none'],
    [{ port: 'tcp:1', listen: 'none' }, '--port/--location cannot be used when --listen=none'],
    [{ location: 'tcp:a:1', listen: 'none' }, '--port/--location cannot be used when --listen=none'],
    [{ location: 'tcp:a:1' }, '--location must be used with --port'],
    [{ port: 'tcp:1' }, '--port must be used with --location'],
    [{ port: 'tcp:1', location: 'tcp:a:1', hostname: 'h' }, '--hostname cannot be used with --location/--port'],
    [{ listen: 'udp' }, '--listen= must be one/some of: i2p, none, tcp, tor'],
    [{ listen: 'tor', hostname: 'h' }, '--listen= must be tcp to use --hostname'],
    [{ listen: 'tcp,i2p', hostname: 'h' }, '--listen=i2p: there is no way to that network here'],
    [
      { listen: 'tor', torLaunch: true, torControlPort: 'tcp:1' },
      /^use either --tor-launch or --tor-control-port=, not/,
    ],
    [{ listen: 'i2p', i2pLaunch: true, i2pSamPort: 'tcp:1' }, /^use either --i2p-launch or --i2p-sam-port=, not both/],
    [{ listen: 'i2p', i2pLaunch: true }, '--i2p-launch is under development'],
    [{ listen: 'tor' }, '--listen=tor: there is no way to that network here'],
    [{ hostname: 'h', torLaunch: true }, '--tor-launch requires --listen=tor'],
    [{ hostname: 'h', torControlPort: 'tcp:1' }, '--tor-control-port= requires --listen=tor'],
    [{ hostname: 'h', i2pLaunch: true }, '--i2p-launch requires --listen=i2p'],
    [{ hostname: 'h', i2pSamPort: 'tcp:1' }, '--i2p-sam-port= requires --listen=i2p'],
    [{ hostname: 'h', sharesNeeded: 'three' }, '--shares-needed must be an integer'],
    [{ hostname: 'h', sharesHappy: '' }, '--shares-happy must be an integer'],
    [{ hostname: 'h', sharesTotal: '1.5' }, '--shares-total must be an integer'],
    [{ hostname: 'h', webport: 'ssl:1' }, /^--webport: 'ssl:1' cannot be listened on: only tcp:/],
    [{ hostname: 'h', nickname: 'a\n[storage]' }, '--nickname must be a single line'],
    [{ hostname: 'h', storageDir: 'a\rb' }, '--storage-dir must be a single line'],
    [{ hostname: 'h\nx = y' }, '--location must be a single line'],
  ];
  for (const [options, message] of refused) {
    await t.rejects(createNode(path, options, allocatePort), { code: 'ERR_USAGE', message }, JSON.stringify(options));
  }
  t.equal(await stat(path).catch(() => 'absent'), 'absent');
});

t.test('a directory that holds something is left alone', async (t) => {
  const path = await temporaryDirectory(t);
  await writeFile(join(path, 'letter'), 'dear');
  await t.rejects(createNode(path, { hostname: 'h' }, allocatePort), { code: 'ERR_DIRECTORY_NOT_EMPTY' });
  await t.rejects(createClient(path, {}), { code: 'ERR_DIRECTORY_NOT_EMPTY' });
  t.strictSame(await readdir(path), ['letter']);
  t.strictSame(notEmptyLines(path), [
    `The base directory '${path}' is not empty.`,
    'To avoid clobbering anything, I am going to quit now.',
    'Please use a different directory, or empty this one.',
  ]);
  await t.rejects(createClient(join(path, 'letter'), {}), { code: 'ERR_FILE', message: /ENOTDIR/ });
  await t.rejects(createClient(join(path, 'letter', 'node'), {}), { code: 'ERR_FILE', message: /ENOTDIR/ });
  await mkdir(join(path, 'empty'));
  await t.resolves(createClient(join(path, 'empty'), {}), 'an empty one will do');
});

t.test('paths are quoted as the reference quotes them', (t) => {
  const quoted: [path: string, text: string][] = [
    ['/a b/ü', "'/a b/ü'"],
    ["/it's", '"/it\'s"'],
    ['/a\nb"$`\\', '"/a\\x0ab\\"\\$\\`\\\\"'],
    ['/\u{1f600}', '"/\\U0001f600"'],
    ['/\ufffe', '"/\\ufffe"'],
  ];
  for (const [path, text] of quoted) t.equal(quotePath(path), text);
  t.end();
});

t.test('an introducer listens, and has no gateway unless it is asked for', async (t) => {
  const path = await temporaryDirectory(t);
  const options = { port: 'tcp:3458', location: 'tcp:example.org:3458', webport: 'tcp:3459:interface=127.0.0.1' };
  t.same(await createIntroducer(path, options, () => Promise.resolve(1)), [`Introducer created in '${path}'`]);
  t.same((await readdir(path)).sort(), ['private', 'tahoe-introducer.tac', 'tahoe.cfg']);
  const configuration = await loadConfiguration(path, 'introducer');
  t.match(readIntroducerSettings(configuration), { nickname: '', web: { port: 3459 } });
  t.throws(() => readIntroducerSettings(configure('[node]\ntub.port = disabled\n', '', 'introducer')), {
    code: 'ERR_CONFIG',
    message: /an introducer that does not listen introduces nobody/,
  });
  const nowhere = createIntroducer(await temporaryDirectory(t), { listen: 'none' }, () => Promise.resolve(1));
  await t.rejects(nowhere, { code: 'ERR_USAGE', message: /introduces nobody/ });
});
