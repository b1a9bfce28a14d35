/**
 * `GET /uri/CAP?t=watch`: an event whenever a mutable file or directory has a new version (SSE), the one that is there
 * first.
 *
 *     event: version
 *     data: {"sequence-number": 3, "root-hash": "…"}
 */
import type { FastifyReply } from 'fastify';
import { formatBase32 } from '#core/base32.js';
import { isMutable } from '#core/capability/types.js';
import type { Child } from '#core/directory/child.js';
import { TahoeError } from '#core/errors.js';
import type { MutableVersion } from '#core/mutable/version.js';
import { sendEvents } from '../events.js';
import type { ServerEvent } from '../events.js';
import type { Gateway } from '../services.js';

/** How many may watch at a time. */
export const WATCHERS_MAX = 100;

/** Answers it. @throws ERR_USAGE where nothing ever changes, ERR_BUSY */
export async function watchChild(
  {
    services,
    reply,
    signal,
  }: { readonly services: Gateway; readonly reply: FastifyReply; readonly signal: AbortSignal },
  child: Child,
): Promise<FastifyReply> {
  if (child.kind === 'unknown' || !isMutable(child)) {
    throw new TahoeError('ERR_USAGE', { reason: 't=watch is for what is mutable; this never changes' });
  }
  const { watchers } = services;
  if (watchers.count >= WATCHERS_MAX) throw new TahoeError('ERR_BUSY', { what: 'watchers', limit: WATCHERS_MAX });
  watchers.count++;
  try {
    return await sendEvents(services.clock, reply, versionEvents(services.watch(child, signal)), signal);
  } finally {
    watchers.count--;
  }
}

async function* versionEvents(versions: AsyncIterable<MutableVersion>): AsyncGenerator<ServerEvent, void, undefined> {
  for await (const { sequenceNumber, rootHash } of versions) {
    const data = JSON.stringify({ 'sequence-number': sequenceNumber, 'root-hash': formatBase32(rootHash) });
    yield { event: 'version', data };
  }
}
