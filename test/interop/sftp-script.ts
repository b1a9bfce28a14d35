/** The cases that run against the SFTP servers of both programs: each goes on from what the earlier ones left. */
import type { Stats } from 'ssh2';
import {
  APPEND,
  CREATE,
  EXCLUSIVE,
  READ,
  TRUNCATE,
  WRITE,
  WRITE_ANEW,
  called,
  told,
} from '#test/fixtures/sftp-user.js';
import {
  byCapability,
  bytes,
  chmod,
  differs,
  fsetSize,
  fstat,
  get,
  list,
  lstat,
  mkdir,
  open,
  opened,
  outcome,
  posixRename,
  put,
  realpath,
  remove,
  rename,
  rmdir,
  stat,
  the,
} from './sftp-case.js';
import type { SftpCase } from './sftp-case.js';

const paths: readonly SftpCase[] = [
  realpath('.'),
  realpath(''),
  realpath('/'),
  realpath('a/../b/./c/'),
  realpath('../../..'),
  realpath('/uri/x'),
  stat('/'),
  lstat('/'),
  stat('.'),
  stat('/absent'),
  lstat('/absent'),
  stat('/absent/deeper'),
  list('/'),
  list('/absent'),
];

const files: readonly SftpCase[] = [
  put('/empty', 0),
  stat('/empty'),
  get('/empty'),
  put('/short', 55),
  stat('/short'),
  get('/short'),
  put('/long', 5000),
  stat('/long'),
  lstat('/long'),
  get('/long'),
  put('/long', 3000),
  get('/long'),
  open('/absent', READ),
  open('/absent', WRITE),
  open('/absent', WRITE | TRUNCATE),
  open('/', READ),
  open('/long', 0),
  open('/long', CREATE),
  open('/long', WRITE | EXCLUSIVE),
  open('/long', WRITE | CREATE | EXCLUSIVE),
  open('/exclusive', WRITE | CREATE | EXCLUSIVE),
  stat('/exclusive'),
  put('/exclusive-full', 100, WRITE | CREATE | EXCLUSIVE),
  get('/exclusive-full'),
  opened('write in the middle', '/long', WRITE, ({ user }, handle) => user.write(handle, 10, Buffer.from('HELLO'))),
  get('/long'),
  opened('append', '/long', WRITE | APPEND, ({ user }, handle) => user.write(handle, 0, Buffer.from('END'))),
  stat('/long'),
  opened('a gap', '/gap', WRITE_ANEW, ({ user }, handle) => user.write(handle, 100, Buffer.from('x'))),
  get('/gap'),
  opened('read what was written', '/both', READ | WRITE_ANEW, async (side, handle) => {
    await side.user.write(handle, 0, bytes(1000));
    return [(await side.user.read(handle, 10, 20)).toString('base64'), await fstat(side, handle)];
  }),
  opened('read and write what is there', '/long', READ | WRITE, async ({ user }, handle) => {
    await user.write(handle, 2, Buffer.from('zz'));
    return (await user.read(handle, 0, 8)).toString('base64');
  }),
  opened('read behind the end', '/long', READ, ({ user }, handle) => user.read(handle, 100_000, 10)),
  opened('read across the end', '/short', READ, async ({ user }, handle) => (await user.read(handle, 50, 100)).length),
  opened(
    'read across the end of a longer one',
    '/long',
    READ,
    async ({ user }, handle) => (await user.read(handle, 2990, 100)).length,
  ),
  opened('read what is only written', '/long', WRITE, ({ user }, handle) => user.read(handle, 0, 10)),
  opened('write what is only read', '/long', READ, ({ user }, handle) => user.write(handle, 0, Buffer.from('x'))),
  opened('write what is only read, short', '/short', READ, ({ user }, handle) =>
    user.write(handle, 0, Buffer.from('x')),
  ),
  opened('fstat', '/long', READ, fstat),
  opened('fstat of a short one', '/short', READ, fstat),
  opened('fstat of a new one', '/fresh', WRITE_ANEW, fstat),
  opened('fsetstat of what is only read', '/long', READ, (side, handle) => fsetSize(side, handle, 1)),
  opened('cut after a write', '/cut', WRITE_ANEW, async (side, handle) => {
    await side.user.write(handle, 0, bytes(1000));
    await fsetSize(side, handle, 10);
    return fstat(side, handle);
  }),
  stat('/cut'),
  opened('lengthen', '/cut', WRITE, async (side, handle) => {
    await side.user.write(handle, 0, Buffer.from('!'));
    await fsetSize(side, handle, 30);
    return fstat(side, handle);
  }),
  get('/cut'),
  opened('cut alone', '/cut', WRITE, (side, handle) => fsetSize(side, handle, 5)),
  differs('S1', { mode: 0o100666, size: 5 }, stat('/cut')),
  remove('/cut'),
  opened('two closes', '/long', READ, ({ user }, handle) => user.closeHandle(handle)),
  the('a handle that is none', ({ user }) => user.closeHandle(Buffer.from('none'))),
  differs(
    'S3',
    2,
    the('read of a handle that is none', ({ user }) => user.read(Buffer.from('none'), 0, 1)),
  ),
  differs(
    'S3',
    2,
    the('fstat of a handle that is none', ({ user }) =>
      called<Stats>((back) => user.sftp.fstat(Buffer.from('none'), back)),
    ),
  ),
];

