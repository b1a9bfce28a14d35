/**
 * The helper's remote interfaces, for both of their ends: what they are called, and what their calls carry.
 *
 *     RIHelper                get_version  upload_chk(si) → (results or None, RICHKUploadHelper or None)
 *     RICHKUploadHelper       get_version  upload(reader) → results
 *     RIEncryptedUploadable   get_size  get_all_encoding_parameters → (k, happy, N, segment size)
 *                             read_encrypted(offset, length) → list of byte strings  close
 *
 * Results are a copyable whose attributes grew over the years: what is missing there is undefined here.
 * @see Tahoe-LAFS src/allmydata/interfaces.py, immutable/upload.py (HelperUploadResults)
 */
import { fromUtf8, utf8 } from '#core/bytes.js';
import { TahoeError } from '#core/errors.js';
import { TOTAL_MAX } from '#core/immutable/parameters.js';
import { decodeUebFields } from '#core/immutable/ueb.js';
import { SHARE_COUNT_MAX } from '../storage.js';
import { anyShape, bytesOf, dictOf, integerOf, listOf, optional, setOf, tupleOf } from './shapes.js';
import type { Shape } from './shapes.js';
import { shareNumberShape } from './storage.js';
import { isRemoteReference } from './tub.js';
import type { RemoteReference } from './tub.js';
import { violation } from './value-builders.js';
import { Copyable, Dict, Tuple, ValueSet } from './values.js';
import type { Value } from './values.js';

/** The names of the interfaces on the wire. */
export const helperInterfaces = {
  helper: 'RIHelper.tahoe.allmydata.com',
  upload: 'RIUploadHelper.tahoe.allmydata.com',
  reader: 'RIEncryptedUploadable.tahoe.allmydata.com',
} as const;

/** What a helper must say that it speaks. */
export const HELPER_PROTOCOL = 'http://allmydata.org/tahoe/protocols/helper/v1';
/** What the other object of a helper says. */
export const CHK_UPLOAD_PROTOCOL = 'http://allmydata.org/tahoe/protocols/helper/chk-upload/v1';
/** The most ciphertext that a helper asks for at once, in bytes: what the reference's asks for. */
export const READ_SIZE_MAX = 51_200;
/** The largest segment that a helper encodes: it holds a few of them in memory. In bytes. */
export const SEGMENT_SIZE_MAX = 67_108_864;

const RESULTS_TYPE = 'allmydata.upload.UploadResults.tahoe.allmydata.com';
/** Servers that results name. */
const SERVER_COUNT_MAX = 4096;
const SERVER_ID_SIZE_MAX = 256;
/** Byte strings that one read may come in. */
const PART_COUNT_MAX = 1024;
/** Keys of a URI extension block, and its longest value, in bytes. */
const FIELD_COUNT_MAX = 64;
const FIELD_SIZE_MAX = 1024;
/** The keys whose values are numbers there and text in the block itself. */
const numberKeys = ['size', 'segment_size', 'num_segments', 'needed_shares', 'total_shares'];

/** How a client wants its file encoded. */
export interface ReaderEncoding {
  readonly needed: number;
  readonly happy: number;
  readonly total: number;
  /** In bytes, a multiple of `needed`. */
  readonly segmentSize: number;
}

/** What a helper says of a file that is in the grid. */
export interface HelperResults {
  /** 32 bytes. */
  readonly uebHash: Uint8Array;
  /** The fields of the URI extension block by their keys. */
  readonly ueb: ReadonlyMap<string, number | Uint8Array>;
  /** Which servers hold each share; empty where a helper says it in a way of old. */
  readonly sharemap: ReadonlyMap<number, ReadonlySet<string>>;
  readonly pushedShares: number;
  readonly preexistingShares: number;
  /** How much of the file the helper asked for; undefined where it had no need to. In bytes. */
  readonly ciphertextFetched: number | undefined;
}

/** What an upload is to a helper and to its client. */
export interface UploadChkReply {
  readonly results: HelperResults | undefined;
  readonly upload: RemoteReference | undefined;
}

/** The size of a file that is worth shares, in bytes. */
export const fileSizeShape = integerOf(1, Number.MAX_SAFE_INTEGER);

/** What a reader says of its file's encoding. */
export const readerEncodingShape: Shape<ReaderEncoding> = (value, what) => {
  const [k = null, happyCount = null, n = null, segment = null] = tupleOf(4)(value, what);
  const total = integerOf(1, TOTAL_MAX)(n, `the total of ${what}`);
  const needed = integerOf(1, total)(k, `the needed shares of ${what}`);
  const segmentSize = integerOf(1, SEGMENT_SIZE_MAX)(segment, `the segment size of ${what}`);
  if (segmentSize % needed !== 0) throw violation('a segment cannot be cut into as many blocks as are needed');
  return { needed, happy: integerOf(1, TOTAL_MAX)(happyCount, `the happiness of ${what}`), total, segmentSize };
};

/** As it is sent. */
export function formatReaderEncoding({ happy, needed, segmentSize, total }: ReaderEncoding): Tuple {
  return new Tuple(needed, happy, total, segmentSize);
}

/** What a read gave: some bytes, at most `size`. */
export function readDataOf(size: number): Shape<readonly Uint8Array[]> {
  return (value, what) => {
    const parts = listOf(bytesOf(), PART_COUNT_MAX)(value, what);
    const given = parts.reduce((sum, part) => sum + part.length, 0);
    if (given >= 1 && given <= size) return parts;
    throw violation(`${what} has ${String(given)} bytes, not from 1 to ${String(size)}`);
  };
}

