/**
 * What is asked of a storage server over HTTPS, as values: method, path, headers, body, and which answers are one.
 * Those operations are here that both halves of the protocol have, and those that are more than a few lines.
 * @see Tahoe-LAFS docs/specifications/http-storage-node-protocol.rst
 */
import { formatBase32 } from '#core/base32.js';
import { beginningsPath, beginningsReplySizeMax } from '#wire/beginnings.js';
import { CHANGE_FEED_MEDIA_TYPE, changeFeedPath } from '#wire/change-feed.js';
import { immutableBeginningsPath, immutableBeginningsReplySizeMax } from '#wire/immutable-beginnings.js';
import type { EdgeSizes } from '#wire/immutable-beginnings.js';
import {
  CBOR_MEDIA_TYPE,
  dangerouslyFormatSecret,
  encodeAllocateRequest,
  encodeCorruptRequest,
  formatContentRange,
  formatRange,
  SHARE_COUNT_MAX,
  SHARE_MEDIA_TYPE,
  storagePath,
} from '#wire/storage.js';
import type { ByteRange } from '#wire/storage.js';
import { encodeReadTestWriteRequest, mutablePath } from '#wire/storage-mutable.js';
import { encodeStoreBatch, STORE_BATCH_PATH } from '#wire/store-batch.js';
import { encodeWholeShares, wholeSharesPath } from '#wire/whole-shares.js';
import type { ExchangeBody, ExchangeRequest } from './http-exchange.js';
import { boundCborUpTo, boundFeed, boundRead } from './https-replies.js';
import type { BodyBound, ReplyHeaders } from './https-replies.js';
import type {
  FeedRequest,
  SecretAllocateRequest,
  SecretReadTestWriteRequest,
  SecretStoreRequest,
  ShareSecrets,
} from './storage-server.js';
import type { StoreCall } from './store-batches.js';

/** The largest reply to a read-test-write that is read, in bytes; less where less was asked for. */
export const READ_TEST_WRITE_REPLY_SIZE_MAX = 64 << 20;
/** What such a reply has besides the bytes that were asked for, at most, in bytes. */
const REPLY_FRAME_SIZE_MAX = 128 * 1024;

/** What differs from one operation to another. */
export interface Operation {
  readonly what: string;
  readonly method: ExchangeRequest['method'];
  readonly path: string;
  readonly headers?: Readonly<Record<string, string | string[]>>;
  readonly body?: ExchangeBody;
  /** Bytes that the answer is expected to have, for the deadline. */
  readonly replySize?: number;
  /** The statuses that are an answer. */
  readonly statuses: readonly number[];
  /** Judges the head of an answer below 400; without it the body may be short and is ignored. */
  readonly boundBody?: (status: number, headers: ReplyHeaders) => BodyBound;
}

/** One share, to be named in a message. */
export interface NamedShare {
  readonly storageIndex: Uint8Array;
  readonly shareNumber: number;
}

/** Both secrets of a lease, as header values. */
function dangerouslyFormatLeaseSecrets({ renewSecret, cancelSecret }: ShareSecrets): string[] {
  return [
    dangerouslyFormatSecret('lease-renew-secret', renewSecret),
    dangerouslyFormatSecret('lease-cancel-secret', cancelSecret),
  ];
}

/** A share, in words. */
export function describeShare({ shareNumber, storageIndex }: NamedShare): string {
  return `share ${String(shareNumber)} of ${formatBase32(storageIndex)}`;
}

/**
 * A range with nothing in it cannot be said in HTTP: whoever asks has made a mistake.
 * @throws RangeError.
 */
export function checkRange(range: ByteRange): ByteRange {
  if (range.begin < 0 || range.begin >= range.end) throw new RangeError('a range holds at least one byte');
  return range;
}

/** Which shares there are. */
export function listOperation(storageIndex: Uint8Array, path: string): Operation {
  return { what: `listing the shares of ${formatBase32(storageIndex)}`, method: 'GET', path, statuses: [200] };
}

/** Bytes of a share. */
export function readOperation(share: NamedShare, path: string, range: ByteRange): Operation {
  return {
    what: `reading ${describeShare(share)}`,
    method: 'GET',
    path,
    headers: { accept: SHARE_MEDIA_TYPE, range: formatRange(checkRange(range)) },
    replySize: range.end - range.begin,
    statuses: [204, 206, 404],
    boundBody: (status, headers) => boundRead(range, status, headers),
  };
}

/** The first bytes of all mutable shares. A 404 says that the server does not know of such a request. */
export function beginningsOperation(storageIndex: Uint8Array, sizeBytes: number): Operation {
  return lookOperation(storageIndex, beginningsPath(storageIndex, sizeBytes), beginningsReplySizeMax(sizeBytes));
}

/** How all immutable shares begin and end. A 404 says that the server does not know of such a request. */
export function immutableBeginningsOperation(storageIndex: Uint8Array, sizes: EdgeSizes): Operation {
  const path = immutableBeginningsPath(storageIndex, sizes);
  return lookOperation(storageIndex, path, immutableBeginningsReplySizeMax(sizes));
}

function lookOperation(storageIndex: Uint8Array, path: string, replySizeMax: number): Operation {
  const what = `looking at the shares of ${formatBase32(storageIndex)}`;
  return { what, method: 'GET', path, statuses: [200, 404], boundBody: boundCborUpTo(replySizeMax) };
}

