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
import { ReplyBuffers, WHOLE_READ_SIZE_MAX } from './reply-buffers.js';
import { ShareStream } from './share-stream.js';
import type { OpenShare } from './share-store.js';

/** Up to so much goes out together with its head, in bytes: beyond, joining the two costs more than another packet. */
const JOINED_SIZE_MAX = 64 * 1024;

/** Of all servers of this process. */
const buffers = new ReplyBuffers();

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
    // A read that does not wait comes before the head: it may be all that is needed.
    const small = size <= JOINED_SIZE_MAX ? await readSmall(share, range.begin, size) : undefined;
    if (request.headers.range !== undefined) reply.code(206).header('content-range', formatContentRange(range));
    reply.type(SHARE_MEDIA_TYPE);
    if (small !== undefined) return await reply.send(asBuffer(small));
    reply.header('content-length', String(size));
    const buffer = size <= WHOLE_READ_SIZE_MAX ? buffers.take() : undefined;
    if (buffer !== undefined) return await sendWhole(reply, share, range, buffer);
    streaming = true;
    return await reply.send(new ShareStream(share, range, body.clock, body.discarded ?? (() => undefined)));
  } finally {
    if (!streaming) await share.close();
  }
}

function readSmall(share: OpenShare, offset: number, size: number): Uint8Array | Promise<Uint8Array> {
  return share.readNow?.(offset, size) ?? share.read(offset, size);
}

/** One read into `buffer`, which is given back when nobody has a use for it any more, and one write. */
async function sendWhole(
  reply: FastifyReply,
  share: OpenShare,
  range: ByteRange,
  buffer: Uint8Array,
): Promise<FastifyReply> {
  const { raw } = reply;
  const connection = { isOpen: true };
  const closed = new Promise<void>((resolve) => {
    raw.once('close', () => {
      connection.isOpen = false;
      resolve();
    });
  });
  try {
    const bytes = await share.read(range.begin, range.end - range.begin, buffer);
    reply.hijack();
    if (connection.isOpen) sendBody(reply, bytes);
  } finally {
    void closed.then(() => {
      buffers.giveBack(buffer, raw.writableFinished);
    });
  }
  return reply;
}

/** The head first and by itself: together with it the body would be copied once more. */
function sendBody(reply: FastifyReply, bytes: Uint8Array): void {
  const { raw } = reply;
  raw.statusCode = reply.statusCode;
  for (const [name, value] of Object.entries(reply.getHeaders())) if (value !== undefined) raw.setHeader(name, value);
  raw.flushHeaders();
  raw.end(bytes);
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
