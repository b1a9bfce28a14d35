/**
 * The upload helper over HTTPS, for both of its ends, with the swissnum of its NURL in `Authorization`.
 *
 *     GET  /tallac/v1/helper                        events: `ready`, and then as long as it lasts the helper is there
 *     POST /tallac/v1/helper/STORAGE-INDEX          {happy, needed, segment-size, size, total}, CBOR; events until it is over
 *     PUT  /tallac/v1/helper/STORAGE-INDEX/UPLOAD   the ciphertext from where it is wanted to its end, with Content-Range
 *
 *     event: wanted     {offset, upload}            at most once, and not at all where another client sends the file
 *     event: results    {ciphertext-fetched, preexisting-shares, pushed-shares, sharemap, ueb, ueb-hash}
 *     event: failed     {reason}
 *
 * Events are Server-Sent Events whose data is CBOR in base32. What an upload is to its helper lasts as long as its events do.
 * @see docs/helper.md
 */
import { formatBase32, parseBase32 } from '#core/base32.js';
import { isTahoeError } from '#core/errors.js';
import { TOTAL_MAX } from '#core/immutable/parameters.js';
import { decodeCbor, encodeCbor } from './cbor.js';
import type { CborValue } from './cbor.js';
import { formatStreamEvent } from './event-stream.js';
import { SEGMENT_SIZE_MAX } from './foolscap/upload-helper.js';
import type { HelperResults, ReaderEncoding } from './foolscap/upload-helper.js';
import { asMap, closedMap, messageError, SHARE_COUNT_MAX, toShareNumber, toUint } from './storage.js';

/** Where a helper is. */
export const HELPER_PATH = '/tallac/v1/helper';
/** The largest request to upload, in bytes. */
export const HELPER_REQUEST_SIZE_MAX = 1024;
/** The longest event, in characters: results that name each share on a few hundred servers. */
export const HELPER_EVENT_LENGTH_MAX = 4_194_304;

const UPLOAD_ID = /^[a-z2-7]{26}$/;
/** What is told, and repeated, of a reason, in characters. */
const REASON_LENGTH_MAX = 500;
const UEB_HASH_SIZE = 32;
const FIELD_COUNT_MAX = 64;
const FIELD_SIZE_MAX = 1024;
const SERVER_ID_LENGTH_MAX = 256;

/** What a client says of a file that it offers to a helper. */
export interface OfferedFile extends ReaderEncoding {
  /** In bytes, at least 1. */
  readonly size: number;
}

/** What a helper tells a client. */
export type HelperEvent =
  | { readonly kind: 'ready' }
  | { readonly kind: 'wanted'; readonly offset: number; readonly uploadId: string }
  | { readonly kind: 'results'; readonly results: HelperResults }
  | { readonly kind: 'failed'; readonly reason: string };

/** Where a file is uploaded. */
export function helperUploadPath(storageIndex: Uint8Array): string {
  return `${HELPER_PATH}/${formatBase32(storageIndex)}`;
}

/** Where its ciphertext goes. */
export function helperCiphertextPath(storageIndex: Uint8Array, uploadId: string): string {
  return `${helperUploadPath(storageIndex)}/${uploadId}`;
}

/** Whether a path may name an upload so: 16 bytes in base32. */
export function isUploadId(text: string): boolean {
  return UPLOAD_ID.test(text);
}

/** The request to upload. */
export function encodeOfferedFile({ happy, needed, segmentSize, size, total }: OfferedFile): Uint8Array {
  return encodeCbor(
    new Map([
      ['happy', happy],
      ['needed', needed],
      ['segment-size', segmentSize],
      ['size', size],
      ['total', total],
    ]),
  );
}

/** @throws ERR_CBOR, or ERR_MESSAGE when no file can be encoded so. */
export function decodeOfferedFile(bytes: Uint8Array): OfferedFile {
  const what = 'request to a helper';
  const map = closedMap(decodeCbor(bytes), ['happy', 'needed', 'segment-size', 'size', 'total'], what);
  const take = (key: string, maximum: number): number => {
    const value = toUint(map.get(key), what);
    if (value >= 1 && value <= maximum) return value;
    throw messageError(what, `${key} is not from 1 to ${String(maximum)}`);
  };
  const total = take('total', TOTAL_MAX);
  const needed = take('needed', total);
  const segmentSize = take('segment-size', SEGMENT_SIZE_MAX);
  if (segmentSize % needed !== 0) throw messageError(what, 'a segment cannot be cut into as many blocks as are needed');
  return { happy: take('happy', TOTAL_MAX), needed, segmentSize, size: take('size', Number.MAX_SAFE_INTEGER), total };
}

/** Its text. */
export function formatHelperEvent(event: HelperEvent): string {
  return formatStreamEvent(event.kind, formatBase32(encodeCbor(fieldsOf(event))));
}

