/**
 * Every message of the HTTPS storage protocol ("Great Black Swamp"), for both of its ends: paths, headers,
 * CBOR bodies. Bytes in, checked values out; nothing here opens a socket.
 *
 * A storage index appears in paths as 26 base32 characters, a share number as a decimal without sign or
 * leading zero. Secrets travel in headers, base64. Sets are CBOR tag 258.
 * @see Tahoe-LAFS docs/specifications/http-storage-node-protocol.rst
 */
import { formatBase32, parseBase32 } from '#core/base32.js';
import { fromUtf8, utf8 } from '#core/bytes.js';
import { TahoeError } from '#core/errors.js';
import { decodeCbor, encodeCbor } from './cbor.js';
import type { CborValue } from './cbor.js';

/** No file has more shares. @see zfec: GF(2^8) */
export const SHARE_COUNT_MAX = 256;
/** The largest allocation request, in bytes (the reference's limit). */
export const ALLOCATE_REQUEST_SIZE_MAX = 8192;
/** The largest corruption report, in bytes (the reference's limit). */
export const CORRUPT_REQUEST_SIZE_MAX = 32_768;
/** The longest reason in a corruption report, in bytes of UTF-8. */
export const CORRUPT_REASON_SIZE_MAX = 32_765;
/** The largest CBOR reply a client reads, in bytes. */
export const CBOR_REPLY_SIZE_MAX = 1 << 20;
/** The content type of messages. */
export const CBOR_MEDIA_TYPE = 'application/cbor';
/** The content type of a share's bytes. */
export const SHARE_MEDIA_TYPE = 'application/octet-stream';

const PROTOCOL_KEY = 'http://allmydata.org/tahoe/protocols/storage/v1';
const STORAGE_INDEX_SIZE = 16;

// ---- paths -------------------------------------------------------------------------------------------------

/** The paths of the immutable half, as a client asks for them. @see mutablePath for the other. */
export const storagePath = {
  version: '/storage/v1/version',
  lease: (storageIndex: Uint8Array): string => `/storage/v1/lease/${formatBase32(storageIndex)}`,
  allocate: (storageIndex: Uint8Array): string => `/storage/v1/immutable/${formatBase32(storageIndex)}`,
  shares: (storageIndex: Uint8Array): string => `/storage/v1/immutable/${formatBase32(storageIndex)}/shares`,
  share: (storageIndex: Uint8Array, shareNumber: number): string =>
    `/storage/v1/immutable/${formatBase32(storageIndex)}/${String(shareNumber)}`,
  abort: (storageIndex: Uint8Array, shareNumber: number): string =>
    `${storagePath.share(storageIndex, shareNumber)}/abort`,
  corrupt: (storageIndex: Uint8Array, shareNumber: number): string =>
    `${storagePath.share(storageIndex, shareNumber)}/corrupt`,
};

/** The 16 bytes that a path names, or undefined where it names none (26 characters, canonical). */
export function parseStorageIndex(text: string): Uint8Array | undefined {
  if (!/^[a-z2-7]{26}$/.test(text)) return undefined;
  try {
    const storageIndex = parseBase32(text);
    return storageIndex.length === STORAGE_INDEX_SIZE ? storageIndex : undefined;
  } catch {
    return undefined;
  }
}

/** The share number that a path names, 0 … 255, or undefined where it names none. */
export function parseShareNumber(text: string): number | undefined {
  if (!/^(0|[1-9][0-9]{0,2})$/.test(text)) return undefined;
  const shareNumber = Number(text);
  return shareNumber < SHARE_COUNT_MAX ? shareNumber : undefined;
}

// ---- headers -----------------------------------------------------------------------------------------------

/** The kinds of secret that X-Tahoe-Authorization carries. */
export type SecretKind = 'lease-renew-secret' | 'lease-cancel-secret' | 'upload-secret' | 'write-enabler';

const secretKinds: readonly string[] = ['lease-renew-secret', 'lease-cancel-secret', 'upload-secret', 'write-enabler'];
/** What lease secrets and write enablers have, in bytes; an upload secret may have any number. */
const FIXED_SECRET_SIZE = 32;

/** The Authorization header's value. Secret: it holds the swissnum. */
export function dangerouslyFormatAuthorization(swissnum: string): string {
  return `Tahoe-LAFS ${toBase64(utf8(swissnum))}`;
}

