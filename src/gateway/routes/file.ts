/**
 * `GET /file/CAP/NAME` (also `/named`): a file under a name of whoever made the link, so that it is saved under it. All
 * between the capability and the last name is of no meaning.
 * @see Tahoe-LAFS docs/frontends/webapi.rst, "Reading a File"
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { requireCapability } from '#core/capability/parse.js';
import { TahoeError } from '#core/errors.js';
import { clientGone } from '../body.js';
import type { Gateway } from '../services.js';
import { namesOf } from '../target.js';
import { getFound } from './read.js';

/** Registers the routes of this resource. */
export function fileRoutes(app: FastifyInstance, services: Gateway): void {
  for (const base of ['/file', '/named']) {
    app.route({
      method: ['GET', 'HEAD'],
      url: `${base}/*`,
      handler: (request, reply) => getNamed(services, request, reply),
    });
    app.route({ method: ['PUT', 'POST', 'DELETE'], url: `${base}/*`, handler: () => refuse(base) });
    app.get(base, () => {
      throw new TahoeError('ERR_NOT_FOUND', { reason: `${base} must be followed by a file-cap and a name` });
    });
  }
}

async function getNamed(services: Gateway, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  const [root = '', ...names] = namesOf(request);
  const child = requireCapability(root);
  if (child.kind === 'directory') {
    throw new TahoeError('ERR_CAPABILITY', { reason: 'it names a directory, and /file is for files' });
  }
  const target = { root, path: [] };
  return getFound(
    { services, request, reply, target, signal: clientGone(reply) },
    { child, metadata: undefined, place: undefined },
    names.at(-1),
  );
}

function refuse(base: string): never {
  throw new TahoeError('ERR_USAGE', { reason: `${base} can only be used with GET or HEAD` });
}
