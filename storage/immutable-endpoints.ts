/**
 * The endpoints of the immutable half of the storage protocol, on any share store.
 *
 * Where the reference fails with 500 or answers what it did not do, these answer with a 4xx and change nothing;
 * successes are the reference's, byte for byte.
 * @see Tahoe-LAFS docs/specifications/http-storage-node-protocol.rst, "Immutable"
 */
import { TahoeError } from '#core/errors.js';
import {
  ALLOCATE_REQUEST_SIZE_MAX,
  CORRUPT_REQUEST_SIZE_MAX,
  decodeAllocateRequest,
  decodeCorruptRequest,
  encodeAllocateReply,
  encodeRequired,
  encodeShareNumbers,
  encodeVersion,
  parseContentRange,
  SHARE_MEDIA_TYPE,
} from '#wire/storage.js';
import type { ByteRange, SecretKind } from '#wire/storage.js';
import { announcedSize } from './authorization.js';
import { indexTarget, noTarget, shareTarget } from './endpoint.js';
import type { Endpoint, Exchange, ShareTarget } from './endpoint.js';
import { readBody, readMessage } from './request-body.js';
import { sendCbor, sendShare } from './share-reply.js';
import { MUTABLE_SHARE_SIZE_MAX } from './share-store.js';
import type { ShareStore, UploadHandle } from './share-store.js';

/** What the endpoints stand on. */
export interface EndpointContext {
  readonly store: ShareStore;
  /** What the server says it is, for example `tallac/0.1.0`. */
  readonly applicationVersion: string;
}

/** What to do with an endpoint: it is of any kind, so the function is generic. */
export type DefineEndpoint = <Kind extends SecretKind, Target>(endpoint: Endpoint<Kind, Target>) => void;

/** Defines all endpoints. */
export function defineImmutableEndpoints(define: DefineEndpoint, { applicationVersion, store }: EndpointContext): void {
  define({
    method: 'GET',
    path: '/version',
    rules: { secrets: [], repliesCbor: true },
    toTarget: noTarget,
    handle: async ({ reply }) => {
      const { availableSpace } = await store.figures();
      const version = {
        maximumImmutableShareSize: availableSpace,
        maximumMutableShareSize: MUTABLE_SHARE_SIZE_MAX,
        availableSpace,
        applicationVersion,
      };
      return sendCbor(reply, encodeVersion(version));
    },
  });
  define({
    method: 'PUT',
    path: '/lease/:storageIndex',
    rules: { secrets: ['lease-renew-secret', 'lease-cancel-secret'] },
    toTarget: indexTarget,
    handle: async ({ reply, secrets, target }) => {
      const found = await store.addLease(target.storageIndex, {
        renewSecret: secrets['lease-renew-secret'],
        cancelSecret: secrets['lease-cancel-secret'],
      });
      if (!found) throw new TahoeError('ERR_NO_SUCH_SHARE', {});
      return reply.code(204).send();
    },
  });
  define({
    method: 'POST',
    path: '/immutable/:storageIndex',
    rules: {
      secrets: ['lease-renew-secret', 'lease-cancel-secret', 'upload-secret'],
      messageSizeMax: ALLOCATE_REQUEST_SIZE_MAX,
      repliesCbor: true,
    },
    toTarget: indexTarget,
    handle: async ({ body, reply, request, secrets, target }) => {
      const allocation = await store.allocate({
        ...target,
        client: request.raw.socket.remoteAddress,
        ...decodeAllocateRequest(await readMessage(body, ALLOCATE_REQUEST_SIZE_MAX)),
        uploadSecret: secrets['upload-secret'],
        renewSecret: secrets['lease-renew-secret'],
        cancelSecret: secrets['lease-cancel-secret'],
      });
      return sendCbor(reply, encodeAllocateReply(allocation));
    },
  });
  defineWriting(define, store);
  defineReading(define, store);
}

