/**
 * What a gateway tells of its work: `/status` its transfers, `/statistics` its sums, `/storage` and `/helper_status` the
 * other halves of its node. As pages, and with `t=json` for programs.
 * @see Tahoe-LAFS docs/frontends/webapi.rst, "Other Useful Pages"
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { TahoeError } from '#core/errors.js';
import { queryArguments } from '../arguments.js';
import type { Transfer } from '../history.js';
import { markup, page, sendPage, table } from '../html.js';
import type { Html } from '../html.js';
import { openMetricsText } from '../open-metrics.js';
import { jsonPage } from '../python-json.js';
import { sendPlain } from '../reply.js';
import type { Gateway } from '../services.js';
import { namesOf } from '../target.js';

type Answering = (request: FastifyRequest, reply: FastifyReply) => FastifyReply | Promise<FastifyReply>;
type Formats = Readonly<Record<string, Answering>>;

/** Registers the routes of this resource. */
export function statusRoutes(app: FastifyInstance, services: Gateway): void {
  const serve = (url: string, formats: Formats): void => {
    app.route({ method: ['GET', 'HEAD', 'POST'], url, handler: inFormat(formats) });
  };
  for (const url of ['/status', '/status/']) {
    serve(url, {
      html: (_request, reply) => sendPage(reply, statusPage(services)),
      json: (_request, reply) => sendStatus(services, reply),
    });
  }
  serve('/status/*', { html: (request, reply) => sendTransfer(services, request, reply) });
  serve('/statistics', {
    html: async (_request, reply) => sendPage(reply, statisticsPage(await services.statistics())),
    json: async (_request, reply) => sendPlain(reply, `${jsonPage(await services.statistics())}\n`),
    openmetrics: async (_request, reply) => {
      const { contentType, text } = openMetricsText(await services.statistics());
      return reply.header('content-type', contentType).send(text);
    },
  });
  serve('/helper_status', {
    html: async (_request, reply) => sendPage(reply, helperPage(await services.helperFigures?.())),
    json: async (_request, reply) => sendPlain(reply, `${jsonPage((await services.helperFigures?.()) ?? {})}\n`),
  });
  serve('/storage', {
    html: async (_request, reply) => sendPage(reply, storagePage(await storageFigures(services))),
    json: async (_request, reply) => sendPlain(reply, `${jsonPage(await storageJson(services))}\n`),
  });
}

function helperPage(figures: Readonly<Record<string, number>> | undefined): string {
  if (figures === undefined) return page('Helper', markup`<p>No helper is running.</p>\n`);
  const rows = Object.entries(figures).map(([name, value]) => [name.replace('chk_upload_helper.', ''), String(value)]);
  return page('Helper', table([], rows));
}

/** One handler for all formats that `t=` asks for. */
function inFormat(formats: Formats): Answering {
  return (request, reply) => {
    const wanted = queryArguments(request).operation.toLowerCase() || 'html';
    const answering = Object.hasOwn(formats, wanted) ? formats[wanted] : undefined;
    if (answering === undefined) {
      throw new TahoeError('ERR_USAGE', { reason: `Unknown t value: ${wanted.slice(0, 100)}` });
    }
    return answering(request, reply);
  };
}

function sendStatus({ history }: Gateway, reply: FastifyReply): FastifyReply {
  const status = { active: history.active().map(transferJson), recent: history.recent().map(transferJson) };
  return reply.header('content-type', 'application/json').send(Buffer.from(`${jsonPage(status)}\n`));
}

function transferJson(transfer: Transfer): object {
  const { kind, progress } = transfer;
  return {
    'storage-index-string': transfer.storageIndexText,
    'total-size': transfer.sizeBytes ?? null,
    status: transfer.status,
    type: kind,
    ...(kind === 'upload'
      ? { 'progress-hash': progress, 'progress-ciphertext': progress, 'progress-encode-push': progress }
      : {}),
    ...(kind === 'download' ? { progress } : {}),
  };
}

/** `/status/up-3` and the like, and `/status/down-3/event_json`. */
function sendTransfer({ history }: Gateway, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const [name = '', detail] = namesOf(request);
  if (!name.includes('-')) throw new TahoeError('ERR_USAGE', { reason: `no '-' in '${name.slice(0, 100)}'` });
  const transfer = history.find(name);
  if (transfer === undefined || (detail !== undefined && detail !== '' && detail !== 'event_json')) {
    throw new TahoeError('ERR_NOT_FOUND', { reason: `nothing is known of ${name.slice(0, 100)} any more` });
  }
  if (detail === 'event_json') return sendPlain(reply, `${jsonPage(eventsOf(transfer))}\n`);
  return sendPage(reply, page(`Transfer ${transfer.name}`, transferTable([transfer])));
}

/** In the shape of the reference, which draws a time line of it; single events are not kept here. */
function eventsOf({ startedMs, movedBytes }: Transfer): object {
  const seconds = startedMs / 1000;
  const read = [{ start: 0, length: movedBytes, bytes_returned: movedBytes, start_time: seconds, finish_time: null }];
  const none = { misc: [], segment: [], dyhb: [], block: [], block_rownums: {} };
  return { ...none, read, server_info: {}, num_serverids: 0, serverids: {}, bounds: { min: seconds, max: seconds } };
}

function statusPage({ history }: Gateway): string {
  const part = (title: string, transfers: readonly Transfer[]): Html[] => [
    markup`<h2>${title}</h2>\n`,
    transfers.length === 0 ? markup`<p>None.</p>\n` : transferTable(transfers),
  ];
  return page('Transfers', ...part('Under way', history.active()), ...part('Recent', history.recent()));
}

function transferTable(transfers: readonly Transfer[]): Html {
  return table(
    ['What', 'Began', 'Storage index', 'Bytes', 'Moved', 'Status'],
    transfers.map((transfer) => [
      markup`<a href="/status/${transfer.name}">${transfer.name}</a>`,
      new Date(transfer.startedMs).toISOString(),
      transfer.storageIndexText ?? '-',
      transfer.sizeBytes === undefined ? '?' : String(transfer.sizeBytes),
      String(transfer.movedBytes),
      transfer.status,
    ]),
  );
}

function statisticsPage({ counters, stats }: Awaited<ReturnType<Gateway['statistics']>>): string {
  const rows = (figures: Readonly<Record<string, number | null>>): [string, string][] =>
    Object.entries(figures).map(([name, value]) => [name, String(value ?? '-')]);
  return page(
    'Statistics',
    markup`<h2>Since the start</h2>\n`,
    table([], rows(counters)),
    markup`<h2>Now</h2>\n`,
    table([], rows(stats)),
  );
}

async function storageFigures(services: Gateway): Promise<Record<string, number | null> | undefined> {
  const { stats } = await services.statistics();
  const figures = Object.entries(stats).filter(([name]) => name.startsWith('storage_server.'));
  return figures.length === 0 ? undefined : Object.fromEntries(figures);
}

async function storageJson(services: Gateway): Promise<object> {
  const stats = await storageFigures(services);
  if (stats === undefined) throw new TahoeError('ERR_NOT_FOUND', { reason: 'No Storage Server Running' });
  return { stats, 'bucket-counter': {}, 'lease-checker': {}, 'lease-checker-progress': {} };
}

function storagePage(figures: Record<string, number | null> | undefined): string {
  if (figures === undefined) return page('Storage', markup`<p>No Storage Server Running</p>\n`);
  return page(
    'Storage',
    table(
      [],
      Object.entries(figures).map(([name, value]) => [name, String(value ?? '-')]),
    ),
  );
}
