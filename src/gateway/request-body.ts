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
  return readAll(bodyOf(request), what, limitBytes);
}

/** Bytes that come, and how many were announced, if they were. */
export interface Incoming {
  readonly bytes: AsyncIterable<Uint8Array>;
  readonly announcedSize?: number | undefined;
}

/** The body of a request that nobody has read. */
export function bodyOf({ headers, raw }: FastifyRequest): Incoming {
  return { bytes: raw as AsyncIterable<Uint8Array>, announcedSize: Number(headers['content-length'] ?? 0) };
}

/** All that comes. @throws ERR_TOO_LARGE, before anything is read where it is announced, and what `bytes` throws. */
export async function readAll(
  { announcedSize = 0, bytes }: Incoming,
  what: string,
  limitBytes: number,
): Promise<Uint8Array> {
  if (announcedSize > limitBytes) throw new TahoeError('ERR_TOO_LARGE', { what, limitBytes });
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of bytes) {
    size += part.length;
    if (size > limitBytes) throw new TahoeError('ERR_TOO_LARGE', { what, limitBytes });
    parts.push(part);
  }
  return join(parts);
}