/** Bytes for a share that is being uploaded. */
export function writeOperation(
  share: NamedShare,
  uploadSecret: Uint8Array,
  range: ByteRange,
  body: ExchangeBody,
): Operation {
  return {
    what: `writing ${describeShare(share)}`,
    method: 'PATCH',
    path: storagePath.share(share.storageIndex, share.shareNumber),
    headers: {
      'content-type': SHARE_MEDIA_TYPE,
      'content-range': formatContentRange(checkRange(range)),
      'x-tahoe-authorization': dangerouslyFormatSecret('upload-secret', uploadSecret),
    },
    body,
    statuses: [200, 201],
  };
}

/** The word that a share is damaged. */
export function corruptOperation(share: NamedShare, path: string, reason: string): Operation {
  return {
    what: `reporting ${describeShare(share)} as corrupt`,
    method: 'POST',
    path,
    headers: { 'content-type': CBOR_MEDIA_TYPE },
    body: [encodeCorruptRequest(reason)],
    statuses: [200, 404],
  };
}

/** Tests, reads and writes of mutable shares. */
export function readTestWriteOperation(storageIndex: Uint8Array, request: SecretReadTestWriteRequest): Operation {
  const asked = SHARE_COUNT_MAX * request.reads.reduce((sum, { size }) => sum + size, 0);
  const replySize = Math.min(asked + REPLY_FRAME_SIZE_MAX, READ_TEST_WRITE_REPLY_SIZE_MAX);
  const writeEnabler = dangerouslyFormatSecret('write-enabler', request.writeEnabler);
  return {
    what: `writing mutable shares of ${formatBase32(storageIndex)}`,
    method: 'POST',
    path: mutablePath.readTestWrite(storageIndex),
    headers: {
      'content-type': CBOR_MEDIA_TYPE,
      'x-tahoe-authorization': [...dangerouslyFormatLeaseSecrets(request), writeEnabler],
    },
    body: encodeReadTestWriteRequest(request),
    replySize,
    statuses: [200],
    boundBody: boundCborUpTo(replySize),
  };
}

/** Room for shares. */
export function allocateOperation(storageIndex: Uint8Array, request: SecretAllocateRequest): Operation {
  const uploadSecret = dangerouslyFormatSecret('upload-secret', request.uploadSecret);
  return {
    what: `allocating shares of ${formatBase32(storageIndex)}`,
    method: 'POST',
    path: storagePath.allocate(storageIndex),
    headers: {
      'content-type': CBOR_MEDIA_TYPE,
      'x-tahoe-authorization': [...dangerouslyFormatLeaseSecrets(request), uploadSecret],
    },
    body: [encodeAllocateRequest(request)],
    statuses: [200],
  };
}

/** The end of an upload. */
export function abortOperation(share: NamedShare, uploadSecret: Uint8Array): Operation {
  return {
    what: `aborting ${describeShare(share)}`,
    method: 'PUT',
    path: storagePath.abort(share.storageIndex, share.shareNumber),
    headers: { 'x-tahoe-authorization': dangerouslyFormatSecret('upload-secret', uploadSecret) },
    statuses: [200],
  };
}

/** A lease on all shares. */
export function leaseOperation(storageIndex: Uint8Array, secrets: ShareSecrets): Operation {
  return {
    what: `adding a lease to ${formatBase32(storageIndex)}`,
    method: 'PUT',
    path: storagePath.lease(storageIndex),
    headers: { 'x-tahoe-authorization': dangerouslyFormatLeaseSecrets(secrets) },
    statuses: [204, 404],
  };
}

/** Storing shares as wholes, in words. */
export function describeStore(storageIndex: Uint8Array): string {
  return `storing shares of ${formatBase32(storageIndex)}`;
}

/** Small shares as wholes. A 404 says that the server does not know of such a request. */
export function storeSharesOperation(storageIndex: Uint8Array, request: SecretStoreRequest): Operation {
  return {
    what: describeStore(storageIndex),
    method: 'POST',
    path: wholeSharesPath(storageIndex, request.whereNone),
    headers: { 'content-type': CBOR_MEDIA_TYPE, 'x-tahoe-authorization': dangerouslyFormatLeaseSecrets(request) },
    body: [encodeWholeShares(request.shares)],
    statuses: [200, 404],
  };
}

/** The same of several files. A 404 says that the server does not know of such a request. */
export function storeBatchOperation(calls: readonly StoreCall[]): Operation {
  const stores = calls.map(({ request, storageIndex }) => ({ whereNone: false, ...request, storageIndex }));
  return {
    what: `storing shares of ${String(calls.length)} files`,
    method: 'POST',
    path: STORE_BATCH_PATH,
    headers: { 'content-type': CBOR_MEDIA_TYPE },
    body: [encodeStoreBatch(stores)],
    statuses: [200, 404],
  };
}

/** What becomes of shares, as long as the server tells it. */
export function feedOperation({ lastEventId, storageIndexes, told }: FeedRequest): Operation {
  return {
    what: 'following changes',
    method: 'GET',
    path: changeFeedPath(storageIndexes),
    headers: {
      accept: CHANGE_FEED_MEDIA_TYPE,
      ...(lastEventId === undefined ? {} : { 'last-event-id': lastEventId }),
    },
    statuses: [200, 404],
    boundBody: boundFeed(told),
  };
}
