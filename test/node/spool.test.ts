/**
 * The spool: what goes in comes out anywhere, nothing has a name, and full means full.
 */
import { spawnSync } from 'node:child_process';
import { mkdir, readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import fc from 'fast-check';
import t from 'tap';
import { Spool } from '#node/spool.js';
import { temporaryDirectory } from './fixtures/temporary-directory.js';

const ROOMY = { bytesMax: 1_000_000 };

t.test('what a stream brings can be read in any range', async (t) => {
  const spool = new Spool(join(await temporaryDirectory(t), 'tmp'), ROOMY);
  await t.resolves(
    fc.assert(
      fc.asyncProperty(
        fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 8 }),
        fc.array(fc.tuple(fc.nat(900), fc.nat(900)), { maxLength: 5 }),
        async (pieces, ranges) => {
          const file = await spool.open();
          try {
            await file.receive(Readable.from(pieces, { objectMode: true }));
            const all = Buffer.concat(pieces);
            if (file.size !== all.length) return false;
            for (const [offset, size] of ranges) {
              const part = await file.read(offset, size);
              if (!all.subarray(offset, offset + size).equals(part)) return false;
            }
            return true;
          } finally {
            await file.close();
          }
        },
      ),
      { numRuns: 60 },
    ),
  );
  t.equal(spool.bytes, 0, 'nothing is counted any more');
});

t.test('a spool file has no name, and its directory is its owner’s', async (t) => {
  const directory = join(await temporaryDirectory(t), 'tmp');
  const spool = new Spool(directory, ROOMY);
  const file = await spool.open();
  await file.append(new Uint8Array(10));
  t.strictSame(await readdir(directory), []);
  t.equal((await stat(directory)).mode & 0o777, 0o700);
  await file.close();
  await t.resolves(file.close(), 'a second time does nothing');
  t.equal(spool.bytes, 0);
});

t.test('all files together hold no more than the spool', async (t) => {
  const spool = new Spool(await temporaryDirectory(t), { bytesMax: 100 });
  const [first, second] = [await spool.open(), await spool.open()];
  await first.append(new Uint8Array(60));
  await second.append(new Uint8Array(40));
  await t.rejects(second.append(new Uint8Array(1)), {
    code: 'ERR_NO_SPACE',
    message:
      'no space is left for uploads: together they would hold more than 100 bytes (spool_size); free some and try again',
  });
  t.equal(second.size, 40);
  await first.close();
  await second.append(new Uint8Array(60));
  t.equal(spool.bytes, 100, 'what was closed makes room');
  await second.close();
  t.equal(spool.bytes, 0);
});

t.test('a stream that fails, or a signal, ends the reception', async (t) => {
  const spool = new Spool(await temporaryDirectory(t), ROOMY);
  const file = await spool.open();
  async function* failing(): AsyncGenerator<Uint8Array> {
    yield await Promise.resolve(new Uint8Array(5));
    throw new Error('the peer went away');
  }
  await t.rejects(file.receive(failing()), { message: 'the peer went away' });
  const controller = new AbortController();
  let pulled = 0;
  async function* endless(): AsyncGenerator<Uint8Array> {
    for (;;) {
      pulled += 1;
      if (pulled === 3) controller.abort();
      yield await Promise.resolve(new Uint8Array(5));
    }
  }
  await t.rejects(file.receive(endless(), controller.signal), {
    code: 'ERR_CANCELLED',
    message: 'the upload was cancelled',
  });
  t.equal(pulled, 3);
  t.equal(file.size, 15);
  await file.close();
});

t.test('a spool that cannot be written to says where', async (t) => {
  const directory = await temporaryDirectory(t);
  await writeFile(join(directory, 'tmp'), '');
  const spool = new Spool(join(directory, 'tmp'), ROOMY);
  await t.rejects(spool.open(), { code: 'ERR_FILE', message: /^cannot use '.*\/tmp': E/ });
  const closed = await new Spool(directory, ROOMY).open();
  await closed.append(new Uint8Array(3));
  await closed.close();
  await t.rejects(closed.read(0, 3), { code: 'ERR_DISK', message: /^reading a file in '.*' failed/ });
  await t.rejects(closed.append(new Uint8Array(3)), { code: 'ERR_DISK', message: /^writing a file in '.*' failed/ });
});

t.test('where the system takes no more, the spool is full', async (t) => {
  const directory = join(await temporaryDirectory(t), 'tmp');
  await mkdir(directory);
  const program = new URL('./fixtures/spool-child.js', import.meta.url).pathname;
  // 1000 blocks of 512 bytes: no multiple of what is written, so the last write is short before one fails.
  const command = 'ulimit -f 1000; NODE_OPTIONS= exec "$@"';
  // Without the test runner's own options: it ends a process at the signal that comes with the limit.
  const { stdout, stderr } = spawnSync('sh', ['-c', command, 'sh', process.execPath, program, directory], {
    encoding: 'utf8',
  });
  t.equal(stderr, '');
  t.strictSame(JSON.parse(stdout), {
    taken: 5,
    code: 'ERR_NO_SPACE',
    message: `no space is left for uploads in '${directory}'; free some and try again`,
  });
  t.strictSame(await readdir(directory), []);
});
