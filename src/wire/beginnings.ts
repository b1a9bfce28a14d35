/**
 * The first bytes of all mutable shares that a server holds of one file, in one request: our own addition to the
 * protocol, for a look at a file takes a list and a read of each share otherwise.
 *
 *     GET /tallac/v1/mutable/STORAGE-INDEX/beginnings?size=4000     →     {share number: bytes}, CBOR
 *
 * A share that is shorter comes whole. A server without this answers 404, as for every path that it does not know.
 * @see docs/storage-api.md
 */
import { formatBase32 } from '#core/base32.js';
import { decodeCbor, encodeCbor } from './cbor.js';
import { asMap, messageError, SHARE_COUNT_MAX, toShareNumber } from './storage.js';

/** How much of each share may be asked for, in bytes. */
export const BEGINNING_SIZE_MAX = 8192;
/** What stands around the bytes of each share in an answer, at most, in bytes. */
const FRAME_SIZE_MAX = 16;
/** The parameter of the query. */
export const BEGINNING_SIZE_PARAMETER = 'size';

/** Where they are asked for. @param sizeBytes - 1 … BEGINNING_SIZE_MAX. */
export function beginningsPath(storageIndex: Uint8Array, sizeBytes: number): string {
  return `/tallac/v1/mutable/${formatBase32(storageIndex)}/beginnings?${BEGINNING_SIZE_PARAMETER}=${String(sizeBytes)}`;
}

/** How long an answer may be, in bytes. */
export function beginningsReplySizeMax(sizeBytes: number): number {
  return SHARE_COUNT_MAX * (sizeBytes + FRAME_SIZE_MAX);
}

/** The size that a query asks for; undefined where it asks for none that is given. */
export function parseBeginningSize(text: string | null): number | undefined {
  const size = text !== null && /^[1-9][0-9]{0,4}$/.test(text) ? Number(text) : 0;
  return size > 0 && size <= BEGINNING_SIZE_MAX ? size : undefined;
}

/** The answer. */
export function encodeBeginnings(beginnings: ReadonlyMap<number, Uint8Array>): Uint8Array {
  return encodeCbor(beginnings);
}

/** @throws ERR_CBOR, or ERR_MESSAGE when it is not as above or a share is longer than `sizeBytes`. */
export function decodeBeginnings(bytes: Uint8Array, sizeBytes: number): ReadonlyMap<number, Uint8Array> {
  const what = 'answer with the beginnings of shares';
  return new Map(
    [...asMap(decodeCbor(bytes), what)].map(([shareNumber, beginning]) => {
      if (!(beginning instanceof Uint8Array)) throw messageError(what, 'a beginning is no byte string');
      if (beginning.length > sizeBytes) throw messageError(what, 'a beginning is longer than was asked for');
      return [toShareNumber(shareNumber, what), beginning];
    }),
  );
}
