/**
 * How all immutable shares of one index begin and end, over HTTP: our own addition to the storage protocol.
 * @see docs/storage-api.md
 */
import { isTahoeError, TahoeError } from '#core/errors.js';
import {
  BEGINNINGS_SIZE_MAX,
  EDGE_SIZE_MAX,
  edgeSizesOf,
  encodeImmutableBeginnings,
  parseEdgeSizes,
} from '#wire/immutable-beginnings.js';
import type { EdgeSizes, ShareEdges } from '#wire/immutable-beginnings.js';
import { indexTarget } from './endpoint.js';
import type { DefineEndpoint } from './immutable-endpoints.js';
import { sendCbor } from './share-reply.js';
import type { OpenShare, ShareStore } from './share-store.js';

const nothing = new Uint8Array(0);

/** Defines it. */
export function defineImmutableBeginningsEndpoint(define: DefineEndpoint, store: ShareStore): void {
  define({
    method: 'GET',
    path: '/immutable/:storageIndex/beginnings',
    rules: { secrets: [], repliesCbor: true },
    toTarget: indexTarget,
    handle: async ({ reply, request, target }) => {
      const asked = edgeSizesIn(request.url);
      return sendCbor(reply, encodeImmutableBeginnings(await readAllEdges(store, target.storageIndex, asked)));
    },
  });
}

async function readAllEdges(
  store: ShareStore,
  storageIndex: Uint8Array,
  asked: EdgeSizes,
): Promise<ReadonlyMap<number, ShareEdges>> {
  const shares = new Map<number, ShareEdges>();
  let left = BEGINNINGS_SIZE_MAX;
  await store.visitShares(storageIndex, 'immutable', async (share, shareNumber) => {
    const { beginning, end } = edgeSizesOf(share.size, asked);
    const isLeftOut = beginning + end > left;
    if (!isLeftOut) left -= beginning + end;
    shares.set(shareNumber, await readEdges(share, isLeftOut ? { beginning: 0, end: 0 } : { beginning, end }));
  });
  return shares;
}

/** A share that cannot be read hides no other: whoever wants more of it is told then. */
async function readEdges(share: OpenShare, { beginning, end }: EdgeSizes): Promise<ShareEdges> {
  const { size } = share;
  try {
    return { size, beginning: await readPart(share, 0, beginning), end: await readPart(share, size - end, end) };
  } catch (error) {
    if (!isTahoeError(error, 'ERR_CONTAINER', 'ERR_DISK')) throw error;
    return { size, beginning: nothing, end: nothing };
  }
}

function readPart(share: OpenShare, offset: number, size: number): Uint8Array | Promise<Uint8Array> {
  return size === 0 ? nothing : (share.readNow?.(offset, size) ?? share.read(offset, size));
}

function edgeSizesIn(url: string): EdgeSizes {
  const sizes = parseEdgeSizes(url.split('?')[1] ?? '');
  if (sizes !== undefined) return sizes;
  const reason = `size and end are no numbers from 1 and 0 to ${String(EDGE_SIZE_MAX)}`;
  throw new TahoeError('ERR_MESSAGE', { what: 'query for beginnings', reason });
}
