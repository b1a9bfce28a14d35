/**
 * What an introducer tells on its web port: `GET /` for people, `GET /?t=json` for programs. Announcements hold the
 * secrets that open storage servers: nothing of them but names, versions and places is shown.
 * @see Tahoe-LAFS src/allmydata/web/introweb.py
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Introducer } from '#introducer/introducer.js';
import { escapeHtml, PAGE_POLICY } from '#gateway/html.js';
import type { VerifiedAnnouncement } from '#wire/signed-announcement.js';
import { parseFurl } from './furl.js';

/** Rows of each table; there may be thousands. */
const ROWS_MAX = 1_000;

/** Registers both. */
export function introducerPage(
  app: FastifyInstance,
  introducer: Introducer,
  about: { nickname: string; version: string },
): void {
  app.get('/', (request: FastifyRequest, reply: FastifyReply) => {
    const { t } = request.query as { t?: unknown };
    if (t === 'json') {
      return reply.header('content-type', 'application/json').send(`${JSON.stringify(summaryOf(introducer))}\n`);
    }
    return reply
      .header('content-type', 'text/html;charset=utf-8')
      .header('content-security-policy', PAGE_POLICY)
      .header('referrer-policy', 'no-referrer')
      .header('x-content-type-options', 'nosniff')
      .send(pageOf(introducer, about));
  });
}

/** How many there are, by service. */
function summaryOf(introducer: Introducer): object {
  const subscribed = introducer.subscribers().map(({ serviceName }) => serviceName ?? 'all');
  const announced = introducer.announcements().map(({ serviceName }) => serviceName);
  return { subscription_summary: countsOf(subscribed), announcement_summary: countsOf(announced) };
}

function countsOf(names: readonly string[]): Record<string, number> {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return Object.fromEntries(counts);
}

function pageOf(introducer: Introducer, { nickname, version }: { nickname: string; version: string }): string {
  const announced = introducer.announcements();
  const subscribers = introducer.subscribers();
  const announcedRows = announced.slice(0, ROWS_MAX).map((one) => {
    return rowOf(one.nickname, one.serverId, one.serviceName, one.version, placesOf(one));
  });
  const subscriberRows = subscribers.slice(0, ROWS_MAX).map((one) => {
    const since = new Date(one.sinceMs).toISOString();
    return rowOf(one.nickname, one.version, one.serviceName ?? 'all', one.dialect, one.address, since);
  });
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Tallac introducer</title>
<style>body{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem}td,th{text-align:left;padding:.2rem 1rem .2rem 0}</style>
</head>
<body>
<h1>${escapeHtml(nickname === '' ? 'Tallac introducer' : nickname)}</h1>
<p>${escapeHtml(version)}</p>
<h2>Service announcements: ${String(announced.length)}</h2>
<table><thead><tr><th>Nickname</th><th>Server</th><th>Service</th><th>Version</th><th>Places</th></tr></thead>
<tbody>
${announcedRows.join('\n')}
</tbody></table>
<h2>Subscribers: ${String(subscribers.length)}</h2>
<table><thead><tr><th>Nickname</th><th>Version</th><th>Service</th><th>Dialect</th><th>Address</th><th>Since</th></tr></thead>
<tbody>
${subscriberRows.join('\n')}
</tbody></table>
</body>
</html>
`;
}

/** The hints of its furl: where it is, without what opens it. */
function placesOf({ fields }: VerifiedAnnouncement): string {
  const furl = fields.get('anonymous-storage-FURL');
  return typeof furl === 'string' ? (parseFurl(furl)?.hints ?? []).slice(0, 8).join(', ').slice(0, 200) : '';
}

function rowOf(...cells: readonly string[]): string {
  return `<tr>${cells.map((cell) => `<td>${escapeHtml(cell)}</td>`).join('')}</tr>`;
}
