/**
 * The node directory: its kind, its durable files, and the secrets in it, against a directory of the reference.
 */
import { chmod, mkdir, readFile, readdir, stat, writeFile } from 'node:fs/promises';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import t from 'tap';
import { formatBase32, parseBase32 } from '#core/base32.js';
import { createNativeCrypto, systemRandom } from '#core/native-crypto.js';
import { createFileOnce, removeUnfinished, replaceFile } from '#node/durable-file.js';
import { NodeDirectory, identifyNodeType, listDirectory } from '#node/node-directory.js';
import {
  loadClientSecrets,
  loadIdentity,
  loadPermutationSeed,
  loadStorageAddress,
  renewApiToken,
} from '#node/node-secrets.js';
import { temporaryDirectory } from './fixtures/temporary-directory.js';

const vectorFile = new URL('../../../test/vectors/reference-node.json', import.meta.url);
const reference = JSON.parse(readFileSync(vectorFile, 'utf8')) as { files: Record<string, string> };
const crypto = await createNativeCrypto();
const TUB_ID = new Uint8Array(20).fill(7);

async function modeOf(path: string): Promise<number> {
  return (await stat(path)).mode & 0o777;
}

/** A directory with the files that the reference made. */
async function referenceDirectory(test: Parameters<typeof temporaryDirectory>[0]): Promise<NodeDirectory> {
  const directory = new NodeDirectory(await temporaryDirectory(test));
  for (const [name, text] of Object.entries(reference.files)) {
    await mkdir(dirname(directory.file(name)), { recursive: true });
    await writeFile(directory.file(name), text);
  }
  return directory;
}

async function freshDirectory(test: Parameters<typeof temporaryDirectory>[0]): Promise<NodeDirectory> {
  const directory = new NodeDirectory(await temporaryDirectory(test));
  await directory.ensurePrivate();
  return directory;
}

t.test('the kind of a node is read off its marker file', async (t) => {
  const kinds: [names: string[], kind: string][] = [
    [['tahoe-client.tac'], 'client'],
    [['tahoe-introducer.tac', 'tahoe.cfg'], 'introducer'],
    [['my-client-introducer.tac'], 'client'],
    [['b-client.tac', 'a-introducer.tac'], 'introducer'],
  ];
  for (const [names, kind] of kinds) {
    const directory = await temporaryDirectory(t);
    for (const name of names) await writeFile(join(directory, name), '');
    t.equal(await identifyNodeType(directory), kind, names.join(' '));
  }
  const empty = await temporaryDirectory(t);
  const message = `'${empty}' is not a node directory: it is not a recognizable node directory, for it holds no tahoe-client.tac; make one with tallac create-node`;
  await t.rejects(identifyNodeType(empty), { code: 'ERR_NOT_A_NODE', message });
  await writeFile(join(empty, 'tahoe-stats.tac'), '');
  await t.rejects(identifyNodeType(empty), { code: 'ERR_NOT_A_NODE', message });
  const doesNotLook = { code: 'ERR_NOT_A_NODE', message: /it does not look like a directory at all/ };
  await t.rejects(identifyNodeType(join(empty, 'absent')), doesNotLook);
  await t.rejects(identifyNodeType(join(empty, 'tahoe-stats.tac')), doesNotLook);
  await t.rejects(listDirectory(join(empty, 'absent')), { code: 'ERR_FILE', message: /ENOENT/ });
});

