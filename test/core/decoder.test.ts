/** The last check before plaintext is handed on: a segment's ciphertext against its proven hash. */
import t from 'tap';
import { concat, equalBytes } from '#core/bytes.js';
import { deriveCrypttextSegmentHash } from '#core/derive.js';
import { createErasureCodec } from '#core/erasure/codec.js';
import { decodeSegment } from '#core/immutable/decoder.js';
import { fileParameters } from '#core/immutable/parameters.js';
import { crypto, seededBytes } from '../fixtures/crypto.js';

t.test('blocks that were encoded inconsistently are an error, not plaintext', async (t) => {
  const readKey = new Uint8Array(16).fill(9);
  const plaintext = seededBytes('decoder', 10);
  const file = fileParameters({ needed: 3, total: 5 }, plaintext.length);
  const codec = createErasureCodec(3, 5);
  const crypttext = crypto.aesCtr(readKey, 0).process(plaintext);
  const padded = concat(crypttext, new Uint8Array(2));
  const blocks = codec
    .encode([padded.subarray(0, 4), padded.subarray(4, 8), padded.subarray(8, 12)])
    .map((block, shareNumber) => ({ shareNumber, block }));
  const segment = { number: 0, segmentHash: deriveCrypttextSegmentHash(crypto, crypttext), readKey };
  for (const chosen of [
    [0, 1, 2],
    [4, 3, 0],
    [2, 4, 1],
  ]) {
    const given = chosen.flatMap((i) => blocks[i] ?? []);
    t.ok(equalBytes(concat(...decodeSegment(crypto, codec, file, segment, given)), plaintext));
    const [first, ...rest] = given;
    const changed = {
      shareNumber: first?.shareNumber ?? 0,
      block: (first?.block ?? new Uint8Array(4)).map((byte) => byte ^ 1),
    };
    t.throws(() => decodeSegment(crypto, codec, file, segment, [changed, ...rest]), { code: 'ERR_HASH' });
  }
  const wrong = { ...segment, segmentHash: new Uint8Array(32) };
  t.throws(() => decodeSegment(crypto, codec, file, wrong, blocks.slice(0, 3)), {
    code: 'ERR_HASH',
    message: /segment 0/,
  });
});