const directories: readonly SftpCase[] = [
  mkdir('/d'),
  mkdir('/d'),
  stat('/d'),
  mkdir('/d/e/f'),
  list('/d'),
  list('/d/e'),
  mkdir('/long'),
  mkdir('/long/x'),
  mkdir('/read-only', 0o555),
  put('/d/file', 60),
  list('/d'),
  put('/absent/file', 60),
  differs('S4', 2, put('/long/file', 60)),
  differs('S4', 2, stat('/long/file')),
  list('/long'),
  open('/d', READ),
  open('/d', WRITE),
  remove('/d'),
  remove('/absent'),
  rmdir('/absent'),
  rmdir('/long'),
  rmdir('/d/e/f'),
  stat('/d/e/f'),
  mkdir('/n/x'),
  differs('S2', 4, rmdir('/n')),
  differs('S2', { mode: 0o040777, size: undefined }, stat('/n')),
  differs('S2', 'done', rmdir('/n/x')),
  differs('S2', 'done', rmdir('/n')),
  rmdir('/d/e'),
  put('/d/file', 60),
  remove('/d/file'),
  stat('/d/file'),
  remove('/'),
  rmdir('/'),
  list('/'),
];

const renames: readonly SftpCase[] = [
  put('/r1', 100),
  put('/r2', 200),
  rename('/r1', '/r2'),
  rename('/r1', '/r3'),
  stat('/r3'),
  stat('/r1'),
  posixRename('/r3', '/r2'),
  stat('/r2'),
  posixRename('/absent', '/r2'),
  rename('/absent', '/r9'),
  rename('/r2', '/absent/r'),
  rename('/r2', '/d/r'),
  stat('/d/r'),
  rename('/d', '/moved'),
  list('/moved'),
  rename('/', '/x'),
  rename('/moved', '/'),
];

const attributes: readonly SftpCase[] = [
  put('/a', 100),
  chmod('/a', 0o444),
  stat('/a'),
  open('/a', WRITE),
  chmod('/a', 0o644),
  stat('/a'),
  chmod('/absent', 0o644),
  differs('S4', 2, chmod('/', 0o755)),
  the('times', ({ user }) => called((back) => user.sftp.utimes('/a', 5, 5, (error) => back(error, undefined)))),
  the('size by path', ({ user }) =>
    called((back) => user.sftp.setstat('/a', { size: 1 }, (error) => back(error, undefined))),
  ),
  the('put with a mode that is read-only', ({ user }) => user.put('/ro', bytes(100), WRITE_ANEW, { mode: 0o400 })),
  stat('/ro'),
  open('/ro', WRITE),
  the('put over it with no mode at all, as sshfs does', ({ user }) => user.put('/ro', bytes(90), WRITE, { mode: 0 })),
  stat('/ro'),
  open('/ro', WRITE),
  the('readlink', ({ user }) => called<string>((back) => user.sftp.readlink('/a', back))),
  the('symlink', ({ user }) => called((back) => user.sftp.symlink('/a', '/b', (error) => back(error, undefined)))),
  the('an extension that is none', ({ user }) =>
    called((back) => user.sftp.ext_openssh_hardlink('/a', '/b', (error) => back(error, undefined))).catch(
      () => 'refused',
    ),
  ),
];

