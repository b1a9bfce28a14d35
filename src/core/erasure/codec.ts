/**
 * Erasure coding as zfec does it: `needed` primary blocks become `total` blocks, any `needed` of which give the
 * primary ones back. Blocks 0 … needed−1 are the primary blocks themselves; the others are secondary.
 *
 * A block is what one share holds of one segment. Cutting a segment into blocks and padding the last one is the
 * caller's work, and so is proving by hashes that a block is the right one: a wrong block decodes to wrong bytes.
 * @see Tahoe-LAFS docs/specifications/file-encoding.rst
 */
import { TahoeError } from '../errors.js';
import { defaultKernel, type ErasureKernel } from './kernel.js';
import { interpolationMatrix, maximumTotal } from './matrix.js';

/** A block and the number, 0 … total−1, of the share it belongs to. */
export interface NumberedBlock {
  readonly shareNumber: number;
  readonly block: Uint8Array;
}

/** Turns primary blocks into those of any shares and back. All blocks of a call have one size, which may be 0. */
export interface ErasureCodec {
  readonly needed: number;
  readonly total: number;
  /**
   * The blocks of the shares asked for.
   * @param primary - `needed` blocks of one size; only read.
   * @param shareNumbers - distinct numbers in any order; all shares if left out.
   * @param spare - arrays the caller has no more use for, none of them a view of a primary block. Secondary blocks
   *   are made in these as long as the size fits, which spares memory and nearly doubles the speed.
   * @returns one block for each number, in that order. Primary blocks are the given arrays themselves; secondary
   *   ones are spare or new (then each over a buffer of its own), and belong to the caller.
   * @throws ERR_ERASURE when blocks or numbers are too few, too many, of unequal size, repeated or out of range.
   */
  encode(primary: readonly Uint8Array[], shareNumbers?: readonly number[], spare?: readonly Uint8Array[]): Uint8Array[];
  /**
   * The primary blocks, in order.
   * @param blocks - exactly `needed`, of one size, with distinct share numbers, in any order; only read.
   * @param spare - as in `encode`: where missing blocks may be put; none may be a view of a given block.
   * @returns `needed` blocks. Those that were among the given ones are the given arrays themselves; the others are
   *   spare or new (then each over a buffer of its own), and belong to the caller.
   * @throws ERR_ERASURE when blocks are too few, too many, of unequal size, or their numbers repeated or out of range.
   */
  decode(blocks: readonly NumberedBlock[], spare?: readonly Uint8Array[]): Uint8Array[];
}

/**
 * A codec for `needed`-of-`total`. It keeps its last encoding and last decoding matrix (at most 16 KiB each).
 * @param kernel - what multiplies; the engine's fastest if left out.
 * @throws ERR_ENCODING unless 1 ≤ needed ≤ total ≤ 256, both whole numbers; ERR_WASM when the core fails its self-test.
 */
export function createErasureCodec(needed: number, total: number, kernel = defaultKernel()): ErasureCodec {
  if (!Number.isInteger(needed) || !Number.isInteger(total) || needed < 1 || needed > total || total > maximumTotal) {
    throw new TahoeError('ERR_ENCODING', { needed, total });
  }
  const primaryNumbers = range(needed);
  const everyNumber = range(total);
  const encodeWanted = createInterpolation(kernel);
  const decodeWanted = createInterpolation(kernel);
  return {
    needed,
    total,
    encode(primary, shareNumbers = everyNumber, spare = []) {
      checkBlocks(primary, needed);
      checkNumbers(shareNumbers, total);
      const secondary = shareNumbers.filter((shareNumber) => shareNumber >= needed);
      const made = encodeWanted(primaryNumbers, primary, secondary, spare);
      return shareNumbers.map((shareNumber) => primary[shareNumber] ?? taken(made, shareNumber));
    },
    decode(blocks, spare = []) {
      const bodies = blocks.map(({ block }) => block);
      const known = blocks.map(({ shareNumber }) => shareNumber);
      checkBlocks(bodies, needed);
      checkNumbers(known, total);
      const given = new Map(blocks.map(({ shareNumber, block }) => [shareNumber, block]));
      const missing = primaryNumbers.filter((shareNumber) => !given.has(shareNumber));
      const made = decodeWanted(known, bodies, missing, spare);
      return primaryNumbers.map((shareNumber) => given.get(shareNumber) ?? taken(made, shareNumber));
    },
  };
}

/** Makes the blocks of `wanted` shares from those of `known` ones; remembers the matrix of its last question. */
function createInterpolation(kernel: ErasureKernel) {
  let lastQuestion = '';
  let matrix: Uint8Array = new Uint8Array();
  return (
    known: readonly number[],
    blocks: readonly Uint8Array[],
    wanted: readonly number[],
    spare: readonly Uint8Array[],
  ): ReadonlyMap<number, Uint8Array> => {
    if (wanted.length === 0) return new Map();
    const question = `${known.join()}>${wanted.join()}`;
    if (question !== lastQuestion) matrix = interpolationMatrix(known, wanted);
    lastQuestion = question;
    const size = blocks[0]?.length ?? 0;
    const fitting = spare.filter(({ length }) => length === size);
    const made = wanted.map((_, i) => fitting[i] ?? new Uint8Array(size));
    kernel.multiply(matrix, blocks, made);
    return new Map(made.map((block, i) => [wanted[i] ?? 0, block]));
  };
}

function taken(made: ReadonlyMap<number, Uint8Array>, shareNumber: number): Uint8Array {
  const block = made.get(shareNumber);
  if (block === undefined) throw new Error(`no block was made for share ${String(shareNumber)}`);
  return block;
}

function range(count: number): readonly number[] {
  return Array.from({ length: count }, (_, i) => i);
}

function checkBlocks(blocks: readonly Uint8Array[], needed: number): void {
  if (blocks.length !== needed) {
    throw refusal(`${String(needed)} blocks are needed and ${String(blocks.length)} were given`);
  }
  const size = blocks[0]?.length;
  const other = blocks.find((block) => block.length !== size);
  if (other !== undefined) throw refusal(`blocks of ${String(size)} and ${String(other.length)} bytes do not match`);
}

function checkNumbers(shareNumbers: readonly number[], total: number): void {
  const wrong = shareNumbers.find((n) => !Number.isInteger(n) || n < 0 || n >= total);
  if (wrong !== undefined) throw refusal(`share number ${String(wrong)} is not one of 0 to ${String(total - 1)}`);
  if (new Set(shareNumbers).size !== shareNumbers.length) throw refusal('a share number is given twice');
}

function refusal(reason: string): TahoeError {
  return new TahoeError('ERR_ERASURE', { reason });
}
