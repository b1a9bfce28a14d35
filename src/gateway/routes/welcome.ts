/**
 * The gateway's front: `GET /?t=json` tells programs which servers are connected, `GET /` tells people.
 * @see Tahoe-LAFS docs/frontends/webapi.rst; Gridsync and magic-folder poll the JSON
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { escapeHtml, PAGE_POLICY } from '../html.js';
import type { GatewayServices, ServerStatus } from '../services.js';

/** Registers the routes of this resource. */
export function welcomeRoutes(app: FastifyInstance, services: GatewayServices): void {
  app.get('/', (request: FastifyRequest, reply: FastifyReply) => {
    const { t } = request.query as { t?: unknown };
    if (t === 'json') {
      return reply.header('content-type', 'application/json').send(`${JSON.stringify(welcome(services), null, 1)}\n`);
    }
    return reply
      .header('content-type', 'text/html;charset=utf-8')
      .header('content-security-policy', PAGE_POLICY)
      .send(page(services));
  });
}

function welcome(services: GatewayServices): object {
  return { introducers: { statuses: [] }, servers: services.servers().map(serverEntry) };
}

function serverEntry(server: ServerStatus): object {
  return {
    nodeid: server.serverId,
    connection_status: server.connectionStatus,
    available_space: server.availableSpace ?? null,
    nickname: server.nickname,
    version: server.version ?? null,
    last_received_data: server.lastReceivedDataMs === undefined ? null : server.lastReceivedDataMs / 1000,
  };
}

function page(services: GatewayServices): string {
  const servers = services.servers();
  const connected = servers.filter((server) => server.connectionStatus === 'connected').length;
  const rows = servers.map((server) => {
    const cells = [server.nickname, server.serverId, server.connectionStatus, server.version ?? ''];
    return `<tr>${cells.map((cell) => `<td>${escapeHtml(cell)}</td>`).join('')}</tr>`;
  });
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Tallac gateway</title>
<style>body{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem}td,th{text-align:left;padding:.2rem 1rem .2rem 0}</style>
</head>
<body>
<h1>${escapeHtml(services.nickname === '' ? 'Tallac gateway' : services.nickname)}</h1>
<p>${escapeHtml(services.applicationVersion)}: ${String(connected)} of ${String(servers.length)} storage servers are connected.</p>
<p>Store a file with <code>tallac put FILE</code>, read it with <code>tallac get CAPABILITY</code>.</p>
<table><thead><tr><th>Nickname</th><th>Server</th><th>Connection</th><th>Version</th></tr></thead>
<tbody>
${rows.join('\n')}
</tbody></table>
</body>
</html>
`;
}
