/**
 * How both halves of the protocol answer: a CBOR message, or the part of a share that a Range header names.
 *
 * Without Range the whole share comes as 200; with one closed range 206, or 204 where nothing is there.
 * @see Tahoe-LAFS docs/specifications/http-storage-node-protocol.rst
 */
import type { FastifyReply } from 'fastify';
import { TahoeError } from '#core/errors.js';
import { CBOR_MEDIA_TYPE, formatContentRange, parseRange, SHARE_MEDIA_TYPE } from '#wire/storage.js';
import type { ByteRange } from '#wire/storage.js';
import type { Exchange } from './endpoint.js';
import { READ_PIECE_SIZE, ShareStream } from './share-stream.js';
import type { OpenShare } from './share-store.js';

/** Answers with the range that was asked for; the share is closed when that is done. */
export async function sendShare<Target>(
  { body, reply, request }: Exchange<never, Target>,
  share: OpenShare,
): Promise<FastifyReply> {
  let streaming = false;
  try {
    const range = rangeOf(request.headers.range, share.size);
    const size = range.end - range.begin;
    if (request.headers.range !== undefined && size <= 0) return await reply.code(204).send();
    const small = size <= READ_PIECE_SIZE ? asBuffer(await share.read(range.begin, size)) : undefined;
    if (request.headers.range !== undefined) reply.code(206).header('content-range', formatContentRange(range));
    reply.type(SHARE_MEDIA_TYPE);
    if (small !== undefined) return await reply.send(small);
    streaming = true;
    return await reply.header('content-length', String(size)).send(new ShareStream(share, range, body.clock));
  } finally {
    if (!streaming) await share.close();
  }
}

/** The part of `0 … size` that a Range header names; all of it without one; an empty range behind the end. */
function rangeOf(header: string | undefined, size: number): ByteRange {
  if (header === undefined) return { begin: 0, end: size };
  const range = parseRange(header);
  if (range === undefined) throw new TahoeError('ERR_RANGE', { reason: 'it is not one closed range of bytes' });
  return { begin: range.begin, end: Math.min(range.end, size) };
}

/** Answers with a CBOR message. */
export function sendCbor(reply: FastifyReply, message: Uint8Array): FastifyReply {
  return reply.type(CBOR_MEDIA_TYPE).send(asBuffer(message));
}

/** The same bytes, not copied, as fastify wants them. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
