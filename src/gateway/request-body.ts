/** Bodies that are kept in memory: forms, children as JSON, the contents of mutable files. */
import type { FastifyRequest } from 'fastify';
import { join } from '#core/bytes.js';
import { TahoeError } from '#core/errors.js';

/**
 * The whole body.
 * @param what - what errors call it.
 * @throws ERR_TOO_LARGE when it is longer than `limitBytes`, before it is read where its length is announced.
 */
export async function readBody(request: FastifyRequest, what: string, limitBytes: number): Promise<Uint8Array> {
  if (Number(request.headers['content-length'] ?? 0) > limitBytes) {
    throw new TahoeError('ERR_TOO_LARGE', { what, limitBytes });
  }
  return readAll(request.raw as AsyncIterable<Uint8Array>, what, limitBytes);
}

/** All that comes. @throws ERR_TOO_LARGE, and what `bytes` throws. */
export async function readAll(bytes: AsyncIterable<Uint8Array>, what: string, limitBytes: number): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of bytes) {
    size += part.length;
    if (size > limitBytes) throw new TahoeError('ERR_TOO_LARGE', { what, limitBytes });
    parts.push(part);
  }
  return join(parts);
}
