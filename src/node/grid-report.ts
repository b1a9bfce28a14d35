/**
 * What a node knows of its grid, for `tallac grid servers`, for `tallac doctor` and for the figures: who is known, from
 * where, how they are reached and how they are. Served at /tallac/v1/grid of the web port: to GET at once, to POST after
 * servers that do not answer have been asked again. No address and no secret is in it.
 */
import type { FastifyInstance, FastifyReply } from 'fastify';
import type { Grid } from '#client/grid.js';
import type { LinkStatus } from '#client/introducer-link.js';
import type { ListStatus } from '#client/server-list-follower.js';
import type { JoinedGrid } from './grid-joining.js';
import type { NodeMetrics } from './health/metrics.js';

/** Where the report is. */
export const GRID_REPORT_PATH = '/tallac/v1/grid';

/** How a server is reached: over HTTPS, over Foolscap, or not at all, for it is announced with no address for either. */
export type Dialect = 'https' | 'foolscap' | 'none';

type Server = ReturnType<Grid['status']>[number];

/** One server. Times in Unix milliseconds, sizes in bytes; null for what is not known. */
export interface ReportedServer {
  readonly serverId: string;
  readonly nickname: string;
  readonly origin: string;
  readonly dialect: Dialect;
  /** Whether it was announced for Foolscap alone and is reached over HTTPS all the same. */
  readonly upgraded: boolean;
  readonly connected: boolean;
  readonly connectionStatus: string;
  readonly version: string | null;
  readonly latencyMs: number | null;
  readonly availableSpace: number | null;
  /** By how much its clock is ahead of this node's, to the second. */
  readonly clockOffsetMs: number | null;
  /** Storage plugins it is offered by, which are not supported. Older nodes do not tell. */
  readonly plugins?: readonly string[];
  readonly certificate: Server['certificate'];
  readonly certificateExpiryMs: number | null;
}

/** The whole grid. */
export interface GridReport {
  readonly servers: readonly ReportedServer[];
  readonly introducers: readonly LinkStatus[];
  readonly lists: readonly ListStatus[];
}

/** What is known now. */
export function reportGrid({ grid, introducers, lists }: JoinedGrid): GridReport {
  return {
    servers: grid.status().map(reportServer),
    introducers: introducers.map(({ status }) => status),
    lists: lists.map(({ status }) => status),
  };
}

/** Serves it. */
export function gridReportRoute(app: FastifyInstance, joined: JoinedGrid): void {
  const send = (reply: FastifyReply): FastifyReply =>
    reply
      .header('cache-control', 'no-store')
      .header('content-type', 'application/json')
      .send(`${JSON.stringify(reportGrid(joined))}\n`);
  app.get(GRID_REPORT_PATH, (_request, reply) => send(reply));
  app.post(GRID_REPORT_PATH, async (_request, reply) => {
    await joined.grid.tryAgain();
    return send(reply);
  });
}

/** Counts peers by dialect, so that it can be seen when nobody needs Foolscap any more. */
export function monitorGrid(metrics: NodeMetrics, joined: JoinedGrid): void {
  const count = (dialect: Dialect, isConnected: boolean) => (): number =>
    reportGrid(joined).servers.filter((one) => one.dialect === dialect && (one.connected || !isConnected)).length;
  metrics.addGauge('tallac_servers_https', 'Known servers that are reached over HTTPS.', count('https', false));
  metrics.addGauge(
    'tallac_servers_foolscap',
    'Known servers that are reached only over Foolscap.',
    count('foolscap', false),
  );
  metrics.addGauge(
    'tallac_servers_upgraded',
    'Known servers that were announced for Foolscap alone and are reached over HTTPS.',
    () => reportGrid(joined).servers.filter(({ upgraded }) => upgraded).length,
  );
  metrics.addGauge('tallac_servers_connected_https', 'Those over HTTPS that answer.', count('https', true));
  metrics.addGauge('tallac_servers_connected_foolscap', 'Those over Foolscap that answer.', count('foolscap', true));
  const introducersOver = (dialect: Dialect) => (): number =>
    joined.introducers.filter(({ status }) => status.dialect === dialect).length;
  metrics.addGauge(
    'tallac_introducers_foolscap',
    'Introducers that are reached over Foolscap.',
    introducersOver('foolscap'),
  );
}

function reportServer(server: Server): ReportedServer {
  const { availableSpace, certificateExpiryMs = null, clockOffsetMs = null, latencyMs, version = null } = server;
  const { certificate, connected, connectionStatus, dialect, nickname, origin, plugins, serverId, upgraded } = server;
  return {
    ...{ serverId, nickname, origin, dialect, upgraded, connected, connectionStatus, version },
    ...{ certificate, certificateExpiryMs, clockOffsetMs, plugins },
    latencyMs: latencyMs === undefined ? null : Math.round(latencyMs * 10) / 10,
    availableSpace: availableSpace === undefined ? null : Number(availableSpace),
  };
}
