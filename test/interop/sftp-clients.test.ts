/**
 * The programs that people use over SFTP, unchanged: OpenSSH's sftp with every type of key, lftp, rclone, sshfs where there is
 * FUSE, and restic. Each is skipped where it is not installed.
 */
import { findProgram } from '../fixtures/foreign-programs.js';
import { execFile } from 'node:child_process';
import { randomFillSync } from 'node:crypto';
import { existsSync } from 'node:fs';
import {
  appendFile,
  cp,
  mkdir,
  mkdtemp,
  open,
  readdir,
  readFile,
  rename,
  rm,
  rmdir,
  stat,
  statfs,
  truncate,
  writeFile,
} from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import t from 'tap';
import type { Test } from 'tap';
import { ProcessGrid } from '#test/fixtures/process-grid.js';
import type { GridNode } from '#test/fixtures/process-grid.js';
import { enableSftp, SftpUser, statusOf, userKeys, WRITE_ANEW } from '#test/fixtures/sftp-user.js';

const KEYS: readonly (readonly string[])[] = [
  ['ed25519'],
  ['ecdsa', '-b', '256'],
  ['ecdsa', '-b', '384'],
  ['ecdsa', '-b', '521'],
  ['rsa', '-b', '3072'],
];
const COMMAND_TIMEOUT_MS = 240_000;
const LARGE_SIZE = 20_000_000;

interface Ran {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

async function run(file: string, args: readonly string[], environment: NodeJS.ProcessEnv = {}): Promise<Ran> {
  const options = { timeout: COMMAND_TIMEOUT_MS, env: { ...process.env, ...environment } };
  try {
    return { status: 0, ...(await promisify(execFile)(file, args, options)) };
  } catch (error) {
    const { code, stderr = '', stdout = '' } = error as { code?: number | string; stdout?: string; stderr?: string };
    return { status: typeof code === 'number' ? code : -1, stdout, stderr: `${String(code)} ${stderr}` };
  }
}

/** A folder of a user as sshfs shows it, until the test ends. */
class Mounted {
  readonly #place: Place;
  readonly #directory: string;

