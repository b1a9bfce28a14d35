/** What the index reads out of containers: those of the reference, those made here, and damaged ones. */
import fc from 'fast-check';
import t from 'tap';
import { isTahoeError } from '#core/errors.js';
import { decodeShareLayout, LAYOUT_HEAD_SIZE, readShareFacts } from '#storage/index/share-facts.js';
import type { ShareFacts } from '#storage/index/share-facts.js';
import { immutableFile, mutableFile } from '#test/fixtures/share-files.js';
import { fromHex, readVectors } from '#test/fixtures/vectors.js';

interface Vectors {
  readonly containers: readonly (ShareFacts & { readonly name: string; readonly file: string })[];
}

function factsOf(file: Uint8Array): ShareFacts {
  const layout = decodeShareLayout(file.subarray(0, LAYOUT_HEAD_SIZE), file.length);
  return readShareFacts(layout, file.subarray(layout.tailOffset, layout.tailOffset + layout.tailSize));
}

/** The facts, or why there are none; anything else is thrown. */
function factsOrDamage(file: Uint8Array): ShareFacts | string {
  try {
    return factsOf(file);
  } catch (error) {
    if (isTahoeError(error, 'ERR_CONTAINER')) return error.facts.reason;
    throw error;
  }
}

const { containers } = readVectors<Vectors>('share-containers.json');

t.test('containers that the reference wrote', async (t) => {
  t.equal(containers.length, 12);
  for (const { name, kind, dataSize, expiries, file } of containers) {
    t.strictSame(factsOf(fromHex(file)), { kind, dataSize, expiries }, name);
  }
});

t.test('any number of bytes and leases is read back', async (t) => {
  const expiries = fc.array(fc.integer({ min: 0, max: 2 ** 32 - 1 }), { maxLength: 9 });
  const property = fc.property(fc.boolean(), fc.uint8Array({ maxLength: 900 }), expiries, (isMutable, data, ends) => {
    const file = isMutable ? mutableFile(data, ends) : immutableFile(data, ends);
    const kind = isMutable ? 'mutable' : 'immutable';
    const facts = factsOf(file);
    return facts.kind === kind && facts.dataSize === data.length && `${facts.expiries}` === `${ends}`;
  });
  t.doesNotThrow(() => fc.assert(property, { numRuns: 500 }));
});

t.test('a file cut anywhere has its data whole, or is damaged', async (t) => {
  for (const { name, file, dataSize } of containers) {
    const whole = fromHex(file);
    const dataEnd = name.startsWith('mutable') ? 468 + dataSize : 12 + dataSize;
    for (let size = 0; size < whole.length; size++) {
      const found = factsOrDamage(whole.subarray(0, size));
      if (typeof found === 'string') continue;
      if (size < dataEnd || found.dataSize !== dataSize) t.fail(`${name} cut to ${size} bytes`);
    }
    t.type(factsOrDamage(whole.subarray(0, dataEnd - 1)), 'string', name);
  }
});

t.test('fields of any value stay inside the file, or are damage', async (t) => {
  const values = [0, 1, 467, 468, 469, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1, 2 ** 53, 2 ** 63].map(BigInt);
  for (const length of values) {
    for (const offset of [...values, 2n ** 64n - 1n]) {
      const file = mutableFile(new Uint8Array(100), [1, 2, 3, 4, 5, 6]);
      const view = new DataView(file.buffer);
      view.setBigUint64(84, length);
      view.setBigUint64(92, offset);
      const found = factsOrDamage(file);
      const isInside = typeof found === 'string' || (468 + found.dataSize <= file.length && found.expiries.length < 12);
      if (!isInside) t.fail(`data length ${length}, leases at ${offset}`);
    }
  }
  const many = mutableFile(new Uint8Array(10), [1, 2, 3, 4, 5]);
  new DataView(many.buffer).setUint32(478, 2 ** 32 - 1);
  t.strictSame(factsOf(many).expiries, [1, 2, 3, 4, 5], 'a count beyond the file is what the file holds');
});

t.test('what is no container is said to be none', async (t) => {
  const magic = mutableFile(new Uint8Array(4), []);
  magic[31] = (magic[31] ?? 0) ^ 1;
  t.equal(factsOrDamage(magic), 'it is no mutable container of version 1 or 2');
  t.equal(factsOrDamage(new Uint8Array(0)), 'it holds 0 bytes, less than a header');
  t.equal(factsOrDamage(new Uint8Array(4000)), 'it is no immutable container of version 1 or 2');
});
