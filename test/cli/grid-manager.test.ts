/** The grid-manager program and the admin commands, in place: what they write, print and refuse. */
import { mkdir, readFile, readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import t from 'tap';
import { runGridManager } from '#cli/grid-manager/program.js';
import { parsePublicKey } from '#wire/signing-key.js';
import { parseCertificate, verifyCertificate } from '#wire/grid-certificate.js';
import { verifyServerList } from '#wire/server-list.js';
import { dangerouslyFormatServersYaml } from '#wire/announcement.js';
import { serverIdOf } from '#test/fixtures/announcements.js';
import { ManualClock } from '#test/fixtures/clock.js';
import { crypto } from '#test/fixtures/crypto.js';
import { readVectors } from '#test/fixtures/vectors.js';
import { Collector, runInPlace, surroundings, temporaryDirectory } from './fixtures/program.js';
import type { Outcome } from './fixtures/program.js';

const ALICE = `pub-${serverIdOf(1)}`;
const { config } = readVectors<{ config: string }>('grid-manager.json');
const clock = new ManualClock();
const DAY_MS = 86_400_000;

async function manage(directory: string, words: readonly string[], input = ''): Promise<Outcome> {
  const [stdout, stderr] = [new Collector(), new Collector()];
  const stdin = Readable.from(input === '' ? [] : [Buffer.from(input)]);
  const status = await runGridManager(words, surroundings(directory, { stdin, stdout, stderr, clock }));
  return { status, stdout: stdout.text, stderr: stderr.text };
}

t.test('a manager in a directory', async (t) => {
  const directory = await temporaryDirectory(t);
  const gm = (...words: string[]): Promise<Outcome> => manage(directory, ['--config', 'gm', ...words]);
  t.same(await gm('create'), { status: 0, stdout: '', stderr: '' });
  t.equal((await stat(join(directory, 'gm'))).mode & 0o777, 0o700);
  t.equal((await stat(join(directory, 'gm/config.json'))).mode & 0o777, 0o600);
  t.match(await gm('create'), { status: 1, stderr: /^Error: cannot use '.*gm': EEXIST/ });
  const { stdout: identity } = await gm('public-identity');
  const manager = parsePublicKey(identity.trim());
  t.ok(manager);
  t.match(await gm('add', 'alice', ALICE), { status: 0, stdout: '' });
  t.match(await gm('add', 'alice', ALICE), {
    status: 1,
    stderr: "Error: A storage-server called 'alice' already exists\n",
  });
  t.match(await gm('add', 'bob', 'nonsense'), { status: 1, stderr: /^Error: the public key is not pub-v0-/ });
  t.match(await gm('add', '../bob', ALICE), { status: 1, stderr: /cannot be the name of a file/ });
  t.match(await gm('sign', 'bob', '30'), { status: 1, stderr: "Error: No storage-server called 'bob' exists\n" });
  const signed = await gm('sign', 'alice', '30');
  const file = await readFile(join(directory, 'gm/alice.cert.0'), 'utf8');
  t.equal(signed.stdout, `${file}\n`);
  const certified = verifyCertificate(parseCertificate(file), [manager ?? new Uint8Array()], crypto);
  t.same(certified, { publicKey: ALICE, expiresMs: clock.nowMs() + 30 * DAY_MS });
  await gm('sign', 'alice', '1');
  const { stdout: listed } = await gm('list');
  t.equal(listed.split('\n')[0], `alice: ${ALICE}`);
  t.match(listed, /^ {7}cert 0: valid until 2023-12-14 22:13:20\.000000\+00:00 \(30 days in the future\)$/m);
  t.match(listed, /^ {7}cert 1: valid until 2023-11-15 22:13:20\.000000\+00:00 \(1 day in the future\)$/m);
  t.match(await gm('remove', 'bob'), { status: 1, stderr: "Error: No storage-server called 'bob' exists\n" });
  t.equal((await gm('remove', 'alice')).status, 0);
  t.same(await readdir(join(directory, 'gm')), ['config.json']);
  t.equal((await gm('list')).stdout, '');
});

t.test('usage errors have status 2', async (t) => {
  const directory = await temporaryDirectory(t);
  t.match(await manage(directory, ['list']), { status: 2, stderr: /--config/ });
  t.match(await manage(directory, []), { status: 2 });
  for (const days of ['0', '1826', 'x', '1.5']) {
    t.match(await manage(directory, ['-c', 'gm', 'sign', 'a', days]), {
      status: 2,
      stderr: /not in the range 1<=x<=1825/,
    });
  }
  t.match(await manage(directory, ['-c', 'gm', 'nonsense']), { status: 2, stderr: /nonsense/ });
  t.match(await manage(directory, ['--help']), { status: 0, stdout: /public-identity/ });
  t.match(await manage(directory, ['-c', 'absent', 'list']), {
    status: 1,
    stderr: /^Error: cannot use '.*config\.json': ENOENT/,
  });
});

t.test('a manager on standard input goes to standard output', async (t) => {
  const directory = await temporaryDirectory(t);
  const created = await manage(directory, ['-c', '-', 'create']);
  t.match(JSON.parse(created.stdout), { grid_manager_config_version: 0, private_key: /^priv-v0-/ });
  const added = await manage(directory, ['-c', '-', 'add', 'bob', ALICE], config);
  t.match(JSON.parse(added.stdout), { storage_servers: { alice: {}, bob: { public_key: ALICE } } });
  const signed = await manage(directory, ['-c', '-', 'sign', 'bob', '7'], added.stdout);
  t.match(JSON.parse(signed.stdout), { certificate: /pub-v0-/, signature: /^[a-z2-7]{103}$/ });
  const removed = await manage(directory, ['-c', '-', 'remove', 'bob'], added.stdout);
  t.equal(removed.stdout, config);
  t.same(await readdir(directory), []);
});

t.test('a list of the servers is published, each under a higher number', async (t) => {
  const directory = await temporaryDirectory(t);
  const gm = (...words: string[]): Promise<Outcome> => manage(directory, ['-c', 'gm', ...words]);
  await gm('create');
  await gm('add', 'alice', ALICE);
  await gm('add', 'bob', `pub-${serverIdOf(2)}`);
  const manager = parsePublicKey((await gm('public-identity')).stdout.trim()) ?? new Uint8Array();
  const entry = { serverId: serverIdOf(1), nickname: 'Alice', nurls: [], permutationSeed: new Uint8Array(32) };
  const furl = `pb://${'a'.repeat(32)}@tcp:127.0.0.1:1/swissnum`;
  await writeFile(join(directory, 'alice.yaml'), dangerouslyFormatServersYaml([{ ...entry, furl }]));
  const read = (outcome: Outcome): ReturnType<typeof verifyServerList> =>
    verifyServerList(Buffer.from(outcome.stdout), manager, 'it', crypto);
  const first = await gm('publish', 'alice.yaml', '--days', '5');
  t.match(first.stderr, /^warning: 'alice' has no valid certificate; sign one\nwarning: not in the list.*: 'bob'\n$/);
  await gm('sign', 'alice', '30');
  const second = read(await gm('publish', 'alice.yaml'));
  t.match(read(first), { number: 1, expiresMs: clock.nowMs() + 5 * DAY_MS, servers: [{ nickname: 'Alice' }] });
  t.same([second.number, second.servers[0]?.certificates.length, second.skipped], [2, 1, []]);
  t.equal(read(await gm('publish', 'alice.yaml', '--number', '9')).number, 9);
  t.match(await gm('publish', 'alice.yaml', '--number', '9'), {
    status: 1,
    stderr: /number 9 is not higher than that of the last list, 9/,
  });
  t.match(await gm('publish', 'alice.yaml', '--days', '0'), {
    status: 1,
    stderr: /--days must be a whole number from 1 to 365/,
  });
  t.match(await gm('publish', 'absent.yaml'), { status: 1, stderr: /absent\.yaml/ });
  await writeFile(
    join(directory, 'eve.yaml'),
    dangerouslyFormatServersYaml([{ ...entry, furl, serverId: serverIdOf(3) }]),
  );
  t.match(await gm('publish', 'eve.yaml'), { status: 1, stderr: /is not one of this grid manager's; add it first/ });
  await writeFile(join(directory, 'gm/published-number'), 'x\n');
  t.match(await gm('publish', 'alice.yaml'), { status: 1, stderr: /it is no number/ });
  const piped = await readFile(join(directory, 'gm/config.json'), 'utf8');
  t.match(await manage(directory, ['-c', '-', 'publish', 'alice.yaml'], piped), {
    status: 1,
    stderr: /--number is needed/,
  });
});

t.test('admin: keys, and a certificate for a node', async (t) => {
  const directory = await temporaryDirectory(t);
  const made = await runInPlace(['admin', 'generate-keypair'], directory);
  const [, privateKey = '', publicKey = ''] = /^private: (\S+)\npublic: (\S+)\n$/.exec(made.stdout) ?? [];
  t.match(publicKey, /^pub-v0-[a-z2-7]{52}$/);
  t.equal((await runInPlace(['admin', 'derive-pubkey', privateKey], directory)).stdout, made.stdout);
  const wrong = await runInPlace(['admin', 'derive-pubkey', privateKey.replace('v0', 'v1')], directory);
  t.match(wrong, { status: 1, stderr: /this is no private key/ });
  t.notOk(wrong.stderr.includes(privateKey.slice(8)));

  const node = join(directory, 'node');
  await mkdir(node);
  await writeFile(join(node, 'tahoe-client.tac'), '');
  await writeFile(join(node, 'tahoe.cfg'), '# mine\n[storage]\nenabled = true\n');
  const { certificateFile } = readVectors<{ certificateFile: string }>('grid-manager.json');
  await writeFile(join(directory, 'c.json'), certificateFile);
  const add = (...words: string[]): Promise<Outcome> =>
    runInPlace(['-d', node, 'admin', 'add-grid-manager-cert', ...words], directory);
  t.match(await add('-f', 'c.json', '-n', 'gm'), { status: 0, stderr: 'There are now 1 certificates\n' });
  t.equal(await readFile(join(node, 'gm.cert'), 'utf8'), `${certificateFile}\n`);
  const text = await readFile(join(node, 'tahoe.cfg'), 'utf8');
  t.match(
    text,
    /^# mine\n\[storage\]\nenabled = true\ngrid_management = True\n[^]*\[grid_manager_certificates\]\ngm = gm\.cert\n$/,
  );
  t.match(await add('-f', 'c.json', '-n', 'gm'), { status: 1, stderr: /there is a certificate 'gm' already/ });
  t.equal(await readFile(join(node, 'tahoe.cfg'), 'utf8'), text);
  t.match(await add('-f', 'c.json', '-n', 'two'), { stderr: 'There are now 2 certificates\n' });
  t.match(await add('-f', 'absent', '-n', 'x'), { status: 1, stderr: /absent/ });
  await writeFile(join(directory, 'c.json'), '{}');
  t.match(await add('-f', 'c.json', '-n', 'x'), { status: 1, stderr: /must hold a 'certificate' and a 'signature'/ });
});
