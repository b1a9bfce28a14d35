/**
 * The gateway's front: `GET /?t=json` tells programs which servers are connected, `GET /` tells people.
 * @see Tahoe-LAFS docs/frontends/webapi.rst; Gridsync and magic-folder poll the JSON
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { TahoeError } from '#core/errors.js';
import { queryArguments } from '../arguments.js';
import { actionForm, markup, page, sendPage, table } from '../html.js';
import type { Html } from '../html.js';
import { jsonPage } from '../python-json.js';
import type { GatewayServices, ServerStatus } from '../services.js';

/** Registers the routes of this resource. */
export function welcomeRoutes(app: FastifyInstance, services: GatewayServices): void {
  app.route({ method: ['GET', 'HEAD'], url: '/', handler: (request, reply) => answer(services, request, reply) });
}

function answer(services: GatewayServices, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const { operation } = queryArguments(request);
  if (operation === 'json')
    return reply.header('content-type', 'application/json; charset=utf-8').send(`${jsonPage(welcome(services))}\n`);
  if (operation === '' || operation === 'html') return sendPage(reply, welcomePage(services));
  throw new TahoeError('ERR_USAGE', { reason: `Unknown t value: ${operation.slice(0, 100)}` });
}

function welcome(services: GatewayServices): object {
  return { introducers: { statuses: services.introducers?.() ?? [] }, servers: services.servers().map(serverEntry) };
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

function welcomePage(services: GatewayServices): string {
  const servers = services.servers();
  const connected = servers.filter(({ connectionStatus }) => connectionStatus === 'connected').length;
  const rows = servers.map(({ nickname, serverId, connectionStatus, version, availableSpace }) => [
    nickname,
    serverId,
    connectionStatus,
    availableSpace === undefined ? '' : String(availableSpace),
    version ?? '',
  ]);
  return page(
    services.nickname === '' ? 'Tallac gateway' : services.nickname,
    markup`<p>${services.applicationVersion}: ${connected} of ${servers.length} storage servers are connected.</p>
<p><a href="/status">Recent operations</a>, <a href="/statistics">statistics</a>, <a href="/storage">storage</a>, <a href="/helper_status">helper</a></p>\n`,
    ...forms(),
    markup`<h2>Storage servers</h2>\n`,
    table(['Nickname', 'Server', 'Connection', 'Bytes available', 'Version'], rows),
  );
}

function forms(): Html[] {
  const fieldset = (legend: string, form: Html): Html =>
    markup`<fieldset><legend>${legend}</legend>${form}</fieldset>\n`;
  const mutable = markup`<option>SDMF</option><option>MDMF</option>`;
  const formats = markup`<select name="format"><option value="CHK">immutable</option>${mutable}</select>`;
  return [
    fieldset(
      'Open a file or directory',
      markup`<form action="/uri" method="get"><label>Capability <input name="uri" size="60"></label> <button>Open</button></form>`,
    ),
    fieldset(
      'Store a file',
      actionForm('/uri', { t: 'upload' }, 'Upload', markup`<input type="file" name="file"> ${formats}`),
    ),
    fieldset(
      'Make a directory',
      actionForm(
        '/uri',
        { t: 'mkdir', redirect_to_result: 'true' },
        'Make',
        markup`<select name="format">${mutable}</select>`,
      ),
    ),
  ];
}
