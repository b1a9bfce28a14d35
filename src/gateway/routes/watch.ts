/**
 * `GET /uri/CAP?t=watch`: an event whenever a mutable file or directory has a new version (SSE), the one that is there
 * first. A reader that comes again with `Last-Event-ID` is not told again of that version.
 *
 *     event: version
 *     id: 3-…
 *     data: {"sequence-number": 3, "root-hash": "…"}
 */
import type { FastifyReply, FastifyRequest } from 'fastify';
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
    request,
    reply,
    signal,
  }: {
    readonly services: Gateway;
    readonly request: FastifyRequest;
    readonly reply: FastifyReply;
    readonly signal: AbortSignal;
  },
  child: Child,
): Promise<FastifyReply> {
  if (child.kind === 'unknown' || !isMutable(child)) {
    throw new TahoeError('ERR_USAGE', { reason: 't=watch is for what is mutable; this never changes' });
  }
  const { watchers } = services;
  if (watchers.count >= WATCHERS_MAX) throw new TahoeError('ERR_BUSY', { what: 'watchers', limit: WATCHERS_MAX });
  watchers.count++;
  try {
    const lastId = request.headers['last-event-id'];
    return await sendEvents(services.clock, reply, versionEvents(services.watch(child, signal), lastId), signal);
  } finally {
    watchers.count--;
  }
}

async function* versionEvents(
  versions: AsyncIterable<MutableVersion>,
  lastId: string | string[] | undefined,
): AsyncGenerator<ServerEvent, void, undefined> {
  for await (const { sequenceNumber, rootHash } of versions) {
    const hash = formatBase32(rootHash);
    const id = `${String(sequenceNumber)}-${hash}`;
    const data = JSON.stringify({ 'sequence-number': sequenceNumber, 'root-hash': hash });
    if (id !== lastId) yield { event: 'version', id, data };
  }
}
