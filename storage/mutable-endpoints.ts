/**
 * The endpoints of the mutable half of the storage protocol, on any share store.
 *
 * Reading is as in the immutable half. Where the reference fails with 500 or answers what it did not do, these answer
 * with a 4xx and change nothing; successes are the reference's, byte for byte.
 * @see Tahoe-LAFS docs/specifications/http-storage-node-protocol.rst, "Mutable"
 */
import { Readable } from 'node:stream';
import type { FastifyReply } from 'fastify';
import { concat } from '#core/bytes.js';
import { TahoeError } from '#core/errors.js';
import {
  CBOR_MEDIA_TYPE,
  CORRUPT_REQUEST_SIZE_MAX,
  decodeCorruptRequest,
  encodeShareNumbers,
  SHARE_MEDIA_TYPE,
} from '#wire/storage.js';
import { encodeReadTestWriteReply } from '#wire/storage-mutable.js';
import type { ReadTestWriteReply } from '#wire/storage-mutable.js';
import { indexTarget, shareTarget } from './endpoint.js';
import type { Exchange, ShareTarget } from './endpoint.js';
import type { DefineEndpoint, EndpointContext } from './immutable-endpoints.js';
import { MemoryBudget } from './memory-budget.js';
import type { MemoryHold } from './memory-budget.js';
import { READ_TEST_WRITE_SIZE_MAX, receiveReadTestWrite } from './mutable-body.js';
import { readMessage } from './request-body.js';
import { asBuffer, sendCbor, sendShare } from './share-reply.js';
import type { ShareStore } from './share-store.js';

/** What all read-test-writes together hold in memory, requests and replies, in bytes. */
export const READ_TEST_WRITE_MEMORY_MAX = 128 << 20;
/** A reply up to this size is sent as one piece, in bytes. */
const JOINED_REPLY_SIZE = 64 * 1024;

const writeSecrets = ['lease-renew-secret', 'lease-cancel-secret', 'write-enabler'] as const;
type WriteExchange = Exchange<(typeof writeSecrets)[number], Pick<ShareTarget, 'storageIndex'>>;

/** Defines all endpoints. */
export function defineMutableEndpoints(define: DefineEndpoint, { store }: EndpointContext): void {
  const budget = new MemoryBudget(READ_TEST_WRITE_MEMORY_MAX);
  define({
    method: 'POST',
    path: '/mutable/:storageIndex/read-test-write',
    rules: { secrets: writeSecrets, messageSizeMax: READ_TEST_WRITE_SIZE_MAX, repliesCbor: true },
    toTarget: indexTarget,
    handle: async (exchange) => {
      const memory = budget.open();
      // What is held is let go when the reply has left, or nobody waits for it any more.
      exchange.reply.raw.once('close', memory.release);
      return sendReply(exchange.reply, await readTestWrite(store, exchange, memory));
    },
  });
  defineReading(define, store);
}

async function readTestWrite(
  store: ShareStore,
  { body, secrets, target }: WriteExchange,
  memory: MemoryHold,
): Promise<ReadTestWriteReply> {
  const received = await receiveReadTestWrite({
    body,
    memory,
    createScratch: (sizeBytes) => store.createScratch(sizeBytes),
  });
  try {
    return await store.readTestWrite({
      ...target,
      ...received.request,
      writeEnabler: secrets['write-enabler'],
      renewSecret: secrets['lease-renew-secret'],
      cancelSecret: secrets['lease-cancel-secret'],
      admitRead: memory.grow,
    });
  } finally {
    await received.close();
  }
}

function sendReply(reply: FastifyReply, message: ReadTestWriteReply): FastifyReply {
  const parts = encodeReadTestWriteReply(message);
  const size = parts.reduce((sum, part) => sum + part.length, 0);
  if (size <= JOINED_REPLY_SIZE) return sendCbor(reply, concat(...parts));
  const headed = reply.type(CBOR_MEDIA_TYPE).header('content-length', String(size));
  return headed.send(Readable.from(parts.map(asBuffer)));
}

function defineReading(define: DefineEndpoint, store: ShareStore): void {
  define({
    method: 'GET',
    path: '/mutable/:storageIndex/shares',
    rules: { secrets: [], repliesCbor: true },
    toTarget: indexTarget,
    handle: async ({ reply, target }) =>
      sendCbor(reply, encodeShareNumbers(await store.listMutable(target.storageIndex))),
  });
  define({
    method: 'GET',
    path: '/mutable/:storageIndex/:shareNumber',
    rules: { secrets: [] },
    // The reference's client looks at the type of a reply before it looks at the status.
    refusalType: SHARE_MEDIA_TYPE,
    toTarget: shareTarget,
    handle: async (exchange) => {
      const { shareNumber, storageIndex } = exchange.target;
      const share = await store.openMutable(storageIndex, shareNumber);
      if (share === undefined) throw new TahoeError('ERR_NO_SUCH_SHARE', {});
      return sendShare(exchange, share);
    },
  });
  define({
    method: 'POST',
    path: '/mutable/:storageIndex/:shareNumber/corrupt',
    rules: { secrets: [], messageSizeMax: CORRUPT_REQUEST_SIZE_MAX },
    toTarget: shareTarget,
    handle: async ({ body, reply, target }) => {
      const reason = decodeCorruptRequest(await readMessage(body, CORRUPT_REQUEST_SIZE_MAX));
      const found = await store.reportCorruption({ type: 'mutable', ...target, reason });
      if (!found) throw new TahoeError('ERR_NO_SUCH_SHARE', {});
      return reply.code(200).send();
    },
  });
}
