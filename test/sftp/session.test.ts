/**
 * Sessions over a grid in memory: what is on its way is waited for, what is not closed is lost, limits hold, and who
 * sends nonsense is let go.
 */
import { Duplex } from 'node:stream';
import t from 'tap';
import { ByteWriter, concat, utf8 } from '#core/bytes.js';
import type { DirectoryCapability } from '#core/capability/types.js';
import { TahoeError } from '#core/errors.js';
import { silentLog } from '#core/environment.js';
import { FileStore } from '#client/file-store.js';
import { storeServices } from '#gateway/services.js';
import { serveChannel, UNANSWERED_MAX } from '#sftp/channel-loop.js';
import { HANDLES_PER_USER_MAX, UserShare } from '#sftp/handles.js';
import { PendingFiles } from '#sftp/pending-files.js';
import type { Reply } from '#sftp/replies.js';
import type { Request } from '#sftp/requests.js';
import type { Scratch, SftpServices } from '#sftp/services.js';
import { SftpSession } from '#sftp/session.js';
import { UserFiles } from '#sftp/user-files.js';
import type { WrittenFile } from '#sftp/written-file.js';
import { settle } from '#test/fixtures/clock.js';
import { storeContext } from '#test/fixtures/gateway-app.js';
import { MemoryGrid } from '#test/fixtures/memory-grid.js';

const WRITE_ANEW = 2 | 8 | 16;
const none = {};

/** A scratch file in memory, which may fail. */
class MemoryScratch implements Scratch {
  bytes = new Uint8Array(0);
  isClosed = false;
  failure: Error | undefined;

  get size(): number {
    return this.bytes.length;
  }
  async write(offset: number, bytes: Uint8Array): Promise<void> {
    if (this.failure !== undefined) throw this.failure;
    await this.resize(Math.max(this.size, offset + bytes.length));
    this.bytes.set(bytes, offset);
  }
  read(offset: number, size: number): Promise<Uint8Array> {
    return Promise.resolve(this.bytes.slice(offset, offset + size));
  }
  resize(size: number): Promise<void> {
    const old = this.bytes;
    this.bytes = new Uint8Array(size);
    this.bytes.set(old.subarray(0, size));
    return Promise.resolve();
  }
  close(): Promise<void> {
    this.isClosed = true;
    return Promise.resolve();
  }
}

interface World {
  readonly services: SftpServices;
  readonly root: DirectoryCapability;
  readonly scratches: MemoryScratch[];
  readonly pending: PendingFiles<WrittenFile>;
  /** Uploads wait for it. */
  gate: Promise<void>;
  session(user?: string, share?: UserShare): SftpSession;
}

async function world(): Promise<World> {
  const grid = new MemoryGrid(1, { needed: 1, happy: 1, total: 1 });
  const store = new FileStore(storeContext(grid));
  const stored = storeServices(store, () => Promise.resolve());
  const root = await store.createDirectory([], { format: 'sdmf' });
  const scratches: MemoryScratch[] = [];
  const pending = new PendingFiles<WrittenFile>();
  const made: World = {
    root,
    scratches,
    pending,
    gate: Promise.resolve(),
    services: {
      ...stored,
      clock: grid.context.clock,
      log: silentLog,
      mutableFormat: 'sdmf',
      async upload(input, signal) {
        await made.gate;
        return stored.upload(input, signal);
      },
      openScratch: () => {
        const scratch = new MemoryScratch();
        scratches.push(scratch);
        return Promise.resolve(scratch);
      },
      freeBytes: () => 1_000_000,
    },
    session(user = 'alice', share = new UserShare()) {
      const lasting = new AbortController().signal;
      const files = new UserFiles({ services: made.services, user: { name: user, root }, pending, lasting });
      return new SftpSession({ clock: grid.context.clock, files, share });
    },
  };
  return made;
}

const path = utf8;
async function open(session: SftpSession, name: string, flags = WRITE_ANEW): Promise<string> {
  const reply = await session.answer({ kind: 'open', path: path(name), flags, attributes: none });
  if (reply.kind !== 'handle') throw new Error('no handle');
  return reply.handle;
}
const write = (session: SftpSession, handle: string, text: string, offset = 0): Promise<Reply> =>
  session.answer({ kind: 'write', handle, offset, bytes: utf8(text) });
const close = (session: SftpSession, handle: string): Promise<Reply> => session.answer({ kind: 'close', handle });
const stat = (session: SftpSession, name: string): Promise<Reply> => session.answer({ kind: 'stat', path: path(name) });
async function put(session: SftpSession, name: string, text: string): Promise<void> {
  const handle = await open(session, name);
  await write(session, handle, text);
  await close(session, handle);
}
async function get(session: SftpSession, name: string): Promise<string> {
  const handle = await open(session, name, 1);
  const reply = await session.answer({ kind: 'read', handle, offset: 0, size: 1000 });
  await close(session, handle);
  return reply.kind === 'data' ? Buffer.from(reply.bytes).toString() : reply.kind;
}
const long = 'x'.repeat(100);