const capabilities: readonly SftpCase[] = [
  byCapability('dir', '', stat),
  byCapability('dir', '', list),
  byCapability('dir', '/in', (path) => put(path, 70)),
  byCapability('dir', '/in', stat),
  byCapability('dir', '/in', get),
  byCapability('dir', '/sub', mkdir),
  byCapability('dir-ro', '', stat),
  byCapability('dir-ro', '', list),
  byCapability('dir-ro', '/in', stat),
  byCapability('dir-ro', '/in', get),
  byCapability('dir-ro', '/in', (path) => open(path, WRITE)),
  byCapability('dir-ro', '/new', (path) => open(path, WRITE | CREATE)),
  byCapability('dir-ro', '/new', (path) => open(path, WRITE | CREATE | EXCLUSIVE)),
  differs('S4', 3, byCapability('dir-ro', '/new', mkdir)),
  differs('S4', 3, byCapability('dir-ro', '/in', remove)),
  differs(
    'S4',
    3,
    byCapability('dir-ro', '/in', (path) => chmod(path, 0o444)),
  ),
  byCapability('chk', '', stat),
  byCapability('chk', '', get),
  byCapability('chk', '', (path) => open(path, WRITE)),
  byCapability('chk', '', list),
  byCapability('chk', '', remove),
  differs(
    'S4',
    2,
    byCapability('chk', '', (path) => chmod(path, 0o444)),
  ),
  byCapability('lit', '', stat),
  byCapability('lit', '', get),
  byCapability('sdmf', '', stat),
  byCapability('sdmf', '', get),
  byCapability('sdmf', '', (path) => put(path, 500)),
  byCapability('sdmf', '', stat),
  byCapability('sdmf', '', (path) => open(path, WRITE | CREATE | EXCLUSIVE)),
  byCapability('sdmf-ro', '', stat),
  byCapability('sdmf-ro', '', (path) => open(path, WRITE)),
  byCapability('frozen', '', stat),
  byCapability('frozen', '', list),
  byCapability('frozen', '/one', get),
  differs('S4', 3, byCapability('frozen', '/one', remove)),
  byCapability('future', '', stat),
  byCapability('future', '', list),
  byCapability('future', '', (path) => open(path, READ)),
  byCapability('kids', '', list),
  byCapability('kids', '/unknown', stat),
  byCapability('kids', '/unknown', (path) => open(path, READ)),
  byCapability('kids', '/mutable', stat),
  byCapability('kids', '/mutable', (path) => put(path, 90)),
  byCapability('kids', '/mutable', get),
  byCapability('kids', '/mutable-ro', stat),
  byCapability('kids', '/mutable-ro', (path) => open(path, WRITE)),
  differs('S4', 2, stat('/uri')),
];

/** Asked for without waiting for what came before. */
const hasty: readonly SftpCase[] = [
  the('stat right after close', async ({ user }) => {
    const handle = await user.open('/h1', WRITE_ANEW);
    await user.write(handle, 0, bytes(5000));
    const closed = user.closeHandle(handle);
    const seen = told(await user.stat('/h1'));
    await closed;
    return seen;
  }),
  the('remove right after close', async ({ user }) => {
    const handle = await user.open('/h2', WRITE_ANEW);
    await user.write(handle, 0, bytes(5000));
    const [closed, removed] = await Promise.all([
      outcome(user.closeHandle(handle)),
      outcome(called((back) => user.sftp.unlink('/h2', (error) => back(error, undefined)))),
    ]);
    return [closed, removed, await outcome(user.stat('/h2'))];
  }),
  the('rename right after close', async ({ user }) => {
    const handle = await user.open('/h3', WRITE_ANEW);
    await user.write(handle, 0, bytes(5000));
    const done = await Promise.all([
      outcome(user.closeHandle(handle)),
      outcome(called((back) => user.sftp.rename('/h3', '/h4', (error) => back(error, undefined)))),
    ]);
    return [done, told(await user.stat('/h4')), await outcome(user.stat('/h3'))];
  }),
  the('stat of what is open', async ({ user }) => {
    const handle = await user.open('/h5', WRITE_ANEW);
    await user.write(handle, 0, bytes(700));
    const seen = told(await user.stat('/h5'));
    await user.closeHandle(handle);
    return seen;
  }),
  the('rename of what is open', async ({ user }) => {
    const handle = await user.open('/h6', WRITE_ANEW);
    await user.write(handle, 0, bytes(700));
    await called((back) => user.sftp.rename('/h6', '/h7', (error) => back(error, undefined)));
    await user.closeHandle(handle);
    return [await outcome(user.stat('/h6')), told(await user.stat('/h7'))];
  }),
  the('remove of what is open', async ({ user }) => {
    const handle = await user.open('/h8', WRITE_ANEW);
    await user.write(handle, 0, bytes(700));
    await called((back) => user.sftp.unlink('/h8', (error) => back(error, undefined)));
    await user.closeHandle(handle);
    return outcome(user.stat('/h8'));
  }),
  differs(
    'S5',
    5000,
    the('read right after close', async ({ user }) => {
      const handle = await user.open('/h9', WRITE_ANEW);
      await user.write(handle, 0, bytes(5000));
      const closed = user.closeHandle(handle);
      const seen = await outcome(user.get('/h9').then(({ length }) => length));
      await closed;
      return seen;
    }),
  ),
  list('/'),
];

/** All of them, in their order: each goes on from what the earlier ones left. */
export const sftpScript: readonly SftpCase[] = [
  ...paths,
  ...files,
  ...directories,
  ...renames,
  ...attributes,
  ...capabilities,
  ...hasty,
];