function fieldsOf(event: HelperEvent): ReadonlyMap<string, CborValue> {
  switch (event.kind) {
    case 'ready':
      return new Map();
    case 'wanted':
      return new Map<string, CborValue>([
        ['offset', event.offset],
        ['upload', event.uploadId],
      ]);
    case 'failed':
      return new Map([['reason', printable(event.reason)]]);
    case 'results':
      return new Map<string, CborValue>([
        ['ciphertext-fetched', event.results.ciphertextFetched ?? null],
        ['preexisting-shares', event.results.preexistingShares],
        ['pushed-shares', event.results.pushedShares],
        ['sharemap', new Map([...event.results.sharemap].map(([share, ids]) => [share, [...ids]]))],
        ['ueb', event.results.ueb],
        ['ueb-hash', event.results.uebHash],
      ]);
  }
}

/**
 * What a helper told; undefined for what this release does not know.
 * @throws ERR_BASE32, ERR_CBOR, ERR_MESSAGE when it makes no sense.
 */
export function parseHelperEvent({
  data,
  event,
}: {
  readonly event: string;
  readonly data: string;
}): HelperEvent | undefined {
  const what = `event ${event} of a helper`;
  const fields = (): ReadonlyMap<unknown, unknown> => asMap(decodeCbor(parseBase32(data)), what);
  switch (event) {
    case 'ready':
      return { kind: event };
    case 'wanted':
      return { kind: event, ...wantedOf(fields(), what) };
    case 'results':
      return { kind: event, results: resultsOf(fields(), what) };
    case 'failed': {
      const reason = fields().get('reason');
      return { kind: event, reason: typeof reason === 'string' ? printable(reason) : 'it does not say why' };
    }
    default:
      return undefined;
  }
}

function wantedOf(fields: ReadonlyMap<unknown, unknown>, what: string): { offset: number; uploadId: string } {
  const uploadId = fields.get('upload');
  if (typeof uploadId !== 'string' || !isUploadId(uploadId)) throw messageError(what, 'it names no upload');
  return { offset: toUint(fields.get('offset'), what), uploadId };
}

function resultsOf(fields: ReadonlyMap<unknown, unknown>, what: string): HelperResults {
  const uebHash = fields.get('ueb-hash');
  if (!(uebHash instanceof Uint8Array) || uebHash.length !== UEB_HASH_SIZE) throw messageError(what, 'it has no hash');
  const fetched = fields.get('ciphertext-fetched') ?? null;
  return {
    uebHash,
    ueb: uebOf(asMap(fields.get('ueb'), what), what),
    sharemap: sharemapOf(asMap(fields.get('sharemap'), what), what),
    pushedShares: toUint(fields.get('pushed-shares'), what),
    preexistingShares: toUint(fields.get('preexisting-shares'), what),
    ciphertextFetched: fetched === null ? undefined : toUint(fetched, what),
  };
}

function uebOf(map: ReadonlyMap<unknown, unknown>, what: string): HelperResults['ueb'] {
  if (map.size > FIELD_COUNT_MAX) throw messageError(what, 'its URI extension block has too many fields');
  return new Map(
    [...map].map(([key, value]): [string, number | Uint8Array] => {
      if (typeof key !== 'string') throw messageError(what, 'a field of its URI extension block has no name');
      if (!(value instanceof Uint8Array)) return [key, toUint(value, what)];
      if (value.length <= FIELD_SIZE_MAX) return [key, value];
      throw messageError(what, 'a field of its URI extension block is too long');
    }),
  );
}

function sharemapOf(map: ReadonlyMap<unknown, unknown>, what: string): HelperResults['sharemap'] {
  if (map.size > SHARE_COUNT_MAX) throw messageError(what, 'it names too many shares');
  return new Map(
    [...map].map(([share, ids]): [number, ReadonlySet<string>] => {
      if (!Array.isArray(ids)) throw messageError(what, 'it does not say where a share is');
      return [toShareNumber(share, what), new Set(ids.map((id: unknown) => serverIdOf(id, what)))];
    }),
  );
}

function serverIdOf(id: unknown, what: string): string {
  if (typeof id === 'string' && id.length <= SERVER_ID_LENGTH_MAX) return id;
  throw messageError(what, 'it does not say where a share is');
}

function printable(text: string): string {
  return text.slice(0, REASON_LENGTH_MAX).replaceAll(/\p{C}/gu, ' ');
}

/** What a client is told of `error`: of what is no TahoeError, which holds no secret, nothing. */
export function formatHelperFailure(error: unknown): string {
  if (isTahoeError(error)) return formatHelperEvent({ kind: 'failed', reason: `${error.code}: ${error.message}` });
  return formatHelperEvent({ kind: 'failed', reason: 'something went wrong that its log tells' });
}
