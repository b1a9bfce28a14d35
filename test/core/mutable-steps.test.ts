/** Large segments in steps: the same bytes as at once, and no step has much to do. */
import t from 'tap';
import { equalBytes } from '#core/bytes.js';
import { deriveMutableDataKey } from '#core/derive.js';
import { createErasureCodec } from '#core/erasure/codec.js';
import {
  decodeMutableSegmentSteps,
  encodeSegmentSteps,
  finished,
  hashRecord,
  hashRecordSteps,
} from '#core/mutable/segments.js';
import { mutableParameters } from '#core/mutable/version.js';
import { ManualClock } from '../fixtures/clock.js';
import { crypto, seededBytes } from '../fixtures/crypto.js';
import { takeSteps } from '#client/mutable/take-steps.js';

const readKey = seededBytes('read key', 16);
const salt = seededBytes('salt', 16);

t.test('a segment of some MiB', (t) => {
  for (const [needed, total, size] of [
    [3, 10, 5_000_003],
    [1, 3, 1_048_577],
    [4, 4, 3_000_000],
  ] as const) {
    const plaintext = seededBytes('large', size);
    const segmentSize = Math.ceil(size / needed) * needed;
    const file = mutableParameters({ format: 'sdmf', sequenceNumber: 1, needed, total, segmentSize, dataSize: size });
    const codec = createErasureCodec(needed, total);
    const steps = encodeSegmentSteps({ crypto, codec, format: 'sdmf', file, readKey }, 0, plaintext, salt);
    let count = 0;
    let records: Uint8Array[] | undefined;
    for (let step = steps.next(); records === undefined; step = steps.next()) {
      if (step.done === true) records = step.value;
      else count++;
      if (records !== undefined) break;
    }
    const padded = new Uint8Array(segmentSize);
    padded.set(crypto.aesCtr(deriveMutableDataKey(crypto, salt, readKey), 0).process(plaintext));
    const blockSize = segmentSize / needed;
    const primary = Array.from({ length: needed }, (_, i) => padded.subarray(i * blockSize, (i + 1) * blockSize));
    const expected = codec.encode(primary);
    t.ok(
      expected.every((block, i) => equalBytes(block, records[i] ?? new Uint8Array(0))),
      `${String(needed)} of ${String(total)}`,
    );
    t.ok(count >= Math.floor(size / 1_048_576), `${String(count)} steps`);
    for (const record of records.slice(-1)) {
      t.ok(equalBytes(finished(hashRecordSteps(crypto, record)), hashRecord(crypto, record)), 'and its hash');
    }
    const last = records.map((record, shareNumber) => ({ shareNumber, record })).slice(-needed);
    const decoding = decodeMutableSegmentSteps({ crypto, codec, format: 'sdmf', file, readKey }, 0, last, salt);
    let decodingCount = 0;
    let decoded = decoding.next();
    for (; decoded.done !== true; decoded = decoding.next()) decodingCount++;
    t.ok(equalBytes(decoded.value, plaintext), 'and back, from the last shares');
    t.ok(decodingCount >= 2 * Math.floor(size / 1_048_576), `${String(decodingCount)} steps`);
  }
  t.end();
});

t.test('others have their turn when time has passed', async (t) => {
  const clock = new ManualClock();
  let turns = 0;
  function* work(): Generator<undefined, string> {
    for (let i = 0; i < 10; i++) {
      clock.advance(5);
      setImmediate(() => turns++);
      yield;
    }
    return 'done';
  }
  t.equal(await takeSteps(clock, work()), 'done');
  t.ok(turns >= 6, `${String(turns)} of 10 had it`);
});
