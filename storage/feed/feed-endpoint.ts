/**
 * The change feed over HTTP: our own addition to the storage protocol, beside it on the same port.
 * @see docs/storage-api.md
 */
import { TahoeError } from '#core/errors.js';
import {
  CHANGE_FEED_INDEX_COUNT_MAX,
  CHANGE_FEED_MEDIA_TYPE,
  CHANGE_FEED_PARAMETER,
  parsePosition,
} from '#wire/change-feed.js';
import { parseStorageIndex } from '#wire/storage.js';
import { headerValues } from '../authorization.js';
import { noTarget } from '../endpoint.js';
import type { DefineEndpoint } from '../immutable-endpoints.js';
import type { ChangeFeed } from './change-feed.js';

/** Defines it. */
export function defineFeedEndpoint(define: DefineEndpoint, feed: ChangeFeed): void {
  define({
    method: 'GET',
    path: '/events',
    rules: { secrets: [] },
    toTarget: noTarget,
    handle: async ({ reply, request }) => {
      const indexes = indexesOf(request.url);
      const [lastEventId] = headerValues(request.raw, 'last-event-id');
      const stream = feed.open(indexes, afterOf(lastEventId));
      return await reply.type(CHANGE_FEED_MEDIA_TYPE).header('cache-control', 'no-store').send(stream);
    },
  });
}

/** A position that cannot be read is one that is not known. */
function afterOf(lastEventId: string | undefined): ReturnType<typeof parsePosition> {
  if (lastEventId === undefined || lastEventId === '') return undefined;
  return parsePosition(lastEventId) ?? { epoch: 0, number: 0 };
}

function indexesOf(url: string): ReadonlySet<string> {
  const names = new URLSearchParams(url.split('?')[1] ?? '').getAll(CHANGE_FEED_PARAMETER);
  if (names.length === 0) throw queryError(`it names no ${CHANGE_FEED_PARAMETER}`);
  if (names.length > CHANGE_FEED_INDEX_COUNT_MAX) {
    throw queryError(`it names more than ${String(CHANGE_FEED_INDEX_COUNT_MAX)} of them`);
  }
  if (names.some((name) => parseStorageIndex(name) === undefined)) throw queryError('one of them is none');
  return new Set(names);
}

function queryError(reason: string): TahoeError {
  return new TahoeError('ERR_MESSAGE', { what: 'query for storage indexes', reason });
}
