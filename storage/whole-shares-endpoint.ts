/**
 * Small immutable shares, stored in one request: our own addition to the storage protocol.
 * @see docs/storage-api.md
 */
import { TahoeError } from '#core/errors.js';
import {
  decodeWholeShares,
  encodeWholeSharesReply,
  parseWhereNone,
  WHERE_NONE_PARAMETER,
  WHOLE_SHARES_REQUEST_SIZE_MAX,
} from '#wire/whole-shares.js';
import { announcedSize } from './authorization.js';
import { indexTarget } from './endpoint.js';
import type { DefineEndpoint } from './immutable-endpoints.js';
import { MemoryBudget } from './memory-budget.js';
import { readMessage } from './request-body.js';
import { sendCbor } from './share-reply.js';
import type { ShareStore } from './share-store.js';

/** What all such requests may hold in memory together, in bytes. */
const MEMORY_MAX = 64 << 20;

/** Defines it. */
export function defineWholeSharesEndpoint(define: DefineEndpoint, store: ShareStore): void {
  const budget = new MemoryBudget(MEMORY_MAX);
  define({
    method: 'POST',
    path: '/immutable/:storageIndex',
    rules: {
      secrets: ['lease-renew-secret', 'lease-cancel-secret'],
      messageSizeMax: WHOLE_SHARES_REQUEST_SIZE_MAX,
      repliesCbor: true,
    },
    toTarget: indexTarget,
    handle: async ({ body, reply, request, secrets, target }) => {
      const whereNone = whereNoneIn(request.url);
      const memory = budget.open();
      try {
        memory.grow(announcedSize(body.request) ?? WHOLE_SHARES_REQUEST_SIZE_MAX);
        const shares = decodeWholeShares(await readMessage(body, WHOLE_SHARES_REQUEST_SIZE_MAX));
        const stored = await store.storeShares({
          ...target,
          shares,
          whereNone,
          renewSecret: secrets['lease-renew-secret'],
          cancelSecret: secrets['lease-cancel-secret'],
        });
        return await sendCbor(reply, encodeWholeSharesReply(stored));
      } finally {
        memory.release();
      }
    },
  });
}

function whereNoneIn(url: string): boolean {
  const whereNone = parseWhereNone(new URLSearchParams(url.split('?')[1] ?? '').get(WHERE_NONE_PARAMETER));
  if (whereNone !== undefined) return whereNone;
  const reason = `${WHERE_NONE_PARAMETER} is something else than true`;
  throw new TahoeError('ERR_MESSAGE', { what: 'query to store shares', reason });
}
