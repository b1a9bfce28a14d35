/**
 * `when_done=`: where a browser goes after a change. It leads no further than this gateway, so that no link to it can be
 * made that ends elsewhere.
 */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { TahoeError } from '#core/errors.js';
import type { Arguments } from './arguments.js';

/** The address to go to; undefined when none was asked for. @throws ERR_USAGE when it leads to another place. */
export function whenDoneOf(request: FastifyRequest, args: Arguments): string | undefined {
  const target = args.get('when_done') ?? '';
  if (target === '') return undefined;
  const here = `http://${request.headers.host ?? 'localhost'}`;
  const base = URL.canParse(request.raw.url ?? '/', here) ? new URL(request.raw.url ?? '/', here) : undefined;
  if (base === undefined || !URL.canParse(target, base.href) || new URL(target, base).host !== base.host) {
    throw new TahoeError('ERR_USAGE', { reason: 'when_done= takes an address on this gateway, such as .' });
  }
  return target;
}

/** Sends the browser there. */
export function redirect(reply: FastifyReply, target: string): FastifyReply {
  const location = target.replaceAll(/[^!-~]+/g, encodeURIComponent);
  return reply.code(302).header('location', location).header('content-type', 'text/plain;charset=utf-8').send('');
}
