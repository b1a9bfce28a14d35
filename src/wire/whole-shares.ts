/**
 * Small immutable shares of one file, stored in one request: our own addition to the protocol, which takes a request to
 * reserve room and another for each share otherwise.
 *
 *     POST /tallac/v1/immutable/STORAGE-INDEX[?where-none=true]      {share number: bytes}, CBOR
 *     →     {'already-have': numbers, 'stored': numbers}, CBOR
 *
 * A share that is there, or is being uploaded, is not stored again; with `where-none=true` none is while any share of the
 * index is there, so that who does not know where a file lies may ask and store in one request. `already-have` names all
 * shares of the index that were there. A server without this answers 404, as for every path that it does not know.
 * Those of several files travel together as store-batch.ts says.
 * @see docs/storage-api.md
 */
import { formatBase32 } from '#core/base32.js';
import { decodeCbor, encodeCbor } from './cbor.js';
import type { CborValue } from './cbor.js';
import { asMap, messageError, SHARE_COUNT_MAX, toShareNumber, toShareNumbers } from './storage.js';

/** The largest share that is stored in this way, in bytes. */
export const WHOLE_SHARE_SIZE_MAX = 32 * 1024;
/** The largest request, in bytes. */
export const WHOLE_SHARES_REQUEST_SIZE_MAX = 1 << 20;
/** What stands around the bytes of each share in a request, at most, in bytes. */
const FRAME_SIZE_MAX = 16;
/** The parameter of the query. */
export const WHERE_NONE_PARAMETER = 'where-none';

/** What a server holds of those shares, and what it stored now. */
export interface WholeSharesReply {
  readonly alreadyHave: ReadonlySet<number>;
  readonly stored: ReadonlySet<number>;
}

/** Where they are stored. @param whereNone - only if the server holds no share of the index. */
export function wholeSharesPath(storageIndex: Uint8Array, whereNone = false): string {
  return `/tallac/v1/immutable/${formatBase32(storageIndex)}${whereNone ? `?${WHERE_NONE_PARAMETER}=true` : ''}`;
}

/** What a query says of that; undefined where it cannot be understood. @param text - the parameter's, or null. */
export function parseWhereNone(text: string | null): boolean | undefined {
  if (text === 'true') return true;
  return text === null ? false : undefined;
}

/** Whether shares may be stored in one request. @param sizes - of each of them, in bytes. */
export function fitWholeShares(sizes: readonly number[]): boolean {
  return (
    wholeSharesSizeMax(sizes) <= WHOLE_SHARES_REQUEST_SIZE_MAX &&
    sizes.every((each) => each > 0 && each <= WHOLE_SHARE_SIZE_MAX)
  );
}

/** What they take in a request at most, in bytes. @param sizes - of each of them, in bytes. */
export function wholeSharesSizeMax(sizes: readonly number[]): number {
  return sizes.reduce((sum, each) => sum + each + FRAME_SIZE_MAX, FRAME_SIZE_MAX);
}

/** The request. */
export function encodeWholeShares(shares: ReadonlyMap<number, Uint8Array>): Uint8Array {
  return encodeCbor(shares);
}

/** @throws ERR_CBOR, or ERR_MESSAGE when there is no share, or one that is empty or too large. */
export function decodeWholeShares(bytes: Uint8Array): ReadonlyMap<number, Uint8Array> {
  return toWholeShares(decodeCbor(bytes), 'request to store shares');
}

/** The same of what was decoded. @param what - it stands in. @throws ERR_MESSAGE. */
export function toWholeShares(value: unknown, what: string): ReadonlyMap<number, Uint8Array> {
  const shares = new Map(
    [...asMap(value, what)].map(([shareNumber, share]): [number, Uint8Array] => {
      if (!(share instanceof Uint8Array)) throw messageError(what, 'a share is no byte string');
      if (share.length === 0 || share.length > WHOLE_SHARE_SIZE_MAX)
        throw messageError(what, `a share has not 1 to ${String(WHOLE_SHARE_SIZE_MAX)} bytes`);
      return [toShareNumber(shareNumber, what), share];
    }),
  );
  if (shares.size === 0 || shares.size > SHARE_COUNT_MAX) throw messageError(what, 'it has no shares, or too many');
  return shares;
}

/** The reply. */
export function encodeWholeSharesReply(reply: WholeSharesReply): Uint8Array {
  return encodeCbor(fromWholeSharesReply(reply));
}

/** What stands in it. */
export function fromWholeSharesReply({ alreadyHave, stored }: WholeSharesReply): CborValue {
  return new Map<CborValue, CborValue>([
    ['already-have', alreadyHave],
    ['stored', stored],
  ]);
}

/** @throws ERR_CBOR or ERR_MESSAGE. */
export function decodeWholeSharesReply(bytes: Uint8Array): WholeSharesReply {
  const what = 'answer to shares that were sent';
  return toWholeSharesReply(asMap(decodeCbor(bytes), what), what);
}

/** The same of what was decoded. @param what - it stands in. @throws ERR_MESSAGE. */
export function toWholeSharesReply(map: ReadonlyMap<unknown, unknown>, what: string): WholeSharesReply {
  return {
    alreadyHave: toShareNumbers(map.get('already-have'), what),
    stored: toShareNumbers(map.get('stored'), what),
  };
}