/** One X-Tahoe-Authorization header's value. */
export function dangerouslyFormatSecret(kind: SecretKind, secret: Uint8Array): string {
  return `${kind} ${toBase64(secret)}`;
}

/**
 * The secrets of a request, exactly those of `expected`.
 * @param headers - the values of all X-Tahoe-Authorization headers.
 * @throws ERR_HEADER when a kind is missing, unknown, repeated or not asked for, or its base64 or length is off.
 */
export function parseSecrets<Kind extends SecretKind>(
  headers: readonly string[],
  expected: readonly Kind[],
): Readonly<Record<Kind, Uint8Array>> {
  const secrets = new Map<string, Uint8Array>();
  for (const header of headers) {
    const [kind, secret] = parseSecret(header);
    if (secrets.has(kind)) throw secretError(`${kind} is there twice`);
    secrets.set(kind, secret);
  }
  if (secrets.size !== expected.length || !expected.every((kind) => secrets.has(kind))) {
    throw secretError(`this request needs exactly: ${expected.length === 0 ? 'none' : expected.join(', ')}`);
  }
  return Object.fromEntries(secrets) as Record<Kind, Uint8Array>;
}

function parseSecret(header: string): [string, Uint8Array] {
  const [kind = '', text = '', ...rest] = header.trim().split(/ +/);
  if (!secretKinds.includes(kind) || rest.length > 0) throw secretError('it is not one known kind and one value');
  const secret = fromBase64(text);
  if (secret === undefined || secret.length === 0) throw secretError(`the value of ${kind} is not base64`);
  if (kind !== 'upload-secret' && secret.length !== FIXED_SECRET_SIZE) {
    throw secretError(`${kind} is not ${String(FIXED_SECRET_SIZE)} bytes long`);
  }
  return [kind, secret];
}

function secretError(reason: string): TahoeError {
  return new TahoeError('ERR_HEADER', { header: 'X-Tahoe-Authorization', reason });
}

/** Bytes `begin` … `end` of a share; `end` is not included. */
export interface ByteRange {
  readonly begin: number;
  readonly end: number;
}

/** `bytes=<first>-<last>`, for a Range header. */
export function formatRange(range: ByteRange): string {
  return `bytes=${String(range.begin)}-${String(range.end - 1)}`;
}

/** One closed range (`bytes=a-b`), or undefined for anything else: several, open-ended, suffix, backwards. */
export function parseRange(header: string): ByteRange | undefined {
  const match = /^bytes=([0-9]{1,16})-([0-9]{1,16})$/.exec(header.trim());
  return match === null ? undefined : toRange(match[1], match[2]);
}

/** `bytes <first>-<last>/*`, for a Content-Range header. */
export function formatContentRange(range: ByteRange): string {
  return `bytes ${String(range.begin)}-${String(range.end - 1)}/*`;
}

/** The range of a Content-Range header (`bytes a-b/*` or `/total`), or undefined when it has no such form. */
export function parseContentRange(header: string): ByteRange | undefined {
  const match = /^bytes ([0-9]{1,16})-([0-9]{1,16})\/(\*|[0-9]{1,16})$/.exec(header.trim());
  return match === null ? undefined : toRange(match[1], match[2]);
}

function toRange(first: string | undefined, last: string | undefined): ByteRange | undefined {
  const begin = Number(first);
  const end = Number(last) + 1;
  return Number.isSafeInteger(begin) && Number.isSafeInteger(end) && begin < end ? { begin, end } : undefined;
}

// ---- bodies ------------------------------------------------------------------------------------------------

/** What GET /storage/v1/version tells. Sizes in bytes. */
export interface StorageVersion {
  readonly maximumImmutableShareSize: number;
  /** A bigint where a number cannot hold it: the reference says 69105·10^12, beyond 2^53. */
  readonly maximumMutableShareSize: number | bigint;
  /** A bigint where a number cannot hold it: the reference says 2^64 when it does not know. */
  readonly availableSpace: number | bigint;
  readonly applicationVersion: string;
}

const versionKeys = {
  maximumImmutableShareSize: 'maximum-immutable-share-size',
  maximumMutableShareSize: 'maximum-mutable-share-size',
  availableSpace: 'available-space',
} as const;

