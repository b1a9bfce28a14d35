/**
 * Puts a fastify application on an endpoint and takes it down again: requests under way may finish, for a while.
 */
import type { FastifyInstance } from 'fastify';
import type { Clock } from '#core/environment.js';
import type { Endpoint } from './config/endpoint-text.js';
import { listen } from './endpoint.js';
import type { Listening, ListenOptions } from './endpoint.js';

/** How long requests may go on after the node was told to stop. */
const DRAIN_TIMEOUT_MS = 3_000;
/** How often connections that have become idle are looked for meanwhile. */
const SWEEP_INTERVAL_MS = 50;

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

/** Requests that come on connections that are still open are answered 503 from now on. */
async function drain(app: FastifyInstance, clock: Clock): Promise<void> {
  const { server } = app;
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  const appClosed = app.close();
  let cancelSweep = (): void => undefined;
  // A connection whose request has just been answered is idle, and nobody tells.
  const sweep = (): void => {
    server.closeIdleConnections();
    cancelSweep = clock.schedule(SWEEP_INTERVAL_MS, sweep);
  };
  sweep();
  const cancelTimer = clock.schedule(DRAIN_TIMEOUT_MS, () => {
    server.closeAllConnections();
  });
  await Promise.all([closed, appClosed]);
  cancelTimer();
  cancelSweep();
}
