/**
 * /healthz, /readyz and /metrics on a node's web port, and the counting of what an application answers.
 *
 * They tell figures of the node and nothing of what it stores. Like the rest of the web port they are for whoever
 * reaches it, which is this machine unless web.port says otherwise.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { AnsweredRequest, NodeMetrics } from './metrics.js';
import type { HealthReport, NodeHealth } from './node-health.js';
import type { NodeStatistics } from './statistics.js';

/** What the routes tell. */
export interface Monitor {
  readonly health: NodeHealth;
  readonly metrics: NodeMetrics;
  readonly statistics: NodeStatistics;
}

/** Registers them. Before any other route of the application, so that those are counted too. */
export function monitorRoutes(app: FastifyInstance, { health, metrics }: Omit<Monitor, 'statistics'>): void {
  app.addHook('onResponse', (request, reply, done) => {
    metrics.answered('gateway', answeredRequest(request, reply));
    done();
  });
  app.get('/healthz', async (_request, reply) => sendReport(reply, await health.live()));
  app.get('/readyz', async (_request, reply) => sendReport(reply, await health.ready()));
  app.get('/metrics', async (request, reply) => {
    const { contentType, text } = await metrics.text(request.headers.accept);
    return reply.header('cache-control', 'no-store').header('content-type', contentType).send(text);
  });
}

function sendReport(reply: FastifyReply, { failures, notes, ok }: HealthReport): FastifyReply {
  return reply
    .code(ok ? 200 : 503)
    .header('cache-control', 'no-store')
    .header('content-type', 'text/plain;charset=utf-8')
    .send(`${(ok ? ['ok', ...notes] : failures).join('\n')}\n`);
}

/** What is counted of a request that was answered. */
export function answeredRequest(request: FastifyRequest, reply: FastifyReply): AnsweredRequest {
  const { url } = request.routeOptions;
  return {
    endpoint: url === undefined ? 'other' : `${request.method} ${url}`,
    status: reply.statusCode,
    seconds: reply.elapsedTime / 1000,
    receivedBytes: sizeOf(request.headers['content-length']),
    sentBytes: sizeOf(reply.getHeader('content-length')),
  };
}

function sizeOf(header: unknown): number {
  const size = Number(header);
  return Number.isSafeInteger(size) && size > 0 ? size : 0;
}
