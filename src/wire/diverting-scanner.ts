/**
 * Takes the long byte strings out of a CBOR message while it arrives, so that a message of any size costs little
 * memory: what is left, the skeleton, is decoded as a whole and checked like any other message.
 *
 * CBOR is a run of items, each a head and, for strings, as many bytes as the head says; which item stands in which
 * needs no attention here. A byte string of `divertSize` bytes or more is handed out, and in its place the skeleton
 * has tag 65535 around [position, size]: where among all that was handed out it begins. Nobody can forge that, for
 * a message with any tag is refused. Structure is not checked here.
 */
import { TahoeError } from '#core/errors.js';
import { decodeCbor, encodeCborHead, majorType } from './cbor.js';

const TAG_DIVERTED = 65_535;
const HEAD_SIZE_MAX = 9;
const SKELETON_SIZE_FIRST = 1024;
const VALUE_SIZES: readonly number[] = [1, 2, 4, 8];

/** The bounds of one message. */
export interface ScanLimits {
  /** The shortest byte string that is handed out, in bytes. */
  readonly divertSize: number;
  /** The largest skeleton, in bytes. */
  readonly skeletonSizeMax: number;
  /** The most items: each costs time when the skeleton is decoded. */
  readonly itemCountMax: number;
}

/** Where a byte string lies among all those that were handed out. */
export class Diverted {
  readonly position: number;
  readonly size: number;

  constructor(position: number, size: number) {
    this.position = position;
    this.size = size;
  }
}

/** Scans one message. */
export class DivertingScanner {
  readonly #limits: ScanLimits;
  #skeleton = new Uint8Array(SKELETON_SIZE_FIRST);
  readonly #head = new Uint8Array(HEAD_SIZE_MAX);
  #headSize = 0;
  #skeletonSize = 0;
  #itemCount = 0;
  #divertedSize = 0;
  /** Bytes of a string that are still to come. */
  #stringLeft = 0;
  #diverting = false;

  constructor(limits: ScanLimits) {
    this.#limits = limits;
  }

  /** The size of the skeleton so far, in bytes. */
  get skeletonSize(): number {
    return this.#skeletonSize;
  }

  /**
   * Takes the next bytes of the message.
   * @returns what of them belongs to long strings, as views of `piece`.
   * @throws ERR_CBOR for what no message has, ERR_TOO_LARGE beyond the limits.
   */
  push(piece: Uint8Array): Uint8Array[] {
    const diverted: Uint8Array[] = [];
    for (let offset = 0; offset < piece.length;) {
      if (this.#stringLeft > 0) {
        const part = piece.subarray(offset, offset + this.#stringLeft);
        offset += part.length;
        this.#stringLeft -= part.length;
        if (this.#diverting) diverted.push(part);
        else this.#keep(part);
      } else {
        offset += this.#takeHead(piece, offset);
      }
    }
    return diverted;
  }

  /** The skeleton's value, its long strings as `Diverted`. @throws ERR_CBOR. */
  finish(): unknown {
    if (this.#headSize > 0 || this.#stringLeft > 0) throw malformed('it ends in the middle of an item');
    return decodeCbor(this.#skeleton.subarray(0, this.#skeletonSize), {
      [TAG_DIVERTED]: (decodeContent) => toDiverted(decodeContent()),
    });
  }

  /** Takes as much of a head as `piece` has. @returns how many bytes that was. */
  #takeHead(piece: Uint8Array, offset: number): number {
    if (this.#headSize === 0) this.#head[0] = piece[offset] ?? 0;
    const wanted = headSize(this.#head[0] ?? 0);
    const part = piece.subarray(offset, offset + wanted - this.#headSize);
    this.#head.set(part, this.#headSize);
    this.#headSize += part.length;
    if (this.#headSize === wanted) this.#endHead(this.#head.subarray(0, wanted));
    return part.length;
  }

  #endHead(head: Uint8Array): void {
    this.#headSize = 0;
    this.#itemCount += 1;
    if (this.#itemCount > this.#limits.itemCountMax) throw this.#tooLarge();
    const kind = (head[0] ?? 0) >> 5;
    const isString = kind === majorType.bytes || kind === majorType.text;
    const value = isString ? valueOf(head) : 0;
    this.#stringLeft = value;
    this.#diverting = kind === majorType.bytes && value >= this.#limits.divertSize;
    if (!this.#diverting) {
      this.#keep(head);
      return;
    }
    this.#keep(encodeCborHead('tag', TAG_DIVERTED));
    this.#keep(encodeCborHead('array', 2));
    this.#keep(encodeCborHead('uint', this.#divertedSize));
    this.#keep(encodeCborHead('uint', value));
    this.#divertedSize += value;
  }

  #keep(bytes: Uint8Array): void {
    const size = this.#skeletonSize + bytes.length;
    if (size > this.#limits.skeletonSizeMax) throw this.#tooLarge();
    if (size > this.#skeleton.length) {
      const grown = new Uint8Array(2 * size);
      grown.set(this.#skeleton);
      this.#skeleton = grown;
    }
    this.#skeleton.set(bytes, this.#skeletonSize);
    this.#skeletonSize = size;
  }

  #tooLarge(): TahoeError {
    return new TahoeError('ERR_TOO_LARGE', {
      what: 'message without the bytes of its long strings',
      limitBytes: this.#limits.skeletonSizeMax,
    });
  }
}

/** The size of the head that begins with `first`. @throws ERR_CBOR for tags, floats, indefinite lengths. */
function headSize(first: number): number {
  const kind = first >> 5;
  const detail = first & 31;
  if (kind === majorType.tag) throw malformed('it has a tag');
  if (detail < 24) return 1;
  const valueSize = VALUE_SIZES[detail - 24];
  if (valueSize === undefined) throw malformed('a length is indefinite or reserved');
  if (kind === majorType.simple) throw malformed('it has a number that is not whole');
  return 1 + valueSize;
}

function valueOf(head: Uint8Array): number {
  if (head.length === 1) return (head[0] ?? 0) & 31;
  const value = head.subarray(1).reduce((sum, byte) => sum * 256 + byte, 0);
  if (!Number.isSafeInteger(value)) throw malformed('a string is too long');
  return value;
}

function toDiverted(content: unknown): Diverted {
  const [position, size] = Array.isArray(content) ? (content as unknown[]) : [];
  if (typeof position !== 'number' || typeof size !== 'number') throw malformed('it has a tag');
  return new Diverted(position, size);
}

function malformed(reason: string): TahoeError {
  return new TahoeError('ERR_CBOR', { reason });
}