/** The keys are byte strings and closed: the reference's client rejects a server that adds one. */
export function encodeVersion(version: StorageVersion): Uint8Array {
  const sizes = new Map<CborValue, CborValue>(
    (Object.keys(versionKeys) as (keyof typeof versionKeys)[]).map((key) => [utf8(versionKeys[key]), version[key]]),
  );
  return encodeCbor(
    new Map<CborValue, CborValue>([
      [utf8(PROTOCOL_KEY), sizes],
      [utf8('application-version'), utf8(version.applicationVersion)],
    ]),
  );
}

/** @throws ERR_CBOR, or ERR_MESSAGE when a size is missing or not a number. */
export function decodeVersion(bytes: Uint8Array): StorageVersion {
  const what = 'version reply';
  const outer = byteKeyed(asMap(decodeCbor(bytes), what));
  const sizes = byteKeyed(asMap(outer.get(PROTOCOL_KEY), what));
  return {
    maximumImmutableShareSize: saturated(toWideUint(sizes.get(versionKeys.maximumImmutableShareSize), what)),
    maximumMutableShareSize: toWideUint(sizes.get(versionKeys.maximumMutableShareSize), what),
    availableSpace: toWideUint(sizes.get(versionKeys.availableSpace), what),
    applicationVersion: printable(outer.get('application-version')),
  };
}

/** What is asked for: room for these shares, each of `allocatedSize` bytes. */
export interface AllocateRequest {
  readonly shareNumbers: ReadonlySet<number>;
  readonly allocatedSize: number;
}

/** The body of POST /storage/v1/immutable/SI. */
export function encodeAllocateRequest(request: AllocateRequest): Uint8Array {
  return encodeCbor(
    new Map<CborValue, CborValue>([
      ['share-numbers', request.shareNumbers],
      ['allocated-size', request.allocatedSize],
    ]),
  );
}

/** @throws ERR_CBOR, or ERR_MESSAGE when a field is missing, unknown or out of range. */
export function decodeAllocateRequest(bytes: Uint8Array): AllocateRequest {
  const what = 'allocation request';
  const map = closedMap(decodeCbor(bytes), ['share-numbers', 'allocated-size'], what);
  return {
    shareNumbers: toShareNumbers(map.get('share-numbers'), what),
    allocatedSize: toUint(map.get('allocated-size'), what),
  };
}

/** All shares the server holds of this index, and those of the request that may be written now. */
export interface AllocateReply {
  readonly alreadyHave: ReadonlySet<number>;
  readonly allocated: ReadonlySet<number>;
}

/** The reply to an allocation. */
export function encodeAllocateReply(reply: AllocateReply): Uint8Array {
  return encodeCbor(
    new Map<CborValue, CborValue>([
      ['already-have', reply.alreadyHave],
      ['allocated', reply.allocated],
    ]),
  );
}

/** @throws ERR_CBOR or ERR_MESSAGE. */
export function decodeAllocateReply(bytes: Uint8Array): AllocateReply {
  const what = 'allocation reply';
  const map = asMap(decodeCbor(bytes), what);
  return {
    alreadyHave: toShareNumbers(map.get('already-have'), what),
    allocated: toShareNumbers(map.get('allocated'), what),
  };
}

/** The reply to a written segment: which bytes of the share are still to come. */
export function encodeRequired(required: readonly ByteRange[]): Uint8Array {
  const ranges = required.map(
    ({ begin, end }) =>
      new Map<CborValue, CborValue>([
        ['begin', begin],
        ['end', end],
      ]),
  );
  return encodeCbor(new Map<CborValue, CborValue>([['required', ranges]]));
}

/** @throws ERR_CBOR or ERR_MESSAGE. */
export function decodeRequired(bytes: Uint8Array): ByteRange[] {
  const what = 'write reply';
  const ranges = asMap(decodeCbor(bytes), what).get('required');
  if (!Array.isArray(ranges)) throw messageError(what, '"required" is not a list');
  return ranges.map((item: unknown) => {
    const range = asMap(item, what);
    return { begin: toUint(range.get('begin'), what), end: toUint(range.get('end'), what) };
  });
}

/** The reply to a listing. */
export function encodeShareNumbers(shareNumbers: ReadonlySet<number>): Uint8Array {
  return encodeCbor(shareNumbers);
}