t.test('replaceFile and createFileOnce write whole files and leave nothing else', async (t) => {
  const directory = await temporaryDirectory(t);
  const path = join(directory, 'file');
  await replaceFile(path, 'one', 0o644);
  await replaceFile(path, 'two', 0o600);
  t.equal(await readFile(path, 'utf8'), 'two');
  t.equal(await modeOf(path), 0o600, 'the mode is the new one');
  t.equal(await createFileOnce(path, 'three', 0o600), false);
  t.equal(await readFile(path, 'utf8'), 'two');
  t.equal(await createFileOnce(join(directory, 'other'), new Uint8Array([1]), 0o666), true);
  t.equal(await modeOf(join(directory, 'other')), 0o666, 'the umask does not narrow it');
  t.strictSame((await readdir(directory)).sort(), ['file', 'other']);
  const lost = join(directory, 'absent', 'file');
  await t.rejects(replaceFile(lost, 'x', 0o600), { code: 'ERR_FILE', message: /absent\/file': ENOENT/ });
  await t.rejects(createFileOnce(lost, 'x', 0o600), { code: 'ERR_FILE', message: /absent\/file': ENOENT/ });
  await mkdir(join(directory, 'taken'));
  await t.rejects(replaceFile(join(directory, 'taken'), 'x', 0o600), { code: 'ERR_FILE' });
  t.strictSame((await readdir(directory)).sort(), ['file', 'other', 'taken'], 'a failure leaves nothing either');
});

t.test('of two that create a file at once, one wins and both know', async (t) => {
  const path = join(await temporaryDirectory(t), 'secret');
  const results = await Promise.all(
    Array.from({ length: 10 }, async (_, i) => ((await createFileOnce(path, String(i), 0o600)) ? i : undefined)),
  );
  const winners = results.filter((result) => result !== undefined);
  t.equal(winners.length, 1);
  t.equal(await readFile(path, 'utf8'), String(winners[0]));
});

t.test('what a crash left is removed', async (t) => {
  const directory = await freshDirectory(t);
  await writeFile(directory.file('.tahoe.cfg.0123.unfinished'), 'half');
  await writeFile(directory.privateFile('.secret.0123.unfinished'), 'half');
  await directory.removeUnfinished();
  t.strictSame(await readdir(directory.path), ['private']);
  t.strictSame(await readdir(directory.privateFile('')), ['README']);
  await t.rejects(removeUnfinished(directory.file('absent')), { code: 'ERR_FILE' });
});

t.test('private/ is made once, for its owner alone', async (t) => {
  const directory = await freshDirectory(t);
  t.equal(await modeOf(directory.privateFile('')), 0o700);
  await chmod(directory.privateFile(''), 0o750);
  await directory.ensurePrivate();
  t.equal(await modeOf(directory.privateFile('')), 0o750, 'an existing one stays as it is');
  const nowhere = new NodeDirectory(directory.file('absent'));
  await t.rejects(nowhere.ensurePrivate(), { code: 'ERR_FILE' });
});

t.test('files for everybody are written when they change', async (t) => {
  const directory = await freshDirectory(t);
  await directory.write('node.url', 'http://127.0.0.1:1/\n');
  t.equal(await modeOf(directory.file('node.url')), 0o644);
  const before = (await stat(directory.file('node.url'))).ino;
  await directory.write('node.url', 'http://127.0.0.1:1/\n');
  t.equal((await stat(directory.file('node.url'))).ino, before, 'the same content is not written again');
  await directory.write('node.url', 'http://127.0.0.1:2/\n');
  t.equal(await directory.read('node.url'), 'http://127.0.0.1:2/');
  t.equal(await directory.read('absent'), undefined);
  await t.rejects(directory.read('private'), { code: 'ERR_FILE', message: /EISDIR/ });
});

t.test('secrets are made once and kept', async (t) => {
  const directory = await freshDirectory(t);
  const first = await loadClientSecrets(directory, systemRandom);
  t.equal(first.leaseSecret.length, 32);
  t.equal(first.convergenceSecret.length, 32);
  t.strictNotSame(first.leaseSecret, first.convergenceSecret);
  t.strictSame(await loadClientSecrets(directory, systemRandom), first);
  for (const name of ['secret', 'convergence']) {
    t.match(await readFile(directory.privateFile(name), 'utf8'), /^[a-z2-7]{52}\n$/, `${name} ends in a newline`);
    t.equal(await modeOf(directory.privateFile(name)), 0o600);
  }
  const identity = await loadIdentity(directory, crypto, systemRandom);
  t.match(await readFile(directory.privateFile('node.privkey'), 'utf8'), /^priv-v0-[a-z2-7]{52}\n$/);
  t.equal(await readFile(directory.file('node.pubkey'), 'utf8'), `pub-${identity.serverId}\n`);
  t.strictSame(await loadIdentity(directory, crypto, systemRandom), identity);
});

t.test('a directory of the reference keeps every name it had', async (t) => {
  const directory = await referenceDirectory(t);
  const { files } = reference;
  const secrets = await loadClientSecrets(directory, systemRandom);
  t.equal(`${formatBase32(secrets.leaseSecret)}\n`, files['private/secret']);
  t.equal(`${formatBase32(secrets.convergenceSecret)}\n`, files['private/convergence']);
  const identity = await loadIdentity(directory, crypto, systemRandom);
  t.equal(`pub-${identity.serverId}\n`, files['node.pubkey']);
  const tubId = parseBase32(files['my_nodeid']?.trim() ?? '');
  const address = await loadStorageAddress(directory, tubId, ['tcp:localhost:43039'], systemRandom);
  t.equal(`${address.furl}\n`, files['private/storage.furl']);
  const given = { tubId, publicKey: identity.publicKey };
  const seed = await loadPermutationSeed(directory, { ...given, hasShares: false });
  t.equal(`${seed}\n`, files['permutation-seed']);
  for (const [name, text] of Object.entries(files)) t.equal(await readFile(directory.file(name), 'utf8'), text, name);
  const fresh = await freshDirectory(t);
  t.equal(await loadPermutationSeed(fresh, { ...given, hasShares: false }), seed, 'made anew it is the same seed');
});

t.test('a store that held shares before seeds were written keeps its tub id as seed', async (t) => {
  const directory = await freshDirectory(t);
  const given = { tubId: TUB_ID, publicKey: new Uint8Array(32) };
  t.equal(await loadPermutationSeed(directory, { ...given, hasShares: true }), formatBase32(TUB_ID));
  t.equal(await loadPermutationSeed(directory, { ...given, hasShares: false }), formatBase32(TUB_ID), 'once for all');
});

t.test('the storage furl keeps its swissnum when the hints change', async (t) => {
  const directory = await freshDirectory(t);
  const first = await loadStorageAddress(directory, TUB_ID, ['tcp:a:1'], systemRandom);
  t.match(first.furl, /^pb:\/\/[a-z2-7]{32}@tcp:a:1\/[a-z2-7]{32}$/);
  t.ok(first.furl.endsWith(`/${first.swissnum}`));
  const second = await loadStorageAddress(directory, TUB_ID, ['tcp:b:2', 'tor:c:3'], systemRandom);
  t.equal(second.swissnum, first.swissnum);
  t.equal(await readFile(directory.privateFile('storage.furl'), 'utf8'), `${second.furl}\n`);
  t.match(second.furl, /@tcp:b:2,tor:c:3\//);
  t.equal(await modeOf(directory.privateFile('storage.furl')), 0o600);
});

t.test('the token of the private area is new at each start', async (t) => {
  const directory = await freshDirectory(t);
  const token = await renewApiToken(directory, systemRandom);
  t.match(token, /^[A-Za-z0-9_-]{43}=$/);
  t.equal(await readFile(directory.privateFile('api_auth_token'), 'utf8'), `${token}\n`);
  t.not(await renewApiToken(directory, systemRandom), token);
  t.equal(await modeOf(directory.privateFile('api_auth_token')), 0o600);
  const ones = await renewApiToken(directory, { bytes: (size) => new Uint8Array(size).fill(0xff) });
  t.equal(ones, `${'_'.repeat(42)}8=`);
});

t.test('damaged secrets are refused, neither shown nor made anew', async (t) => {
  const damaged: [name: string, text: string, reason: RegExp][] = [
    ['secret', '', /it is empty; put its content back/],
    ['secret', '\n', /it is empty/],
    ['convergence', 'not-base32!', /it is not base32/],
    ['node.privkey', `priv-v0-${'a'.repeat(51)}`, /it is not priv-v0- and 52 characters/],
    ['node.privkey', `priv-v0-${'b'.repeat(52)}`, /it is not base32/],
    ['storage.furl', 'pb://short@x/secretsecret', /it is not a furl/],
    ['storage.furl', `pb://${'b'.repeat(32)}@tcp:a:1/secretsecret`, /it belongs to another certificate/],
  ];
  for (const [name, text, reason] of damaged) {
    const directory = await freshDirectory(t);
    await writeFile(directory.privateFile(name), text);
    const loadAll = async (): Promise<void> => {
      await loadClientSecrets(directory, systemRandom);
      await loadIdentity(directory, crypto, systemRandom);
      await loadStorageAddress(directory, TUB_ID, [], systemRandom);
    };
    const error: unknown = await loadAll().then(
      () => undefined,
      (error: unknown) => error,
    );
    t.match(error, { code: 'ERR_FILE', message: reason }, name);
    t.match(error, { message: new RegExp(`private/${name}': `) });
    t.notMatch(error, { message: /secretsecret|not-base32!|bbbb/ }, 'nothing of it is shown');
    t.equal(await readFile(directory.privateFile(name), 'utf8'), text, 'it is still there');
  }
});
