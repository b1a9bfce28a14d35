/**
 * Where files and directories are: `/uri` makes them, `/uri/CAP` and `/uri/CAP/NAME/NAME` are what is there. `/cap` is
 * another name for `/uri`. A capability in a path may be percent-encoded or plain; it never reaches a log or an error.
 * @see Tahoe-LAFS docs/frontends/webapi.rst
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { TahoeError } from '#core/errors.js';
import { requireCapability } from '#core/capability/parse.js';
import type { Gateway } from '../services.js';
import { redirect } from '../when-done.js';
import { postThing } from './post.js';
import { getThing } from './read.js';
import { postUnlinked, putUnlinked } from './unlinked.js';
import { deleteThing, putThing } from './write.js';

type Handler = (services: Gateway, request: FastifyRequest, reply: FastifyReply) => Promise<FastifyReply>;

/** Registers the routes of this resource. */
export function uriRoutes(app: FastifyInstance, services: Gateway): void {
  const handle = (handler: Handler) => (request: FastifyRequest, reply: FastifyReply) =>
    handler(services, request, reply);
  for (const base of ['/uri', '/cap']) {
    app.put(base, handle(putUnlinked));
    app.post(base, handle(postUnlinked));
    app.get(base, (request, reply) => getByArgument(request, reply));
    app.get(`${base}/`, (request, reply) =>
      redirect(reply, (request.raw.url ?? '').replace('/?', '?').replace(/\/$/, '')),
    );
    for (const url of [`${base}/:capability`, `${base}/:capability/*`]) {
      app.route({ method: ['GET', 'HEAD'], url, handler: handle(getThing) });
      app.put(url, handle(putThing));
      app.post(url, handle(postThing));
      app.delete(url, handle(deleteThing));
    }
  }
}

/** `GET /uri?uri=CAP`, for forms: leads to `/uri/CAP` with all other arguments. */
function getByArgument(request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const [, query = ''] = /^[^?]*\?(.*)$/s.exec(request.raw.url ?? '') ?? [];
  const args = new URLSearchParams(query);
  const text = args.get('uri') ?? '';
  if (text === '') throw new TahoeError('ERR_USAGE', { reason: 'GET /uri requires uri=' });
  requireCapability(text);
  args.delete('uri');
  const rest = args.size === 0 ? '' : `?${args.toString()}`;
  return redirect(reply, `/uri/${encodeURIComponent(text)}${rest}`);
}