/** @throws ERR_CBOR or ERR_MESSAGE. */
export function decodeShareNumbers(bytes: Uint8Array): ReadonlySet<number> {
  return toShareNumbers(decodeCbor(bytes), 'list of shares');
}

/** The body of a corruption report; the reason has 1 to 32765 bytes. */
export function encodeCorruptRequest(reason: string): Uint8Array {
  return encodeCbor(new Map<CborValue, CborValue>([['reason', reason]]));
}

/** @throws ERR_CBOR, or ERR_MESSAGE when the reason is no text of 1 … 32765 bytes. */
export function decodeCorruptRequest(bytes: Uint8Array): string {
  const what = 'corruption report';
  const reason = closedMap(decodeCbor(bytes), ['reason'], what).get('reason');
  if (typeof reason !== 'string' || reason === '' || utf8(reason).length > CORRUPT_REASON_SIZE_MAX) {
    throw messageError(what, `"reason" is not a text of 1 to ${String(CORRUPT_REASON_SIZE_MAX)} bytes`);
  }
  return reason;
}

// ---- schema checks -----------------------------------------------------------------------------------------

/** The error for a message of kind `what` that is not as its schema has it. */
export function messageError(what: string, reason: string): TahoeError {
  return new TahoeError('ERR_MESSAGE', { what, reason });
}

/** @throws ERR_MESSAGE when `value` is no map. */
export function asMap(value: unknown, what: string): ReadonlyMap<unknown, unknown> {
  if (!(value instanceof Map)) throw messageError(what, 'a map is expected');
  return value;
}

/** @throws ERR_MESSAGE when `value` is no map of exactly these keys. */
export function closedMap(value: unknown, keys: readonly string[], what: string): ReadonlyMap<unknown, unknown> {
  const map = asMap(value, what);
  if (map.size !== keys.length || !keys.every((key) => map.has(key))) {
    throw messageError(what, `exactly these keys are expected: ${keys.join(', ')}`);
  }
  return map;
}

function byteKeyed(map: ReadonlyMap<unknown, unknown>): ReadonlyMap<string, unknown> {
  return new Map([...map].map(([key, value]) => [printable(key), value]));
}

function printable(value: unknown): string {
  if (!(value instanceof Uint8Array)) return '';
  try {
    return fromUtf8(value);
  } catch {
    return '';
  }
}

/** @throws ERR_MESSAGE when `value` is no number from 0 to 2^53-1. */
export function toUint(value: unknown, what: string): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) {
    throw messageError(what, 'a number from 0 to 2^53-1 is expected');
  }
  return value;
}

/** A number that may be too large to be a number. */
function toWideUint(value: unknown, what: string): number | bigint {
  return typeof value === 'bigint' && value >= 0n ? value : toUint(value, what);
}

/** The nearest number that is exact: the reference says 2^64 where it cannot measure its disk. */
function saturated(size: number | bigint): number {
  return size > Number.MAX_SAFE_INTEGER ? Number.MAX_SAFE_INTEGER : Number(size);
}

/** A set of share numbers. @throws ERR_MESSAGE. */
export function toShareNumbers(value: unknown, what: string): ReadonlySet<number> {
  if (!(value instanceof Set)) throw messageError(what, 'a set (CBOR tag 258) is expected');
  if (value.size > SHARE_COUNT_MAX) throw messageError(what, `more than ${String(SHARE_COUNT_MAX)} share numbers`);
  return new Set([...value].map((member: unknown) => toShareNumber(member, what)));
}

/** @throws ERR_MESSAGE when `value` is no number from 0 to 255. */
export function toShareNumber(value: unknown, what: string): number {
  const shareNumber = toUint(value, what);
  if (shareNumber >= SHARE_COUNT_MAX) throw messageError(what, 'a share number is 256 or more');
  return shareNumber;
}

// ---- base64 ------------------------------------------------------------------------------------------------

function toBase64(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes));
}

/** @returns undefined when `text` is not padded standard base64. */
export function fromBase64(text: string): Uint8Array | undefined {
  if (!/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(text)) return undefined;
  const characters = atob(text);
  const bytes = new Uint8Array(characters.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = characters.charCodeAt(i);
  return bytes;
}
