/** Any writes in any order, against the plainest model: an array of bytes and an array of what is known. */
import fc from 'fast-check';
import t from 'tap';
import { equalBytes } from '#core/bytes.js';
import { isTahoeError } from '#core/errors.js';
import { seededBytes } from '#test/fixtures/crypto.js';
import { allocate, readShare, storageIndex, uploadOf, write } from '#test/fixtures/share-store.js';
import type { ByteRange } from '#wire/storage.js';
import type { MakeSubject } from './share-store.js';

const SIZE = 64;
const truth = seededBytes('truth', SIZE);

interface Step {
  readonly begin: number;
  readonly size: number;
  /** Where in the written bytes one is changed, if anywhere. */
  readonly changed: number | undefined;
}

const steps = fc.array(
  fc.record({
    begin: fc.nat(SIZE - 1),
    size: fc.integer({ min: 1, max: SIZE }),
    changed: fc.option(fc.nat(SIZE), { nil: undefined, freq: 4 }),
  }),
  { minLength: 1, maxLength: 12 },
);

/** The bytes that are known, and their holes. */
class Model {
  readonly #bytes = new Array<number | undefined>(SIZE).fill(undefined);

  /** @returns whether the write is one that must be accepted. */
  write(begin: number, bytes: Uint8Array): boolean {
    const conflicts = bytes.some((byte, i) => (this.#bytes[begin + i] ?? byte) !== byte);
    if (!conflicts) bytes.forEach((byte, i) => (this.#bytes[begin + i] = byte));
    return !conflicts;
  }

  missing(): ByteRange[] {
    const ranges: ByteRange[] = [];
    for (let i = 0; i < SIZE; i++) {
      if (this.#bytes[i] !== undefined) continue;
      const last = ranges.at(-1);
      if (last?.end === i) ranges[ranges.length - 1] = { begin: last.begin, end: i + 1 };
      else ranges.push({ begin: i, end: i + 1 });
    }
    return ranges;
  }

  bytes(): Uint8Array {
    return Uint8Array.from(this.#bytes, (byte) => byte ?? 0);
  }
}

function bytesOf({ begin, changed, size }: Step): Uint8Array {
  const bytes = truth.slice(begin, Math.min(SIZE, begin + size));
  if (changed !== undefined) bytes[changed % bytes.length] = (bytes[changed % bytes.length] ?? 0) ^ 0xff;
  return bytes;
}

/** Runs the property. */
export function modelSuite(makeSubject: MakeSubject): void {
  t.test('any writes in any order agree with the model', async (t) => {
    const store = await (await makeSubject(t)).open();
    let shareNumber = 0;
    const property = fc.asyncProperty(steps, async (sequence) => {
      shareNumber = (shareNumber + 1) % 256;
      await allocate(store, [shareNumber], SIZE);
      const upload = uploadOf(store, shareNumber);
      const model = new Model();
      // The whole comes last, so that every run ends as a share or at a byte that was changed.
      for (const step of [...sequence, { begin: 0, size: SIZE, changed: undefined }]) {
        const bytes = bytesOf(step);
        const accepted = model.write(step.begin, bytes);
        try {
          const { complete, required } = await write(upload, step.begin, bytes);
          if (!accepted) return false;
          if (JSON.stringify(required) !== JSON.stringify(model.missing())) return false;
          if (!complete) continue;
          const stored = await readShare(store, shareNumber);
          shareNumber += 1;
          return model.missing().length === 0 && stored !== undefined && equalBytes(stored, model.bytes());
        } catch (error) {
          if (accepted || !isTahoeError(error, 'ERR_CONFLICTING_WRITE')) throw error;
        }
      }
      await upload.abort();
      return !(await store.listShares(storageIndex)).has(shareNumber);
    });
    await t.resolves(fc.assert(property, { numRuns: 120 }));
  });
}