function defineWriting(define: DefineEndpoint, store: ShareStore): void {
  for (const method of ['PATCH', 'PUT'] as const) {
    define({
      method,
      path: '/immutable/:storageIndex/:shareNumber',
      rules: { secrets: ['upload-secret'], repliesCbor: true },
      toTarget: shareTarget,
      handle: async (exchange) => {
        const { body, reply, request } = exchange;
        const range = contentRangeOf(request.headers['content-range']);
        const upload = findUpload(store, exchange);
        if (upload === undefined) throw new TahoeError('ERR_NO_SUCH_UPLOAD', {});
        const received = announcedSize(request.raw) ?? range.end - range.begin;
        const expected = range.end - range.begin;
        if (received !== expected) throw new TahoeError('ERR_BODY_LENGTH', { expected, received });
        const { complete, required } = await upload.write(range, readBody(body));
        return sendCbor(reply.code(complete ? 201 : 200), encodeRequired(required));
      },
    });
  }
  define({
    method: 'PUT',
    path: '/immutable/:storageIndex/:shareNumber/abort',
    rules: { secrets: ['upload-secret'] },
    toTarget: shareTarget,
    handle: async (exchange) => {
      const upload = findUpload(store, exchange);
      if (upload === undefined) throw await missingUpload(store, exchange.target);
      await upload.abort();
      return exchange.reply.code(200).send();
    },
  });
}

/** @throws ERR_UPLOAD_SECRET. @returns undefined when there is no such upload. */
function findUpload(
  store: ShareStore,
  { secrets, target }: Exchange<'upload-secret', ShareTarget>,
): UploadHandle | undefined {
  const upload = store.upload({ ...target, uploadSecret: secrets['upload-secret'] });
  if (upload === 'other-secret') throw new TahoeError('ERR_UPLOAD_SECRET', {});
  return upload === 'no-such-upload' ? undefined : upload;
}

async function missingUpload(store: ShareStore, { shareNumber, storageIndex }: ShareTarget): Promise<TahoeError> {
  const shares = await store.listShares(storageIndex);
  return shares.has(shareNumber) ? new TahoeError('ERR_SHARE_COMPLETE', {}) : new TahoeError('ERR_NO_SUCH_UPLOAD', {});
}

function contentRangeOf(header: string | undefined): ByteRange {
  if (header === undefined) throw new TahoeError('ERR_CONTENT_RANGE', { reason: 'it is missing' });
  const range = parseContentRange(header);
  if (range === undefined) throw new TahoeError('ERR_CONTENT_RANGE', { reason: 'it names no bytes' });
  return range;
}

function defineReading(define: DefineEndpoint, store: ShareStore): void {
  define({
    method: 'GET',
    path: '/immutable/:storageIndex/shares',
    rules: { secrets: [], repliesCbor: true },
    toTarget: indexTarget,
    handle: async ({ reply, target }) =>
      sendCbor(reply, encodeShareNumbers(await store.listShares(target.storageIndex))),
  });
  define({
    method: 'GET',
    path: '/immutable/:storageIndex/:shareNumber',
    rules: { secrets: [] },
    // The reference's client looks at the type of a reply before it looks at the status.
    refusalType: SHARE_MEDIA_TYPE,
    toTarget: shareTarget,
    handle: async (exchange) => {
      const { shareNumber, storageIndex } = exchange.target;
      const share = await store.openShare(storageIndex, shareNumber);
      if (share === undefined) throw new TahoeError('ERR_NO_SUCH_SHARE', {});
      return sendShare(exchange, share);
    },
  });
  define({
    method: 'POST',
    path: '/immutable/:storageIndex/:shareNumber/corrupt',
    rules: { secrets: [], messageSizeMax: CORRUPT_REQUEST_SIZE_MAX },
    toTarget: shareTarget,
    handle: async ({ body, reply, target }) => {
      const reason = decodeCorruptRequest(await readMessage(body, CORRUPT_REQUEST_SIZE_MAX));
      if (!(await store.reportCorruption({ type: 'immutable', ...target, reason })))
        throw new TahoeError('ERR_NO_SUCH_SHARE', {});
      return reply.code(200).send();
    },
  });
}
