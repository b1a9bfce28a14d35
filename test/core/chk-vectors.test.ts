/** Every CHK capability of the reference's vector file, made through the whole upload and read back. */
import t from 'tap';
import { createHash } from 'node:crypto';
import { dangerouslyFormatCapability } from '#core/capability/format.js';
import { MemoryGrid } from '../fixtures/memory-grid.js';
import { readVectors } from '../fixtures/vectors.js';

interface Case {
  readonly kind: string;
  readonly convergenceBase64: string;
  readonly sample: { readonly seedBase64: string; readonly lengthBytes: number };
  readonly needed: number;
  readonly total: number;
  readonly segmentSizeBytes: number;
  readonly capability: string;
}
const { cases } = readVectors<{ cases: Case[] }>('capabilities.json');
/** Larger files are only uploaded, for the time's sake. */
const downloadedMax = 2 ** 18;
const chkCases = cases.filter((vector) => vector.kind === 'chk');

function sampleOf({ seedBase64, lengthBytes }: Case['sample']): Uint8Array {
  const seed = Buffer.from(seedBase64, 'base64');
  return new Uint8Array(Buffer.alloc(lengthBytes, seed));
}

t.equal(chkCases.length, 60, 'the whole file is there');
for (const vector of chkCases) {
  const { needed, total, segmentSizeBytes } = vector;
  t.test(`${String(needed)}-of-${String(total)}, ${String(vector.sample.lengthBytes)} bytes`, async (t) => {
    const secret = new Uint8Array(Buffer.from(vector.convergenceBase64, 'base64'));
    const grid = new MemoryGrid(
      Math.min(total, 3),
      { needed, total, happy: 1, segmentSizeMax: segmentSizeBytes },
      secret,
    );
    const sample = sampleOf(vector.sample);
    const capability = await grid.uploadChk(sample);
    t.equal(dangerouslyFormatCapability(capability), vector.capability);
    const digest = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
    if (sample.length <= downloadedMax) t.equal(digest(await grid.download(capability)), digest(sample));
  });
}
