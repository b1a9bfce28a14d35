/**
 * The gateway: the web API on a client, as a fastify application. It opens no socket of its own; `node/` gives it
 * a listener, tests call it by `inject`.
 *
 * Bodies stream: nothing is parsed, and an upload is read as fast as it can be stored. There is no limit on a
 * request's whole time, since a large file on a slow line takes long.
 */
import fastify from 'fastify';
import type { FastifyInstance } from 'fastify';
import { reasonOf } from '#core/errors.js';
import { commonHeaders, sendText, sentenceOf, statusOf } from './reply.js';
import { uriRoutes } from './routes/uri.js';
import { welcomeRoutes } from './routes/welcome.js';
import type { GatewayServices } from './services.js';

/** The longest path component, in characters: a capability percent-encoded, with room for a literal's data. */
const PARAMETER_LENGTH_MAX = 4096;
const HEADERS_TIMEOUT_MS = 60_000;
const KEEP_ALIVE_TIMEOUT_MS = 60_000;

/**
 * Makes the application. Call `listen` on it, and `close` when done.
 * @param before - adds what else is served at the same address, before any route of the gateway.
 */
export function createGateway(services: GatewayServices, before?: (app: FastifyInstance) => void): FastifyInstance {
  const app = fastify({
    routerOptions: { maxParamLength: PARAMETER_LENGTH_MAX },
    exposeHeadRoutes: false,
    requestTimeout: 0,
    keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
    forceCloseConnections: 'idle',
    http: { headersTimeout: HEADERS_TIMEOUT_MS },
  });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', (_request, payload, done) => {
    done(null, payload);
  });
  app.addHook('onRequest', (_request, reply, done) => {
    reply.headers(commonHeaders);
    done();
  });
  app.setErrorHandler((error, _request, reply) => {
    const status = statusOf(error);
    if (status === 500) services.log.error('request failed', { reason: reasonOf(error) });
    return sendText(reply, status, sentenceOf(error));
  });
  app.setNotFoundHandler((_request, reply) => sendText(reply, 404, 'No such resource'));
  before?.(app);
  welcomeRoutes(app, services);
  uriRoutes(app, services);
  return app;
}
