/**
 * Puts a fastify application on an endpoint and takes it down again: requests under way may finish, for a while.
 */
import type { FastifyInstance } from 'fastify';
import type { Clock } from '#core/environment.js';
import type { Endpoint } from './config/endpoint-text.js';
import { listen } from './endpoint.js';
import type { Listening, ListenOptions } from './endpoint.js';

/** How long requests may go on after the node was told to stop. */
const DRAIN_TIMEOUT_MS = 4_000;

/** An application that listens. */
export interface HttpListener extends Listening {
  /** Stops accepting, waits for what is under way, then cuts what is left. */
  close(): Promise<void>;
}

/** @throws as `listen`. */
export async function listenHttp(
  app: FastifyInstance,
  endpoint: Endpoint,
  options: ListenOptions & { readonly clock: Clock },
): Promise<HttpListener> {
  await app.ready();
  const listening = await listen(app.server, endpoint, options);
  return { ...listening, close: () => drain(app, options.clock) };
}

async function drain(app: FastifyInstance, clock: Clock): Promise<void> {
  const { server } = app;
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  const cancelTimer = clock.schedule(DRAIN_TIMEOUT_MS, () => {
    server.closeAllConnections();
  });
  await closed;
  cancelTimer();
  await app.close();
}
