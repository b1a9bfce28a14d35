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
  const tooLarge = (): TahoeError => new TahoeError('ERR_TOO_LARGE', { what, limitBytes });
  if (Number(request.headers['content-length'] ?? 0) > limitBytes) throw tooLarge();
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of request.raw as AsyncIterable<Uint8Array>) {
    size += part.length;
    if (size > limitBytes) throw tooLarge();
    parts.push(part);
  }
  return join(parts);
}
