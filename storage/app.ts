/**
 * The storage server as a fastify instance, with the limits that an open port needs.
 *
 * Heads must be complete within ten seconds, whether or not anything of them arrives; bodies have no deadline
 * but a least rate (request-body.ts), so that a large upload over a slow line is not cut. Who waits for
 * "100 Continue" is told to go on only once admitted.
 */
import { createServer } from 'node:http';
import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http';
import type { Server as SecureServer, ServerOptions as SecureServerOptions } from 'node:https';
import type { Socket } from 'node:net';
import fastify from 'fastify';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Clock } from '#core/environment.js';
import { appOptions } from '#wire/http-app.js';
import { ConnectionTable } from './connection-table.js';
import { SILENCE_TIMEOUT_MS } from './http2-sessions.js';
import { storageRoutes } from './routes.js';
import type { StorageRoutesOptions } from './routes.js';
import { TwoVersionServer } from './secure-server.js';
import type { ConnectionSorter } from './secure-server.js';

/** What any server in front of the routes should be made with. Times in milliseconds, sizes in bytes. */
export const storageServerLimits = {
  headersTimeout: 10_000,
  connectionsCheckingInterval: 2_000,
  requestTimeout: 0,
  keepAliveTimeout: 72_000,
  maxHeaderSize: 16 * 1024,
} as const;

/** Connections beyond the limit that the system itself refuses, before any of them is looked at. */
const CONNECTION_EXCESS_MAX = 1_000;
/** Longer than any parameter of a path; longer ones are no such path. */
const PARAMETER_LENGTH_MAX = 4096;

/** How connections are accepted: by default plain HTTP. */
export interface StorageServerOptions {
  /** Options of a TLS server, at least its key and certificate. It speaks HTTP/1.1 and HTTP/2. */
  readonly tls?: SecureServerOptions;
  /** Looks at each connection before its TLS handshake. */
  readonly sort?: ConnectionSorter;
  /** Makes the server itself; it should use `storageServerLimits`. Goes before `tls`. */
  readonly createServer?: (listener: RequestListener) => Server | SecureServer;
  /** Changes to `storageServerLimits`. */
  readonly limits?: Partial<Record<keyof typeof storageServerLimits, number>>;
  /** Counts the connections of this server, and of no other. */
  readonly connections?: ConnectionTable;
  /** Other services beside storage. */
  readonly beside?: AddRoutes | undefined;
  /** Is shown every request when it has been answered. */
  readonly answered?: (request: FastifyRequest, reply: FastifyReply) => void;
}

/** Adds the routes of a service. @param connections - is told which connections have shown its swissnum. */
export type AddRoutes = (app: FastifyInstance, connections: ConnectionTable) => Promise<void>;

/** Makes the instance; `listen` or `inject` and `close` are the caller's. The store is not closed with it. */
export async function createStorageApp(
  options: StorageRoutesOptions,
  serverOptions: StorageServerOptions = {},
): Promise<FastifyInstance> {
  return createServiceApp(options.clock, serverOptions, async (app, connections) => {
    await app.register(storageRoutes, { ...options, connections });
    await serverOptions.beside?.(app, connections);
  });
}

/** The same for services other than storage. */
export async function createServiceApp(
  clock: Clock,
  serverOptions: StorageServerOptions,
  addRoutes: AddRoutes,
): Promise<FastifyInstance> {
  const app = fastify({
    ...appOptions,
    serverFactory: (listener) => makeServer(serverOptions, clock, listener),
    requestTimeout: storageServerLimits.requestTimeout,
    connectionTimeout: 0,
    routerOptions: { maxParamLength: PARAMETER_LENGTH_MAX },
  });
  const { connections = new ConnectionTable() } = serverOptions;
  app.server.maxConnections = connections.limits.connections + CONNECTION_EXCESS_MAX;
  app.server.setTimeout(SILENCE_TIMEOUT_MS);
  watchConnections(app.server, connections);
  app.server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
    app.routing(request, response);
  });
  const { answered } = serverOptions;
  if (answered !== undefined) {
    app.addHook('onResponse', (request, reply, done) => {
      answered(request, reply);
      done();
    });
  }
  await addRoutes(app, connections);
  return app;
}

function makeServer(options: StorageServerOptions, clock: Clock, listener: RequestListener): Server | SecureServer {
  if (options.createServer !== undefined) return options.createServer(listener);
  const limits = { ...storageServerLimits, ...options.limits };
  const { sort, tls } = options;
  if (tls !== undefined) return new TwoVersionServer({ ...tls, ...limits, sort }, clock, listener);
  return createServer(limits, listener);
}

/** Comes after the server's own listeners, so that what is closed here is theirs already. */
function watchConnections(server: Server | SecureServer, connections: ConnectionTable): void {
  server.on('connection', (socket: Socket) => {
    const closed = connections.opened(socket);
    socket.once('close', closed);
    if (!('setSecureContext' in server)) connections.secured(socket);
  });
  server.on('secureConnection', (socket: Socket) => {
    connections.secured(socket);
  });
}
