/**
 * The URI extension block (UEB): what a share says about the whole file, bound to the capability by its hash.
 *
 *     for each key in order:  <key> ":" <netstring of the value>
 *
 * Integers are decimal text, hashes raw bytes. A writer gives exactly the eleven keys below. A reader needs
 * five of them; k, N and the file's size it takes from the capability, and it ignores what is redundant.
 * @see Tahoe-LAFS docs/specifications/file-encoding.rst, "URI Extension Block"
 */
import { concat, equalBytes, fromUtf8, utf8 } from '../bytes.js';
import { TahoeError } from '../errors.js';
import { decodeNetstring, encodeNetstring } from '../netstring.js';
import { NODE_SIZE } from '../merkle.js';
import type { FileParameters } from './parameters.js';

/** The largest UEB that a reader takes, in bytes. Real ones have about 400. */
export const UEB_SIZE_MAX = 16_384;

/** The three hashes of a UEB, 32 bytes each. */
export interface UebHashes {
  readonly crypttextHash: Uint8Array;
  readonly crypttextRootHash: Uint8Array;
  readonly shareRootHash: Uint8Array;
}

/** What a reader uses of a UEB. */
export interface Ueb {
  readonly crypttextRootHash: Uint8Array;
  readonly shareRootHash: Uint8Array;
  readonly segmentSize: number;
  readonly segmentCount: number;
  readonly size: number;
}

/** The block's bytes. Their number depends on `file` alone, so that space can be asked for beforehand. */
export function encodeUeb(file: FileParameters, hashes: UebHashes): Uint8Array {
  const { needed, total } = file;
  const paddedTail = file.tailBlockSize * needed;
  const fields: Record<string, Uint8Array | string | number> = {
    codec_name: 'crs',
    codec_params: `${String(file.segmentSize)}-${String(needed)}-${String(total)}`,
    crypttext_hash: hashes.crypttextHash,
    crypttext_root_hash: hashes.crypttextRootHash,
    needed_shares: needed,
    num_segments: file.segmentCount,
    segment_size: file.segmentSize,
    share_root_hash: hashes.shareRootHash,
    size: file.size,
    tail_codec_params: `${String(paddedTail)}-${String(needed)}-${String(total)}`,
    total_shares: total,
  };
  return concat(
    ...Object.entries(fields).map(([key, value]) =>
      concat(utf8(`${key}:`), encodeNetstring(value instanceof Uint8Array ? value : utf8(String(value)))),
    ),
  );
}

/** The size of the UEB of such a file, in bytes. */
export function uebSize(file: FileParameters): number {
  const hash = new Uint8Array(NODE_SIZE);
  return encodeUeb(file, { crypttextHash: hash, crypttextRootHash: hash, shareRootHash: hash }).length;
}

/**
 * Reads a UEB whose hash was checked.
 * @throws ERR_UEB when a key that a reader needs is missing or makes no sense.
 */
export function decodeUeb(bytes: Uint8Array): Ueb {
  const fields = decodeUebFields(bytes);
  const ueb = {
    crypttextRootHash: hashField(fields, 'crypttext_root_hash'),
    shareRootHash: hashField(fields, 'share_root_hash'),
    segmentSize: numberField(fields, 'segment_size'),
    segmentCount: numberField(fields, 'num_segments'),
    size: numberField(fields, 'size'),
  };
  if (ueb.segmentSize < 1 || ueb.segmentCount !== Math.ceil(ueb.size / ueb.segmentSize)) {
    throw uebError('its segment size and count do not fit the size');
  }
  return ueb;
}

/** What a writer says again in a UEB although the capability or another field has it. */
const redundantKeys = ['codec_name', 'codec_params', 'tail_codec_params', 'needed_shares', 'total_shares'];

/**
 * Whether what a UEB says twice is the same both times. Readers do not look at it; a verifier does.
 * @param bytes - a UEB that `decodeUeb` takes.
 * @param file - as the capability and the UEB's segment size have it.
 */
export function isUebConsistent(bytes: Uint8Array, file: FileParameters): boolean {
  const hash = new Uint8Array(NODE_SIZE);
  const hashes = { crypttextHash: hash, crypttextRootHash: hash, shareRootHash: hash };
  const expected = decodeUebFields(encodeUeb(file, hashes));
  const found = decodeUebFields(bytes);
  return redundantKeys.every((key) => {
    const [value, wanted] = [found.get(key), expected.get(key)];
    return value === undefined || (wanted !== undefined && equalBytes(value, wanted));
  });
}

/**
 * All fields of a UEB by their keys, in order, whatever they are; values are views of its bytes.
 * @throws ERR_UEB when it is not a list of keys and netstrings.
 */
export function decodeUebFields(bytes: Uint8Array): ReadonlyMap<string, Uint8Array> {
  const fields = new Map<string, Uint8Array>();
  try {
    for (let offset = 0; offset < bytes.length;) {
      const colon = bytes.indexOf(0x3a, offset);
      if (colon < 0) throw uebError('a key has no end');
      const { content, end } = decodeNetstring(bytes, colon + 1);
      fields.set(fromUtf8(bytes.subarray(offset, colon)), content);
      offset = end;
    }
  } catch (error) {
    throw new TahoeError('ERR_UEB', { reason: 'it is not a list of keys and netstrings' }, { cause: error });
  }
  return fields;
}

function hashField(fields: ReadonlyMap<string, Uint8Array>, key: string): Uint8Array {
  const value = fields.get(key);
  if (value?.length !== NODE_SIZE) throw uebError(`${key} is not a hash`);
  return value.slice();
}

function numberField(fields: ReadonlyMap<string, Uint8Array>, key: string): number {
  const value = fields.get(key) ?? new Uint8Array(0);
  const digits = String.fromCharCode(...value.subarray(0, 17));
  if (!/^[0-9]{1,16}$/.test(digits) || !Number.isSafeInteger(Number(digits))) throw uebError(`${key} is not a number`);
  return Number(digits);
}

function uebError(reason: string): TahoeError {
  return new TahoeError('ERR_UEB', { reason });
}
