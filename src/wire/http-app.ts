/** What all servers of fastify have in common here. */
import type { FastifyServerOptions } from 'fastify';

/** fastify asks it where a route has a schema. */
function noSchemas(): never {
  throw new TypeError('no route has a schema here');
}

/**
 * HEAD is answered where a route says so, and a server that closes ends what is idle. Without compilers of its own fastify
 * would load its usual ones, which take 3 MiB and 40 ms of every start.
 */
export const appOptions = {
  exposeHeadRoutes: false,
  forceCloseConnections: 'idle',
  schemaController: { compilersFactory: { buildValidator: noSchemas, buildSerializer: noSchemas } },
} as const satisfies FastifyServerOptions;
