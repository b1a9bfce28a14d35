/** The SFTP server of a node: it starts with keys and accounts that are right, and lets in whom it knows. */
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import ssh2 from 'ssh2';
import t from 'tap';
import type { Test } from 'tap';
import { dangerouslyFormatCapability } from '#core/capability/format.js';
import { silentLog } from '#core/environment.js';
import { FileStore } from '#client/file-store.js';
import { storeServices } from '#gateway/services.js';
import { systemClock } from '#node/clock.js';
import { Closers } from '#node/closers.js';
import { startSftp } from '#node/sftp-service.js';
import type { SftpServiceOptions } from '#node/sftp-service.js';
import { Spool } from '#node/spool.js';
import { ManualClock, settle } from '#test/fixtures/clock.js';
import { storeContext } from '#test/fixtures/gateway-app.js';
import { MemoryGrid } from '#test/fixtures/memory-grid.js';
import { SftpUser } from '#test/fixtures/sftp-user.js';
import { temporaryDirectory } from './fixtures/temporary-directory.js';

const host = ssh2.utils.generateKeyPairSync('ed25519');
const other = ssh2.utils.generateKeyPairSync('ed25519');
const alice = ssh2.utils.generateKeyPairSync('ecdsa', { bits: 256 });

/** A server with good files, and the names of them. */
async function prepare(t: Test): Promise<{ options: SftpServiceOptions; file: (name: string) => string }> {
  const directory = await temporaryDirectory(t);
  const file = (name: string): string => join(directory, name);
  const grid = new MemoryGrid(1, { needed: 1, happy: 1, total: 1 });
  const store = new FileStore(storeContext(grid));
  const root = await store.createDirectory([], { format: 'sdmf' });
  await writeFile(file('host'), host.private);
  await writeFile(file('host.pub'), host.public);
  await writeFile(file('accounts'), `alice ${alice.public} her@laptop ${dangerouslyFormatCapability(root)}\n`);
  const closers = new Closers(systemClock, silentLog);
  t.teardown(() => closers.closeAll());
  const spool = new Spool(file('tmp'), { bytesMax: 1_000_000 });
  const options: SftpServiceOptions = {
    settings: {
      endpoint: { host: '127.0.0.1', port: 0, backlog: undefined, text: 'tcp:0' },
      accountsFile: file('accounts'),
      publicKeyFile: file('host.pub'),
      privateKeyFile: file('host'),
    },
    services: {
      ...storeServices(store, () => Promise.resolve()),
      clock: systemClock,
      log: silentLog,
      mutableFormat: 'sdmf',
      openScratch: () => spool.open(),
      freeBytes: () => undefined,
    },
    connectionsMax: 10,
    closers,
  };
  return { options, file };
}

t.test('files that are missing or wrong keep the node from starting', async (t) => {
  const { file, options } = await prepare(t);
  const wrong: readonly (readonly [name: string, text: string, reason: RegExp])[] = [
    ['host', 'nonsense', /no private key without a passphrase/],
    ['host', host.public, /no private key/],
    ['host.pub', other.public, /is not the public half of/],
    ['accounts', 'alice secret URI:DIR2:a:b', /line 1: Password-based authentication is not supported/],
    ['accounts', 'alice ssh-ed25519 AAAA URI:DIR2-LIT:', /line 1: the public key is damaged/],
  ];
  for (const [name, text, message] of wrong) {
    const { file, options } = await prepare(t);
    await writeFile(file(name), text);
    await t.rejects(startSftp(options), { code: 'ERR_CONFIG', message }, String(message));
  }
  const settings = { ...options.settings, accountsFile: file('absent') };
  await t.rejects(startSftp({ ...options, settings }), { code: 'ERR_FILE' });
});

t.test('who proves the key of an account gets its files, and nobody else anything', async (t) => {
  const { options } = await prepare(t);
  const port = await startSftp(options);
  const user = await SftpUser.connect(port, 'alice', alice.private);
  const bytes = Buffer.alloc(200_000, 'tallac');
  await user.put('/file', bytes.subarray(0, 30_000));
  t.ok((await user.get('/file')).equals(bytes.subarray(0, 30_000)));
  t.strictSame(
    (await user.list('/')).map(({ filename }) => filename),
    ['file'],
  );
  for (const [name, key] of [
    ['alice', other.private],
    ['bob', alice.private],
  ] as const) {
    await t.rejects(SftpUser.connect(port, name, key), /authentication methods failed/, name);
  }
  t.equal((await user.stat('/file')).size, 30_000, 'the others did not disturb');
  await options.closers.closeAll();
  await t.rejects(user.stat('/file'), 'the connection is ended');
  await t.rejects(SftpUser.connect(port, 'alice', alice.private), { code: 'ECONNREFUSED' });
});

t.test('who says nothing, or only half of it, is cut off', async (t) => {
  const { options } = await prepare(t);
  const clock = new ManualClock();
  const port = await startSftp({ ...options, services: { ...options.services, clock } });
  for (const words of ['', 'SSH-2.0-half\r\n']) {
    const socket = connect(port, '127.0.0.1');
    const closed = once(socket, 'close');
    socket.on('error', () => undefined);
    if (words !== '') socket.write(words);
    // The server greets with its version and, once it has ours, with its algorithms.
    for (let size = 0; size < (words === '' ? 1 : 200);) {
      const [piece] = (await once(socket, 'data')) as [Buffer];
      size += piece.length;
    }
    t.equal(clock.pending, 1, 'it has a deadline');
    clock.advance(60_000);
    socket.resume();
    await closed;
    await settle();
    t.equal(clock.pending, 0);
  }
});

t.test('a spool file is written anywhere, cut and filled up, and its bytes are counted', async (t) => {
  const spool = new Spool(await temporaryDirectory(t), { bytesMax: 1000 });
  const file = await spool.open();
  await file.write(10, Buffer.from('abc'));
  await file.write(0, Buffer.from('xy'));
  t.equal(Buffer.from(await file.read(0, 100)).toString('latin1'), 'xy\0\0\0\0\0\0\0\0abc');
  t.equal(spool.bytes, 13);
  await file.resize(11);
  await file.resize(12);
  t.equal(Buffer.from(await file.read(9, 100)).toString('latin1'), '\0a\0');
  t.equal(spool.bytes, 12);
  await t.rejects(file.write(990, Buffer.alloc(20)), { code: 'ERR_NO_SPACE' });
  await t.rejects(file.resize(2000), { code: 'ERR_NO_SPACE' });
  t.equal(file.size, 12);
  await file.close();
  t.equal(spool.bytes, 0);
});
