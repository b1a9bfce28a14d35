/**
 * Sends a file's bytes to an HTTP client as fast as it takes them and no faster. The first bytes are fetched
 * before the status is sent, so that a file that cannot be read gets a proper answer; when one breaks off later,
 * the connection is cut, so that nobody takes a part for the whole.
 */
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { FastifyReply } from 'fastify';

/** A signal that fires when the client goes away before it has its answer. */
export function clientGone(reply: FastifyReply): AbortSignal {
  const controller = new AbortController();
  reply.raw.once('close', () => {
    if (!reply.raw.writableFinished) controller.abort();
  });
  return controller.signal;
}

/**
 * Sends status, headers and what `bytes` gives. The headers must include the length.
 * @throws what `bytes` throws before its first piece; after that the connection is destroyed instead.
 */
export async function sendBytes(
  reply: FastifyReply,
  head: { readonly status: number; readonly headers: Readonly<Record<string, string>> },
  bytes: AsyncIterator<Uint8Array>,
  signal: AbortSignal,
): Promise<void> {
  const first = await bytes.next();
  reply.hijack();
  const { raw } = reply;
  raw.writeHead(head.status, head.headers);
  try {
    for (let next = first; next.done !== true; next = await bytes.next()) await write(raw, next.value, signal);
    raw.end();
  } catch (error) {
    raw.destroy();
    if (!signal.aborted) throw error;
  } finally {
    await bytes.return?.();
  }
}

async function write(raw: ServerResponse, bytes: Uint8Array, signal: AbortSignal): Promise<void> {
  if (!raw.write(bytes)) await once(raw, 'drain', { signal });
}