t.test('nothing is seen of a file before its close is answered, and all of it after', async (t) => {
  const { session: make, pending, scratches } = await world();
  const [writer, other] = [make(), make('bob')];
  const handle = await open(writer, '/f');
  await write(writer, handle, long);
  t.match(await other.answer({ kind: 'readdir', handle: await opendir(other) }).catch((error: unknown) => error), {
    facts: { status: 'eof' },
  });
  await close(writer, handle);
  t.equal(await get(other, '/f'), long);
  t.strictSame(pending.at('alice:/f'), []);
  t.ok(scratches.every(({ isClosed }) => isClosed));
});

async function opendir(session: SftpSession): Promise<string> {
  const reply = await session.answer({ kind: 'opendir', path: path('/') });
  return reply.kind === 'handle' ? reply.handle : '';
}

t.test('a session that ends in the middle of a write leaves nothing, and the old contents', async (t) => {
  const { session: make, scratches, pending } = await world();
  const [writer, other] = [make(), make('bob')];
  await put(writer, '/old', 'as it was');
  for (const name of ['/new', '/old']) await write(writer, await open(writer, name), long);
  await writer.end();
  await t.rejects(stat(other, '/new'), { code: 'ERR_NO_SUCH_CHILD' });
  t.equal(await get(other, '/old'), 'as it was');
  t.ok(
    scratches.every(({ isClosed }) => isClosed),
    'what was kept on the disk is gone',
  );
  t.strictSame(pending.at('alice:/new', 'alice:/old'), []);
});

t.test('a file that is being stored is waited for by stat, read, rename and remove, of any user', async (t) => {
  for (const [what, act] of [
    ['stat', (session: SftpSession) => stat(session, '/f')],
    ['read', (session: SftpSession) => get(session, '/f')],
    ['rename', (session: SftpSession) => session.answer({ kind: 'rename', from: path('/f'), to: path('/g') })],
    [
      'setstat',
      (session: SftpSession) => session.answer({ kind: 'setstat', path: path('/f'), attributes: { mode: 0o444 } }),
    ],
  ] as const) {
    const made = await world();
    const [writer, other] = [made.session(), made.session('bob')];
    let release = (): void => undefined;
    made.gate = new Promise((resolve) => {
      release = resolve;
    });
    const handle = await open(writer, '/f');
    await write(writer, handle, long);
    const closed = close(writer, handle);
    let isDone = false;
    const acted = act(other).finally(() => {
      isDone = true;
    });
    await settle(50);
    t.notOk(isDone, `${what} waits`);
    release();
    await closed;
    await acted;
    t.equal(await get(other, what === 'rename' ? '/g' : '/f'), long, what);
  }
});

t.test('what is removed or renamed while it is open is not stored, or stored by its new name', async (t) => {
  const { session: make } = await world();
  const session = make();
  const [gone, moved] = [await open(session, '/gone'), await open(session, '/before')];
  await write(session, gone, long);
  await write(session, moved, long);
  await session.answer({ kind: 'remove', path: path('/gone') });
  await session.answer({ kind: 'rename', from: path('/before'), to: path('/after') });
  t.match(await stat(session, '/after'), { attributes: { size: 100 } });
  await close(session, gone);
  await close(session, moved);
  await t.rejects(stat(session, '/gone'), { code: 'ERR_NO_SUCH_CHILD' });
  await t.rejects(stat(session, '/before'), { code: 'ERR_NO_SUCH_CHILD' });
  t.equal(await get(session, '/after'), long);
});

t.test('a write that failed is told again at the close, and nothing is stored', async (t) => {
  const { session: make, scratches } = await world();
  const session = make();
  await put(session, '/f', 'as it was');
  const handle = await open(session, '/f');
  const scratch = scratches.at(-1);
  t.ok(scratch);
  if (scratch !== undefined) scratch.failure = new TahoeError('ERR_NO_SPACE', { where: 'uploads' });
  await t.rejects(write(session, handle, long), { code: 'ERR_NO_SPACE' });
  if (scratch !== undefined) scratch.failure = undefined;
  await t.rejects(write(session, handle, long), { code: 'ERR_NO_SPACE' });
  await t.rejects(close(session, handle), { code: 'ERR_NO_SPACE' });
  t.equal(await get(session, '/f'), 'as it was');
});