  constructor(t: Test, place: Place) {
    this.#place = place;
    this.#directory = place.file('mounted');
    t.teardown(() => run('fusermount3', ['-uz', this.#directory]));
  }

  path(name = ''): string {
    return join(this.#directory, name);
  }

  async mount(): Promise<Ran> {
    await mkdir(this.#directory, { recursive: true });
    const args = [...this.#place.ssh('ed25519').slice(1), '-p', String(this.#place.port)];
    return run('sshfs', [...args.flatMap(asMountOption), 'ed25519@127.0.0.1:/', this.#directory]);
  }

  unmount(): Promise<Ran> {
    return run('fusermount3', ['-u', this.#directory]);
  }
}

/** sshfs takes what ssh does, but for the name of the key. */
function asMountOption(word: string, i: number, words: readonly string[]): readonly string[] {
  if (word === '-i') return ['-o', `IdentityFile=${words[i + 1] ?? ''}`];
  return words[i - 1] === '-i' ? [] : [word];
}

/** A node that serves SFTP, and a directory of this machine with keys and files. */
class Place {
  readonly grid: ProcessGrid;
  readonly node: GridNode;
  readonly directory: string;
  readonly port: number;

  private constructor(grid: ProcessGrid, directory: string, port: number) {
    this.grid = grid;
    this.node = grid.gateway('ours');
    this.directory = directory;
    this.port = port;
  }

  static async make(): Promise<Place> {
    const encoding = { needed: 1, happy: 1, total: 1 };
    const grid = await ProcessGrid.start({ storage: ['ours'], gateways: ['ours'], encoding });
    const directory = await mkdtemp(join(tmpdir(), 'tallac-sftp-'));
    const node = grid.gateway('ours');
    const reply = await fetch(`${await node.url()}uri?t=mkdir`, { method: 'POST' });
    const root = await reply.text();
    const accounts = [`alice ${userKeys.public} ${root}`];
    for (const [type = '', ...rest] of KEYS) {
      const file = join(directory, `${type}${rest.at(-1) ?? ''}`);
      await run('ssh-keygen', ['-q', '-t', type, ...rest, '-N', '', '-f', file]);
      accounts.push(`${type}${rest.at(-1) ?? ''} ${(await readFile(`${file}.pub`, 'utf8')).trim()} ${root}`);
    }
    const port = await enableSftp(node, accounts);
    await node.stop();
    await node.start();
    await grid.connected(node);
    return new Place(grid, directory, port);
  }

  async close(): Promise<void> {
    await this.grid.stop();
    await rm(this.directory, { recursive: true, force: true });
  }

  file(name: string): string {
    return join(this.directory, name);
  }

  /** A command that speaks SSH as that user. */
  ssh(user: string): string[] {
    const options = ['StrictHostKeyChecking=no', `UserKnownHostsFile=${this.file('hosts')}`, 'BatchMode=yes'];
    return ['-q', '-i', this.file(user), ...options.flatMap((option) => ['-o', option])];
  }

  async sftp(user: string, ...lines: readonly string[]): Promise<Ran> {
    await writeFile(this.file('batch'), `${lines.join('\n')}\n`);
    const args = [...this.ssh(user), '-P', String(this.port), '-b', this.file('batch'), `${user}@127.0.0.1`];
    return run('sftp', args);
  }

  async writeRandom(name: string, size: number): Promise<Buffer> {
    await mkdir(dirname(this.file(name)), { recursive: true });
    const bytes = randomFillSync(Buffer.alloc(size));
    await writeFile(this.file(name), bytes);
    return bytes;
  }
}

t.test('clients over SFTP', { timeout: 580_000 }, async (t) => {
  if (findProgram(t, 'sftp') === undefined) return;
  const place = await Place.make();
  t.teardown(() => place.close());

  await t.test('OpenSSH: every type of key, whole files, rename over what is there', async (t) => {
    const small = await place.writeRandom('small', 100);
    for (const [type = '', ...rest] of KEYS) {
      const user = `${type}${rest.at(-1) ?? ''}`;
      const lines = [
        'put {small} a',
        'put {small} b',
        'rename a b',
        'get b {back}',
        'mkdir d',
        'ls -l',
        'rmdir d',
        'rm b',
      ];
      const filled = lines.map((line) =>
        line.replace('{small}', place.file('small')).replace('{back}', place.file('back')),
      );
      const ran = await place.sftp(user, ...filled);
      t.equal(ran.status, 0, `${user}: ${ran.stderr}`);
      t.ok((await readFile(place.file('back'))).equals(small), user);
    }
  });

  await t.test('OpenSSH: a large file both ways, df, refusals', async (t) => {
    const large = await place.writeRandom('large', LARGE_SIZE);
    const ran = await place.sftp(
      'ed25519',
      `put ${place.file('large')} large`,
      `get large ${place.file('back')}`,
      'df',
    );
    t.equal(ran.status, 0, ran.stderr);
    t.ok((await readFile(place.file('back'))).equals(large));
    t.match(ran.stdout, /%Capacity/);
    const more = await place.sftp('ed25519', `reget large ${place.file('back')}`, 'chmod 444 large', 'chmod 644 large');
    t.equal(more.status, 0, more.stderr);
    for (const line of [
      'get absent',
      'mkdir large',
      'rmdir large',
      'rm absent',
      'symlink a b',
      'put /dev/null large/x',
    ]) {
      t.equal((await place.sftp('ed25519', line)).status, 1, line);
    }
  });

  await t.test('scp by SFTP, and nothing but SFTP', async (t) => {
    const options = [...place.ssh('ed25519'), '-P', String(place.port)];
    const copied = await run('scp', [...options, place.file('small'), 'ed25519@127.0.0.1:copied']);
    t.equal(copied.status, 0, copied.stderr);
    const ssh = [...place.ssh('ed25519'), '-p', String(place.port), 'ed25519@127.0.0.1'];
    const shell = await run('ssh', [...ssh, 'rm', '-rf', '/']);
    t.equal(shell.status, 1);
    t.match(shell.stderr, /speaks SFTP alone/);
    t.match((await run('ssh', [...ssh, 'df', '-P', '-k', '/'])).stdout, /1024-blocks/);
  });

  await t.test('who has no key of the accounts is not let in, and the log names none', async (t) => {
    await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', place.file('stranger')]);
    for (const user of ['alice', 'nobody']) {
      const args = [...place.ssh('stranger'), '-P', String(place.port), '-b', '/dev/null', `${user}@127.0.0.1`];
      t.equal((await run('sftp', args)).status, 255, user);
    }
    const noKey = [...place.ssh('ed25519'), '-P', String(place.port), '-b', '/dev/null', 'alice@127.0.0.1'];
    t.equal((await run('sftp', noKey)).status, 255, 'the key of another account');
    t.notMatch(place.node.output, /URI:|AAAA/);
  });

  await t.test('a connection that is cut in the middle of a write leaves nothing', async (t) => {
    const user = await SftpUser.connect(place.port);
    await user.put('/kept', Buffer.from('as it was'));
    for (const name of ['/kept', '/half']) {
      const handle = await user.open(name, WRITE_ANEW);
      await user.write(handle, 0, Buffer.alloc(30_000, 1));
    }
    user.client.destroy();
    const again = await SftpUser.connect(place.port);
    t.equal((await again.get('/kept')).toString(), 'as it was');
    t.equal(await again.stat('/half').catch(statusOf), 2);
    again.close();
  });

  await t.test('what is no SSH is cut off, and the others go on', async (t) => {
    for (const nonsense of ['GET / HTTP/1.1\r\n\r\n', 'SSH-2.0-x\r\n'.padEnd(5000, '\xff')]) {
      const socket = connect(place.port, '127.0.0.1');
      socket.on('error', () => undefined);
      socket.resume();
      socket.end(Buffer.from(nonsense, 'latin1'));
      await new Promise((resolve) => socket.once('close', resolve));
    }
    t.equal((await place.sftp('ed25519', 'ls')).status, 0);
  });

  await t.test('lftp', async (t) => {
    if (findProgram(t, 'lftp') === undefined) return;
    const one = await place.writeRandom('tree/one', 3000);
    const two = await place.writeRandom('tree/deep/two', 300_000);
    const commands = [
      `set sftp:connect-program "ssh -a -x ${place.ssh('ed25519').join(' ')}"`,
      'set net:max-retries 2',
      `open -u ed25519, sftp://127.0.0.1:${String(place.port)}`,
      `mirror -R ${place.file('tree')} lftp`,
      `mirror lftp ${place.file('mirrored')}`,
      'mv lftp/one lftp/three',
      'cls -1 lftp',
      'rm -r lftp',
    ];
    const ran = await run('lftp', ['-c', commands.join('; ')], { HOME: place.directory });
    t.equal(ran.status, 0, ran.stderr);
    t.match(ran.stdout, /three/);
    t.ok((await readFile(place.file('mirrored/one'))).equals(one));
    t.ok((await readFile(place.file('mirrored/deep/two'))).equals(two));
  });

  await t.test('rclone', async (t) => {
    if (findProgram(t, 'rclone') === undefined) return;
    for (let i = 0; i < 20; i++)
      await place.writeRandom(`many/${i % 2 === 0 ? 'deep/' : ''}${String(i)}`, 1 + i * 9_999);
    const config = `[grid]
type = sftp
host = 127.0.0.1
port = ${String(place.port)}
user = ed25519
key_file = ${place.file('ed25519')}
`;
    await writeFile(place.file('rclone.conf'), config);
    const rclone = (...args: string[]): Promise<Ran> => run('rclone', ['--config', place.file('rclone.conf'), ...args]);
    const copied = await rclone('copy', place.file('many'), 'grid:rclone');
    t.equal(copied.status, 0, copied.stderr);
    const checked = await rclone('check', '--download', place.file('many'), 'grid:rclone');
    t.equal(checked.status, 0, checked.stderr);
    t.equal((await rclone('moveto', 'grid:rclone/1', 'grid:rclone/moved')).status, 0);
    t.match((await rclone('lsf', '-R', 'grid:rclone')).stdout, /moved\n/);
    t.match((await rclone('about', 'grid:')).stdout, /Free:/);
    t.equal((await rclone('purge', 'grid:rclone')).status, 0);
  });

  await t.test('sshfs', async (t) => {
    if (findProgram(t, 'sshfs') === undefined) return;
    if (!existsSync('/dev/fuse')) {
      t.pass('no FUSE', { skip: 'this machine has no FUSE' });
      return;
    }
    const mounted = new Mounted(t, place);
    const ran = await mounted.mount();
    t.equal(ran.status, 0, ran.stderr);
    if (ran.status !== 0) return;
    await mkdir(mounted.path('fuse/deep'), { recursive: true });
    const large = await place.writeRandom('mountable/large', 3_000_000);
    const small = await place.writeRandom('mountable/deep/small', 300);
    await cp(place.file('mountable'), mounted.path('fuse'), { recursive: true });
    t.ok((await readFile(mounted.path('fuse/large'))).equals(large), 'what was written is there at once');
    await appendFile(mounted.path('fuse/deep/small'), 'behind it');
    const middle = await open(mounted.path('fuse/large'), 'r+');
    await middle.write(Buffer.from('in the middle'), 0, 13, 1_000_000);
    await middle.close();
    await writeFile(mounted.path('fuse/cut'), small);
    await truncate(mounted.path('fuse/cut'), 100);
    await writeFile(mounted.path('fuse/new'), 'new');
    await writeFile(mounted.path('fuse/old'), 'old');
    await rename(mounted.path('fuse/new'), mounted.path('fuse/old'));
    await t.rejects(readFile(mounted.path('fuse/new')), { code: 'ENOENT' });
    await t.rejects(rmdir(mounted.path('fuse')), 'what is not empty stays');
    t.ok((await statfs(mounted.path())).bavail > 0);
    t.equal((await mounted.unmount()).status, 0);

    // Nothing of it comes from a memory of this machine any more.
    t.equal((await mounted.mount()).status, 0);
    large.write('in the middle', 1_000_000);
    t.ok((await readFile(mounted.path('fuse/large'))).equals(large));
    t.ok((await readFile(mounted.path('fuse/deep/small'))).equals(Buffer.concat([small, Buffer.from('behind it')])));
    t.ok((await readFile(mounted.path('fuse/cut'))).equals(small.subarray(0, 100)));
    t.equal((await readFile(mounted.path('fuse/old'))).toString(), 'new');
    t.strictSame((await readdir(mounted.path('fuse'))).sort(), ['cut', 'deep', 'large', 'old']);
    t.equal((await stat(mounted.path('fuse/large'))).size, large.length);
    await rm(mounted.path('fuse'), { recursive: true });
    await t.rejects(stat(mounted.path('fuse')), { code: 'ENOENT' });
    t.equal((await mounted.unmount()).status, 0);
  });

  await t.test('restic', async (t) => {
    if (findProgram(t, 'restic') === undefined) return;
    await place.writeRandom('data/one', 2_000_000);
    await place.writeRandom('data/two', 5000);
    const command = `ssh ${place.ssh('ed25519').join(' ')} -p ${String(place.port)} ed25519@127.0.0.1 -s sftp`;
    const restic = (...args: string[]): Promise<Ran> =>
      run('restic', ['-r', 'sftp:ed25519@127.0.0.1:/restic', '-o', `sftp.command=${command}`, ...args], {
        RESTIC_PASSWORD: 'test',
        HOME: place.directory,
      });
    for (const args of [
      ['init'],
      ['backup', place.file('data')],
      ['backup', place.file('data')],
      ['forget', '--keep-last', '1', '--prune'],
      ['check', '--read-data'],
      ['restore', 'latest', '--target', place.file('restored')],
    ]) {
      const ran = await restic(...args);
      t.equal(ran.status, 0, `${args.join(' ')}: ${ran.stderr}`);
    }
    const restored = await readFile(join(place.file('restored'), place.file('data/one')));
    t.ok(restored.equals(await readFile(place.file('data/one'))));
  });
});
