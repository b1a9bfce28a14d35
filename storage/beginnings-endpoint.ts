/**
 * The first bytes of all mutable shares of one index, over HTTP: our own addition to the storage protocol.
 * @see docs/storage-api.md
 */
import { TahoeError } from '#core/errors.js';
import {
  BEGINNING_SIZE_MAX,
  BEGINNING_SIZE_PARAMETER,
  encodeBeginnings,
  parseBeginningSize,
} from '#wire/beginnings.js';
import { indexTarget } from './endpoint.js';
import type { DefineEndpoint } from './immutable-endpoints.js';
import { sendCbor } from './share-reply.js';
import type { ShareStore } from './share-store.js';

/** Defines it. */
export function defineBeginningsEndpoint(define: DefineEndpoint, store: ShareStore): void {
  define({
    method: 'GET',
    path: '/mutable/:storageIndex/beginnings',
    rules: { secrets: [], repliesCbor: true },
    toTarget: indexTarget,
    handle: async ({ reply, request, target }) => {
      const beginnings = await readBeginnings(store, target.storageIndex, sizeIn(request.url));
      return sendCbor(reply, encodeBeginnings(beginnings));
    },
  });
}

async function readBeginnings(
  store: ShareStore,
  storageIndex: Uint8Array,
  sizeBytes: number,
): Promise<Map<number, Uint8Array>> {
  const beginnings = new Map<number, Uint8Array>();
  await store.visitShares(storageIndex, 'mutable', async (share, shareNumber) => {
    const size = Math.min(sizeBytes, share.size);
    beginnings.set(shareNumber, await (share.readNow?.(0, size) ?? share.read(0, size)));
  });
  return beginnings;
}

function sizeIn(url: string): number {
  const size = parseBeginningSize(new URLSearchParams(url.split('?')[1] ?? '').get(BEGINNING_SIZE_PARAMETER));
  if (size !== undefined) return size;
  const reason = `${BEGINNING_SIZE_PARAMETER} is no number from 1 to ${String(BEGINNING_SIZE_MAX)}`;
  throw new TahoeError('ERR_MESSAGE', { what: 'query for beginnings', reason });
}