t.test('a user who has everything open keeps nobody else from opening', async (t) => {
  const { session: make } = await world();
  const share = new UserShare();
  const [session, second] = [make('alice', share), make('alice', share)];
  await put(session, '/f', 'x');
  const handles: string[] = [];
  for (let i = 0; i < HANDLES_PER_USER_MAX; i++) handles.push(await open(session, '/f', 1));
  await t.rejects(open(session, '/f', 1), { code: 'ERR_TOO_MANY' });
  await t.rejects(open(second, '/f', 1), { code: 'ERR_TOO_MANY' }, 'over all connections');
  t.equal(await get(make('bob'), '/f'), 'x');
  await close(session, handles[0] ?? '');
  t.equal(await get(second, '/f'), 'x');
  await session.end();
  for (let i = 0; i < HANDLES_PER_USER_MAX; i++) await open(second, '/f', 1);
});

t.test('a mode that comes with an open takes no right to write', async (t) => {
  const { session: make } = await world();
  const session = make();
  await put(session, '/f', 'x');
  const opened = await session.answer({ kind: 'open', path: path('/f'), flags: 2, attributes: { mode: 0 } });
  const handle = opened.kind === 'handle' ? opened.handle : '';
  await write(session, handle, 'y');
  await close(session, handle);
  t.match(await stat(session, '/f'), { attributes: { mode: 0o100666 } });
  t.equal(await get(session, '/f'), 'y');
});

t.test('room is told as the servers tell it', async (t) => {
  const { session: make } = await world();
  const reply = await make().answer({ kind: 'statvfs', path: path('/') });
  t.equal(reply.kind === 'extended' && Buffer.from(reply.bytes).readBigUInt64BE(24), 976n);
});

/** Both ends of a channel. */
function channel(): { server: Duplex; sent: Buffer[]; send: (bytes: Uint8Array) => void; end: () => void } {
  const sent: Buffer[] = [];
  const server = new Duplex({
    read: () => undefined,
    write: (piece: Buffer, _encoding, back) => {
      sent.push(piece);
      back();
    },
  });
  return { server, sent, send: (bytes) => server.push(bytes), end: () => server.push(null) };
}
const framed = (bytes: Uint8Array): Uint8Array => concat(new ByteWriter().uint32(bytes.length).finish(), bytes);
const string = (text: string): Uint8Array => framed(utf8(text));
const request = (type: number, id: number, ...fields: Uint8Array[]): Uint8Array =>
  framed(concat(new ByteWriter().uint8(type).uint32(id).finish(), ...fields));
const greeting = framed(new ByteWriter().uint8(1).uint32(3).finish());

t.test('a channel: greeted, answered, ended', async (t) => {
  const { session: make } = await world();
  const { end, send, sent, server } = channel();
  const served = serveChannel(server, make(), silentLog);
  send(request(17, 1, string('/')));
  send(greeting);
  send(request(17, 2, string('/')));
  send(request(17, 3));
  send(request(17, 4, string('/absent')));
  end();
  await served;
  const types = sent.map((packet) => packet[4]);
  t.ok(types.includes(2), 'the version');
  const byId = new Map(sent.filter((packet) => packet[4] !== 2).map((packet) => [packet.readUInt32BE(5), packet]));
  t.equal(byId.get(1)?.readUInt32BE(9), 8, 'nothing is done before the greeting');
  t.equal(byId.get(2)?.[4], 105);
  t.equal(byId.get(3)?.readUInt32BE(9), 5);
  t.equal(byId.get(4)?.readUInt32BE(9), 2);
});

t.test('who sends what is no packet is let go', async (t) => {
  for (const nonsense of [new Uint8Array(4), new Uint8Array(8).fill(255), framed(new Uint8Array(2))]) {
    const { session: make } = await world();
    const { send, server } = channel();
    const served = serveChannel(server, make(), silentLog);
    send(nonsense);
    await served;
    t.pass('it ended');
  }
});

t.test('who asks much at a time is read no faster than he is answered', async (t) => {
  const made = await world();
  let asked = 0;
  let release = (): void => undefined;
  const gate = new Promise<void>((resolve) => {
    release = resolve;
  });
  const slow: Pick<SftpSession, 'answer' | 'end'> = {
    answer: async (_request: Request) => {
      asked++;
      await gate;
      throw new TahoeError('ERR_NO_SUCH_CHILD', { name: 'x' });
    },
    end: () => Promise.resolve(),
  };
  t.ok(made);
  const { end, send, sent, server } = channel();
  const served = serveChannel(server, slow as SftpSession, silentLog);
  send(greeting);
  const count = 3 * UNANSWERED_MAX;
  for (let id = 0; id < count; id++) send(request(17, id, string('/x')));
  await settle(50);
  t.equal(asked, UNANSWERED_MAX);
  release();
  end();
  await served;
  t.equal(sent.length, count + 1);
});
