/** The encoding thread gives what the same file gives when it is encoded in place, and its end is no silence. */
import t from 'tap';
import { equalBytes } from '#core/bytes.js';
import { fileParameters, segmentSizeOf } from '#core/immutable/parameters.js';
import type { FileParameters } from '#core/immutable/parameters.js';
import { localEncoders } from '#client/upload/file-encoder.js';
import type { OpenEncoder } from '#client/upload/file-encoder.js';
import { createCrypto } from '#node/crypto-choice.js';
import { NodeEncoders, THREAD_SIZE_MIN } from '#node/encoding/encoding-thread.js';
import { ManualClock } from '#test/fixtures/clock.js';
import { crypto, seededBytes } from '#test/fixtures/crypto.js';

const readKey = seededBytes('read key', 16);

/** Everything an encoder says of a file: all shares as one array each, and the capability. */
async function encodeAll(open: OpenEncoder, file: FileParameters, plaintext: Uint8Array) {
  const encoder = open(file, readKey);
  const shares: Uint8Array[][] = Array.from({ length: file.total }, () => []);
  for (let segment = 0; segment < file.segmentCount; segment++) {
    const begin = segment * file.segmentSize;
    const { blocks, release } = await encoder.encode(plaintext.subarray(begin, begin + segmentSizeOf(file, segment)));
    for (const [shareNumber, block] of blocks.entries()) shares[shareNumber]?.push(block.slice());
    release();
  }
  const { trailers, capability } = await encoder.finish();
  encoder.close();
  encoder.close();
  return { shares: shares.map((parts, i) => Buffer.concat([...parts, trailers[i] ?? new Uint8Array(0)])), capability };
}

const portable = await createCrypto('portable');

for (const provider of [crypto, portable]) {
  t.test(`${provider.name}: the thread encodes as the main thread does, small files and large`, async (t) => {
    const encoders = new NodeEncoders(provider, new ManualClock());
    t.teardown(() => encoders.close());
    for (const [needed, total, size, segmentSizeMax] of [
      [3, 10, THREAD_SIZE_MIN + 12_345, 1 << 20],
      [7, 9, THREAD_SIZE_MIN, 131_072],
      [1, 1, THREAD_SIZE_MIN + 1, 1 << 20],
      [3, 10, 1000, 1 << 20],
    ] as const) {
      const file = fileParameters({ needed, total }, size, segmentSizeMax);
      const plaintext = seededBytes(`file of ${String(size)}`, size);
      const expected = await encodeAll(localEncoders(crypto), file, plaintext);
      const [first, second] = await Promise.all([
        encodeAll(encoders.open, file, plaintext),
        encodeAll(encoders.open, file, plaintext),
      ]);
      for (const outcome of [first, second]) {
        t.ok(outcome.shares.every((share, i) => equalBytes(share, expected.shares[i] ?? new Uint8Array(0))));
        t.same(outcome.capability, expected.capability);
      }
    }
  });
}

t.test('a thread that ends fails its files, and the next file begins another', async (t) => {
  const encoders = new NodeEncoders(crypto, new ManualClock());
  t.teardown(() => encoders.close());
  const file = fileParameters({ needed: 2, total: 3 }, THREAD_SIZE_MIN, 1 << 20);
  const segment = new Uint8Array(file.segmentSize);
  const encoder = encoders.open(file, readKey);
  await encoder.encode(segment);
  const waiting = encoder.encode(segment);
  await encoders.close();
  await t.rejects(waiting, { message: /thread has ended/ });
  await t.rejects(encoder.finish(), { message: /thread has ended/ });
  encoder.close();
  t.equal((await encodeAll(encoders.open, file, new Uint8Array(file.size))).shares.length, 3);
});

t.test('a segment of the wrong size is refused, and the thread lives on', async (t) => {
  const encoders = new NodeEncoders(crypto, new ManualClock());
  t.teardown(() => encoders.close());
  const file = fileParameters({ needed: 2, total: 3 }, THREAD_SIZE_MIN, 1 << 20);
  const encoder = encoders.open(file, readKey);
  await t.rejects(encoder.encode(new Uint8Array(5)), { message: /segment 0 has 5 bytes/ });
  t.equal((await encoder.encode(new Uint8Array(file.segmentSize))).blocks.length, 3);
  encoder.close();
});

t.test('the thread ends when it has had nothing to do for a while', async (t) => {
  const clock = new ManualClock();
  const encoders = new NodeEncoders(crypto, clock);
  const file = fileParameters({ needed: 2, total: 3 }, THREAD_SIZE_MIN, 1 << 20);
  await encodeAll(encoders.open, file, new Uint8Array(file.size));
  t.equal(clock.pending, 1);
  const busy = encoders.open(file, readKey);
  t.equal(clock.pending, 0, 'not while it has a file');
  busy.close();
  clock.advance(10_000);
  t.equal(clock.pending, 0);
  t.equal((await encodeAll(encoders.open, file, new Uint8Array(file.size))).shares.length, 3, 'and another begins');
  await encoders.close();
  t.equal(clock.pending, 0);
});
