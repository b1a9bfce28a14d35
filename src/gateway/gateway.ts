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
import { appOptions } from '#wire/http-app.js';
import { recorded } from './recorded.js';
import { commonHeaders, sendFailure, sentenceOf, statusOf } from './reply.js';
import { Guard } from './guard.js';
import { History } from './history.js';
import { Operations } from './operations.js';
import { fileRoutes } from './routes/file.js';
import { smallFilesRoute } from './routes/files.js';
import { incidentRoutes } from './routes/incident.js';
import { operationRoutes } from './routes/operations.js';
import { privateRoutes } from './routes/private.js';
import { statusRoutes } from './routes/status.js';
import { uriRoutes } from './routes/uri.js';
import { welcomeRoutes } from './routes/welcome.js';
import type { Gateway, GatewayServices } from './services.js';

/** The longest path component, in characters: a capability percent-encoded, with room for a literal's data. */
const PARAMETER_LENGTH_MAX = 4096;
const HEADERS_TIMEOUT_MS = 60_000;
const KEEP_ALIVE_TIMEOUT_MS = 60_000;

/** What answers, though not to every method. */
const RESOURCES = /^\/((uri|cap)(\/.*)?|(status|statistics|storage|helper_status|operations|storage-plugins)?\/?)$/s;

/**
 * Makes the application. Call `listen` on it, and `close` when done.
 * @param before - adds what else is served at the same address, before any route of the gateway.
 */
export function createGateway(services: GatewayServices, before?: (app: FastifyInstance) => void): FastifyInstance {
  const app = fastify({
    ...appOptions,
    routerOptions: { maxParamLength: PARAMETER_LENGTH_MAX },
    // Its own words for an address that cannot be decoded repeat the address, and with it a capability.
    frameworkErrors: (error, request, reply) => {
      const isLong = error.statusCode === 414;
      const sentence = isLong ? 'a name in the address is too long' : 'the address is not percent-encoded UTF-8';
      void sendFailure(request, reply.headers(commonHeaders), isLong ? 414 : 400, sentence);
    },
    requestTimeout: 0,
    keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
    http: { headersTimeout: HEADERS_TIMEOUT_MS },
  });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', (_request, payload, done) => {
    done(null, payload);
  });
  const guard = new Guard(services.crypto, services.guard);
  app.addHook('onRequest', (request, reply, done) => {
    reply.headers(commonHeaders);
    done(guard.objection(request.raw));
  });
  app.setErrorHandler((error, request, reply) => {
    const status = statusOf(error);
    if (status === 500) services.log.error('request failed', { reason: reasonOf(error) });
    return sendFailure(request, reply, status, sentenceOf(error));
  });
  app.setNotFoundHandler((request, reply) => {
    const isThere = RESOURCES.test((request.raw.url ?? '').split('?', 1).join(''));
    const sentence = isThere ? `${request.method} is not what this resource answers to` : 'No such resource';
    return sendFailure(request, reply, isThere ? 405 : 404, sentence);
  });
  before?.(app);
  const gateway = gatewayOf(services);
  app.addHook('onClose', () => {
    gateway.operations.close();
  });
  const all = [welcomeRoutes, uriRoutes, fileRoutes, operationRoutes, statusRoutes, incidentRoutes, smallFilesRoute];
  for (const routes of all) routes(app, gateway);
  privateRoutes(app, gateway, guard);
  return app;
}

function gatewayOf(services: GatewayServices): Gateway {
  const history = new History(services.clock);
  return {
    ...recorded(services, history),
    history,
    operations: new Operations(services.clock, services.log),
    watchers: { count: 0 },
    async statistics() {
      const { counters, stats } = await services.statistics();
      return { counters: { ...counters, ...history.counters() }, stats };
    },
  };
}
