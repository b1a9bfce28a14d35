/**
 * Where files and directories are: `/uri` makes them, `/uri/CAP` and `/uri/CAP/NAME/NAME` are what is there. `/cap` is
 * another name for `/uri`. A capability in a path may be percent-encoded or plain; it never reaches a log or an error.
 * @see Tahoe-LAFS docs/frontends/webapi.rst
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { sendText } from '../reply.js';
import type { GatewayServices } from '../services.js';
import { postThing } from './post.js';
import { getThing } from './read.js';
import { postUnlinked, putUnlinked } from './unlinked.js';
import { deleteThing, putThing } from './write.js';

type Handler = (services: GatewayServices, request: FastifyRequest, reply: FastifyReply) => Promise<FastifyReply>;

/** Registers the routes of this resource. */
export function uriRoutes(app: FastifyInstance, services: GatewayServices): void {
  const handle = (handler: Handler) => (request: FastifyRequest, reply: FastifyReply) =>
    handler(services, request, reply);
  for (const base of ['/uri', '/cap']) {
    app.put(base, handle(putUnlinked));
    app.post(base, handle(postUnlinked));
    app.get(base, (_request, reply) => sendText(reply, 400, `GET ${base} requires a capability: GET ${base}/CAP`));
    for (const url of [`${base}/:capability`, `${base}/:capability/*`]) {
      app.route({ method: ['GET', 'HEAD'], url, handler: handle(getThing) });
      app.put(url, handle(putThing));
      app.post(url, handle(postThing));
      app.delete(url, handle(deleteThing));
    }
  }
}
