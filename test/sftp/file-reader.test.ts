/** Reading in pieces: whatever is asked for in whatever order is what the file holds, and little of it stays in memory. */
import fc from 'fast-check';
import t from 'tap';
import { FileReader, WINDOW_SIZE } from '#sftp/file-reader.js';
import type { ReadableFile } from '#sftp/services.js';

/** A file whose streams are counted. */
class CountedFile implements ReadableFile {
  readonly bytes: Uint8Array;
  readonly begins: number[] = [];
  delivered = 0;
  failsAt = Infinity;

  constructor(size: number) {
    this.bytes = Uint8Array.from({ length: size }, (_, i) => (i * 31 + (i >> 8)) & 255);
  }

  async *read({ begin, end }: { begin: number; end: number }, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    this.begins.push(begin);
    for (let offset = begin, size = 1; offset < end; offset += size, size = Math.min(300_000, size * 2)) {
      await Promise.resolve();
      if (signal.aborted) return;
      if (offset >= this.failsAt) throw new Error('a share is gone');
      const piece = this.bytes.subarray(offset, Math.min(end, offset + size));
      this.delivered += piece.length;
      yield piece;
    }
  }
}

const READ_SIZE = 32_768;

t.test('one piece after the other comes out of one stream', async (t) => {
  const file = new CountedFile(5_000_000);
  const reader = new FileReader(file, file.bytes.length);
  const reads: Promise<Uint8Array>[] = [];
  for (let offset = 0; offset < file.bytes.length; offset += READ_SIZE) reads.push(reader.read(offset, READ_SIZE));
  t.ok(Buffer.concat(await Promise.all(reads)).equals(file.bytes));
  t.strictSame(file.begins, [0]);
  t.equal((await reader.read(5_000_000, 10)).length, 0);
  t.equal((await reader.read(4_999_995, 10)).length, 5);
  reader.close();
});

t.test('any order', async () => {
  const file = new CountedFile(6_000_000);
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.nat(6_100_000), fc.nat(261_120), fc.boolean()), { minLength: 1, maxLength: 12 }),
      async (asked) => {
        const reader = new FileReader(file, file.bytes.length);
        const got = await Promise.all(
          asked.map(([offset, size, rests]) => {
            const piece = reader.read(offset, size);
            if (rests) reader.rest();
            return piece;
          }),
        );
        reader.close();
        return got.every((bytes, i) => {
          const [offset, size] = asked[i] ?? [0, 0];
          return Buffer.from(bytes).equals(file.bytes.subarray(offset, offset + size));
        });
      },
    ),
    { numRuns: 60 },
  );
});

t.test('who jumps about fetches little, who reads on fetches more', async (t) => {
  const file = new CountedFile(30_000_000);
  const reader = new FileReader(file, file.bytes.length);
  for (let i = 1; i < 8; i++) await reader.read(i * (WINDOW_SIZE + 1_000_000), 10);
  t.ok(file.delivered <= 7 * 262_144, String(file.delivered));
  t.equal(file.begins.length, 7);
  for (let offset = 0; offset < 8_000_000; offset += READ_SIZE) await reader.read(10_000_000 + offset, READ_SIZE);
  t.ok(file.begins.length <= 7 + 3, `${String(file.begins.length)} streams`);
  reader.close();
});

t.test('a stream that fails is begun anew by the next read', async (t) => {
  const file = new CountedFile(1_000_000);
  const reader = new FileReader(file, file.bytes.length);
  file.failsAt = 100_000;
  await t.rejects(reader.read(150_000, 10), /a share is gone/);
  file.failsAt = Infinity;
  t.equal((await reader.read(150_000, 10)).length, 10);
  reader.close();
});

t.test('what ends too early, and what is closed, is told', async (t) => {
  const file = new CountedFile(1000);
  await t.rejects(new FileReader(file, 2000).read(0, 2000), { code: 'ERR_SFTP' });
  const reader = new FileReader(file, 1000);
  const late = reader.read(0, 1000);
  reader.close();
  await t.rejects(late, { code: 'ERR_SFTP' });
});
