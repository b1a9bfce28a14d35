/**
 * Small immutable shares of several files, stored in one request: what whole-shares.ts says for one file, in a list.
 *
 *     POST /tallac/v1/immutable      [{'storage-index': 16 bytes, 'renew-secret': 32 bytes, 'cancel-secret': 32 bytes,
 *                                      'where-none': bool, 'shares': {share number: bytes}}, …], CBOR
 *     →     [{'already-have': numbers, 'stored': numbers} or {'status': number, 'reason': text}, …], CBOR
 *
 * The answers are as many as the stores and in their order. Each store is judged by itself: one that is refused says the
 * status and the reason that it would have been refused with alone, and keeps no other from being done. A storage index
 * may be there several times; those stores happen one after the other, in their order. The secrets of the leases stand in
 * the body, for each store has its own. A server without this answers 404.
 * @see docs/storage-api.md
 */
import type { LeaseSecrets } from '#core/lease.js';
import { decodeCbor, encodeCbor } from './cbor.js';
import type { CborValue } from './cbor.js';
import { asMap, closedMap, messageError, toUint } from './storage.js';
import { fromWholeSharesReply, toWholeShares, toWholeSharesReply, wholeSharesSizeMax } from './whole-shares.js';
import type { WholeSharesReply } from './whole-shares.js';

/** Where they are stored. */
export const STORE_BATCH_PATH = '/tallac/v1/immutable';
/** Stores in one request. All together have WHOLE_SHARES_REQUEST_SIZE_MAX bytes at most. */
export const STORE_BATCH_COUNT_MAX = 64;
/** The longest reason of a refusal, in UTF-16 units; a longer one is cut. */
export const REFUSAL_REASON_LENGTH_MAX = 1000;
/** What stands around the shares of each store in a request, at most, in bytes. */
const FRAME_SIZE_MAX = 192;
const STORAGE_INDEX_SIZE = 16;
const SECRET_SIZE = 32;

/** The shares of one file that are to be stored, with the secrets of their lease. */
export interface BatchedStore extends LeaseSecrets {
  /** 16 bytes. */
  readonly storageIndex: Uint8Array;
  /** By share number. */
  readonly shares: ReadonlyMap<number, Uint8Array>;
  /** Only if the server holds no share of the index. */
  readonly whereNone: boolean;
}

/** Why a store was not done: as the answer to a request of its own would have said it. */
export interface StoreRefusal {
  /** Of HTTP: 400 to 599. */
  readonly status: number;
  readonly reason: string;
}

/** What one store takes in a request at most, in bytes. @param sizes - of each of its shares, in bytes. */
export function batchedStoreSizeMax(sizes: readonly number[]): number {
  return FRAME_SIZE_MAX + wholeSharesSizeMax(sizes);
}

/** The request. */
export function encodeStoreBatch(stores: readonly BatchedStore[]): Uint8Array {
  return encodeCbor(
    stores.map(
      ({ cancelSecret, renewSecret, shares, storageIndex, whereNone }) =>
        new Map<CborValue, CborValue>([
          ['storage-index', storageIndex],
          ['renew-secret', renewSecret],
          ['cancel-secret', cancelSecret],
          ['where-none', whereNone],
          ['shares', shares],
        ]),
    ),
  );
}

/** @throws ERR_CBOR, or ERR_MESSAGE when there is no store, too many, or one of them is none. */
export function decodeStoreBatch(bytes: Uint8Array): readonly BatchedStore[] {
  const what = 'request to store shares of several files';
  const stores = asList(decodeCbor(bytes), what);
  if (stores.length === 0 || stores.length > STORE_BATCH_COUNT_MAX) {
    throw messageError(what, `it has not 1 to ${String(STORE_BATCH_COUNT_MAX)} stores`);
  }
  const keys = ['storage-index', 'renew-secret', 'cancel-secret', 'where-none', 'shares'];
  return stores.map((item) => {
    const store = closedMap(item, keys, what);
    const whereNone = store.get('where-none');
    if (typeof whereNone !== 'boolean') throw messageError(what, '"where-none" is neither true nor false');
    return {
      storageIndex: toBytes(store.get('storage-index'), STORAGE_INDEX_SIZE, what),
      renewSecret: toBytes(store.get('renew-secret'), SECRET_SIZE, what),
      cancelSecret: toBytes(store.get('cancel-secret'), SECRET_SIZE, what),
      whereNone,
      shares: toWholeShares(store.get('shares'), what),
    };
  });
}

/** The reply: what became of each store, in their order. */
export function encodeStoreBatchReply(outcomes: readonly (WholeSharesReply | StoreRefusal)[]): Uint8Array {
  return encodeCbor(
    outcomes.map((outcome) =>
      'stored' in outcome
        ? fromWholeSharesReply(outcome)
        : new Map<CborValue, CborValue>([
            ['status', outcome.status],
            ['reason', outcome.reason.slice(0, REFUSAL_REASON_LENGTH_MAX)],
          ]),
    ),
  );
}

/** @param count - of stores that were sent. @throws ERR_CBOR, or ERR_MESSAGE also when there are not so many answers. */
export function decodeStoreBatchReply(bytes: Uint8Array, count: number): readonly (WholeSharesReply | StoreRefusal)[] {
  const what = 'answer to shares of several files';
  const outcomes = asList(decodeCbor(bytes), what);
  if (outcomes.length !== count) throw messageError(what, `it has not ${String(count)} answers`);
  return outcomes.map((item) => {
    const isRefusal = asMap(item, what).has('status');
    const outcome = closedMap(item, isRefusal ? ['status', 'reason'] : ['already-have', 'stored'], what);
    return isRefusal ? toRefusal(outcome, what) : toWholeSharesReply(outcome, what);
  });
}

function toRefusal(refusal: ReadonlyMap<unknown, unknown>, what: string): StoreRefusal {
  const status = toUint(refusal.get('status'), what);
  const reason = refusal.get('reason');
  if (status < 400 || status > 599) throw messageError(what, 'the status of a refusal is none');
  if (typeof reason !== 'string' || reason.length > REFUSAL_REASON_LENGTH_MAX) {
    throw messageError(what, 'a reason is no text, or too long');
  }
  return { status, reason };
}

function asList(value: unknown, what: string): readonly unknown[] {
  if (!Array.isArray(value)) throw messageError(what, 'a list is expected');
  return value;
}

function toBytes(value: unknown, size: number, what: string): Uint8Array {
  if (value instanceof Uint8Array && value.length === size) return value;
  throw messageError(what, `${String(size)} bytes are expected`);
}