/** What either object of a helper says of itself. */
export function formatHelperVersion(protocol: string, applicationVersion: string): Dict {
  return new Dict([
    [utf8(protocol), new Dict([])],
    [utf8('application-version'), utf8(applicationVersion)],
  ]);
}

/** The numbers and hashes of a URI extension block, as results have them. @throws ERR_UEB. */
export function uebFieldsOf(ueb: Uint8Array): ReadonlyMap<string, number | Uint8Array> {
  return new Map(
    [...decodeUebFields(ueb)].map(([key, value]) => [key, numberKeys.includes(key) ? numberOf(value) : value]),
  );
}

function numberOf(value: Uint8Array): number {
  const digits = String.fromCharCode(...value.subarray(0, 17));
  if (/^[0-9]{1,15}$/.test(digits)) return Number(digits);
  throw new TahoeError('ERR_UEB', { reason: 'a number of it is none' });
}

/**
 * Results, as they are sent.
 * @param verifyCapability - as text, where the file was uploaded just now.
 */
export function formatHelperResults(results: HelperResults, verifyCapability?: string): Copyable {
  const { ciphertextFetched, preexistingShares, pushedShares, sharemap, ueb, uebHash } = results;
  const size = ueb.get('size');
  const attributes: [string, Value][] = [
    ['timings', new Dict([])],
    ['sharemap', new Dict([...sharemap].map(([share, ids]) => [share, new ValueSet([...ids].map(utf8))]))],
    ['servermap', formatServermap(sharemap)],
    ['file_size', size ?? null],
    ['ciphertext_fetched', ciphertextFetched ?? null],
    ['uri', null],
    ['preexisting_shares', preexistingShares],
    ['pushed_shares', pushedShares],
    ['uri_extension_hash', uebHash],
    ['uri_extension_data', new Dict([...ueb])],
  ];
  if (verifyCapability !== undefined) attributes.push(['verifycapstr', utf8(verifyCapability)]);
  return new Copyable(RESULTS_TYPE, new Map(attributes));
}

function formatServermap(sharemap: HelperResults['sharemap']): Dict {
  const byServer = new Map<string, number[]>();
  for (const [share, ids] of sharemap) for (const id of ids) byServer.set(id, [...(byServer.get(id) ?? []), share]);
  return new Dict([...byServer].map(([id, shares]) => [utf8(id), new ValueSet(shares)]));
}

/** What a helper says of a file. What it does not need to say may be missing. */
export const helperResultsShape: Shape<HelperResults> = (value, what) => {
  if (!(value instanceof Copyable) || value.typeName !== RESULTS_TYPE) throw violation(`${what} are no results`);
  const take = <Result>(name: string, shape: Shape<Result>): Result =>
    shape(value.attributes.get(name) ?? null, `${name} of ${what}`);
  const count = optional(integerOf(0, SHARE_COUNT_MAX * SERVER_COUNT_MAX));
  return {
    uebHash: take('uri_extension_hash', bytesOf(32)),
    ueb: take('uri_extension_data', uebShape),
    sharemap: take('sharemap', sharemapShape),
    pushedShares: take('pushed_shares', count) ?? 0,
    preexistingShares: take('preexisting_shares', count) ?? 0,
    ciphertextFetched: take('ciphertext_fetched', optional(integerOf(0, Number.MAX_SAFE_INTEGER))),
  };
};

const textShape: Shape<string> = (value, what) => {
  if (typeof value === 'string' && value.length <= FIELD_SIZE_MAX) return value;
  const bytes = bytesOf()(value, what);
  try {
    if (bytes.length <= SERVER_ID_SIZE_MAX) return fromUtf8(bytes);
  } catch {
    // As below.
  }
  throw violation(`${what} is not a short text`);
};

/** Text or bytes for a key, and for what is neither number nor hash: releases differ. */
const uebShape = dictOf(
  textShape,
  (value, what): number | Uint8Array => {
    if (typeof value === 'number') return value;
    const bytes = typeof value === 'string' ? utf8(value) : bytesOf()(value, what);
    if (bytes.length > FIELD_SIZE_MAX) throw violation(`${what} is too long`);
    return bytes;
  },
  FIELD_COUNT_MAX,
);

/** Servers are named by bytes: tub ids, which helpers of old say, are no text and shown as what they can be. */
const serverIdShape: Shape<string> = (value, what) => {
  const bytes = bytesOf()(value, what);
  if (bytes.length > SERVER_ID_SIZE_MAX) throw violation(`${what} is too long`);
  return lenient.decode(bytes);
};
const lenient = new TextDecoder();

/** Helpers before 1.3 say a sentence for each share, which nobody can use. */
const sharemapShape: Shape<HelperResults['sharemap']> = (value, what) => {
  if (value === null) return new Map();
  const found = dictOf(shareNumberShape, anyShape, SHARE_COUNT_MAX)(value, what);
  const servers = setOf(serverIdShape, SERVER_COUNT_MAX);
  return new Map([...found].map(([share, ids]) => [share, new Set(ids instanceof ValueSet ? servers(ids, what) : [])]));
};

/** The answer to upload_chk: one of the two is there. */
export const uploadChkReplyShape: Shape<UploadChkReply> = (value, what) => {
  const [results = null, upload = null] = tupleOf(2)(value, what);
  if (upload !== null && !isRemoteReference(upload)) throw violation(`${what} has no object to upload to`);
  if (upload === null && results === null) throw violation(`${what} has neither results nor an object to upload to`);
  return upload === null
    ? { results: helperResultsShape(results, what), upload: undefined }
    : { results: undefined, upload };
};
