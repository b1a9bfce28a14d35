/**
 * Small immutable shares, stored in one request: those of one file, or of several files, each of which is judged by
 * itself. Our own addition to the storage protocol.
 * @see docs/storage-api.md
 */
import type { Log } from '#core/environment.js';
import { TahoeError } from '#core/errors.js';
import { decodeStoreBatch, encodeStoreBatchReply } from '#wire/store-batch.js';
import type { BatchedStore, StoreRefusal } from '#wire/store-batch.js';
import {
  decodeWholeShares,
  encodeWholeSharesReply,
  parseWhereNone,
  WHERE_NONE_PARAMETER,
  WHOLE_SHARES_REQUEST_SIZE_MAX,
} from '#wire/whole-shares.js';
import type { WholeSharesReply } from '#wire/whole-shares.js';
import { announcedSize } from './authorization.js';
import { indexTarget, noTarget } from './endpoint.js';
import type { DefineEndpoint } from './immutable-endpoints.js';
import { MemoryBudget } from './memory-budget.js';
import { readMessage } from './request-body.js';
import type { BodySource } from './request-body.js';
import { sendCbor } from './share-reply.js';
import type { ShareStore } from './share-store.js';
import { tellRefusal } from './status.js';

/** What all such requests may hold in memory together, in bytes. */
const MEMORY_MAX = 64 << 20;

/** What the endpoints stand on. */
export interface WholeSharesContext {
  readonly store: ShareStore;
  readonly log: Log;
}

/** Defines both. */
export function defineWholeSharesEndpoints(define: DefineEndpoint, { log, store }: WholeSharesContext): void {
  const budget = new MemoryBudget(MEMORY_MAX);
  const messageSizeMax = WHOLE_SHARES_REQUEST_SIZE_MAX;
  define({
    method: 'POST',
    path: '/immutable/:storageIndex',
    rules: { secrets: ['lease-renew-secret', 'lease-cancel-secret'], messageSizeMax, repliesCbor: true },
    toTarget: indexTarget,
    handle: async ({ body, reply, request, secrets, target }) => {
      const whereNone = whereNoneIn(request.url);
      const stored = await withMessage(budget, body, (message) =>
        store.storeShares({
          ...target,
          shares: decodeWholeShares(message),
          whereNone,
          renewSecret: secrets['lease-renew-secret'],
          cancelSecret: secrets['lease-cancel-secret'],
        }),
      );
      return sendCbor(reply, encodeWholeSharesReply(stored));
    },
  });
  define({
    method: 'POST',
    path: '/immutable',
    rules: { secrets: [], messageSizeMax, repliesCbor: true },
    toTarget: noTarget,
    handle: async ({ body, reply }) => {
      const storeOne = async (request: BatchedStore): Promise<WholeSharesReply | StoreRefusal> => {
        try {
          return await store.storeShares(request);
        } catch (error) {
          const { status, text } = tellRefusal(error, 'POST', log);
          return { status, reason: text };
        }
      };
      // All at once, so that they share the syncs of the store.
      const outcomes = await withMessage(budget, body, (message) =>
        Promise.all(decodeStoreBatch(message).map(storeOne)),
      );
      return sendCbor(reply, encodeStoreBatchReply(outcomes));
    },
  });
}

/** Reads a body as a whole; its memory is held until `action` has ended. @throws ERR_TOO_MANY; what both throw. */
async function withMessage<Result>(
  budget: MemoryBudget,
  body: BodySource,
  action: (message: Uint8Array) => Promise<Result>,
): Promise<Result> {
  const memory = budget.open();
  try {
    memory.grow(announcedSize(body.request) ?? WHOLE_SHARES_REQUEST_SIZE_MAX);
    return await action(await readMessage(body, WHOLE_SHARES_REQUEST_SIZE_MAX));
  } finally {
    memory.release();
  }
}

function whereNoneIn(url: string): boolean {
  const whereNone = parseWhereNone(new URLSearchParams(url.split('?')[1] ?? '').get(WHERE_NONE_PARAMETER));
  if (whereNone !== undefined) return whereNone;
  const reason = `${WHERE_NONE_PARAMETER} is something else than true`;
  throw new TahoeError('ERR_MESSAGE', { what: 'query to store shares', reason });
}
