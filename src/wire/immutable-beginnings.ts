/**
 * How all complete immutable shares begin and end that a server holds of one file, in one request: our own addition to the
 * protocol, for a reader takes a list and a read or two of each share otherwise.
 *
 *     GET /tallac/v1/immutable/STORAGE-INDEX/beginnings?size=68&end=4000
 *     →     {share number: [size of the share, its first bytes, its last bytes]}, CBOR
 *
 * A share that is no longer than both together comes whole, as first bytes without last ones. Where an answer would hold
 * more than BEGINNINGS_SIZE_MAX of shares, the rest of them come with neither. A server without this answers 404, as for
 * every path that it does not know.
 * @see docs/storage-api.md
 */
import { formatBase32 } from '#core/base32.js';
import { decodeCbor, encodeCbor } from './cbor.js';
import type { CborValue } from './cbor.js';
import { asMap, messageError, SHARE_COUNT_MAX, toShareNumber } from './storage.js';

/** How much of each end of a share may be asked for, in bytes. */
export const EDGE_SIZE_MAX = 65_536;
/** What an answer has of all shares together, at most, in bytes. */
export const BEGINNINGS_SIZE_MAX = 1 << 20;
/** What stands around the bytes of each share in an answer, at most, in bytes. */
const FRAME_SIZE_MAX = 32;

/** How much is asked for, in bytes: of the beginning 1 … EDGE_SIZE_MAX, of the end 0 … EDGE_SIZE_MAX. */
export interface EdgeSizes {
  readonly beginning: number;
  readonly end: number;
}

/** What a server says of a share: proven by nothing. */
export interface ShareEdges {
  /** Of the whole share, in bytes. */
  readonly size: number;
  readonly beginning: Uint8Array;
  readonly end: Uint8Array;
}

/** Where they are asked for. */
export function immutableBeginningsPath(storageIndex: Uint8Array, { beginning, end }: EdgeSizes): string {
  const query = `size=${String(beginning)}&end=${String(end)}`;
  return `/tallac/v1/immutable/${formatBase32(storageIndex)}/beginnings?${query}`;
}

/** What a query asks for; undefined where it asks for none that is given. */
export function parseEdgeSizes(query: string): EdgeSizes | undefined {
  const parameters = new URLSearchParams(query);
  const [beginning, end] = [parameters.get('size'), parameters.get('end')].map((text) =>
    text !== null && /^(0|[1-9][0-9]{0,4})$/.test(text) ? Number(text) : Infinity,
  );
  if (beginning === undefined || end === undefined || beginning === 0) return undefined;
  return Math.max(beginning, end) <= EDGE_SIZE_MAX ? { beginning, end } : undefined;
}

/** How long an answer may be, in bytes. */
export function immutableBeginningsReplySizeMax({ beginning, end }: EdgeSizes): number {
  return Math.min(SHARE_COUNT_MAX * (beginning + end), BEGINNINGS_SIZE_MAX) + SHARE_COUNT_MAX * FRAME_SIZE_MAX;
}

/** What an answer has of a share of `size` bytes, where it has anything of it. */
export function edgeSizesOf(size: number, asked: EdgeSizes): EdgeSizes {
  return size <= asked.beginning + asked.end ? { beginning: size, end: 0 } : asked;
}

/** The answer. */
export function encodeImmutableBeginnings(shares: ReadonlyMap<number, ShareEdges>): Uint8Array {
  return encodeCbor(
    new Map<CborValue, CborValue>(
      [...shares].map(([shareNumber, { size, beginning, end }]) => [shareNumber, [size, beginning, end]]),
    ),
  );
}

/** @throws ERR_CBOR, or ERR_MESSAGE when it is not as above or has more or less of a share than was asked for. */
export function decodeImmutableBeginnings(bytes: Uint8Array, asked: EdgeSizes): ReadonlyMap<number, ShareEdges> {
  const what = 'answer with the beginnings and ends of shares';
  return new Map(
    [...asMap(decodeCbor(bytes), what)].map(([shareNumber, edges]) => [
      toShareNumber(shareNumber, what),
      toShareEdges(edges, asked, what),
    ]),
  );
}

function toShareEdges(value: unknown, asked: EdgeSizes, what: string): ShareEdges {
  const parts: readonly unknown[] = Array.isArray(value) ? value : [];
  const [size, beginning, end, ...others] = parts;
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0 || others.length > 0)
    throw messageError(what, 'a share has no size');
  if (!(beginning instanceof Uint8Array) || !(end instanceof Uint8Array))
    throw messageError(what, 'a beginning or an end is no byte string');
  const sizes = edgeSizesOf(size, asked);
  const isLeftOut = beginning.length === 0 && end.length === 0;
  if (!isLeftOut && (beginning.length !== sizes.beginning || end.length !== sizes.end))
    throw messageError(what, 'a beginning or an end is not as long as was asked for');
  return { size, beginning, end };
}
