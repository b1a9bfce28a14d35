/** What a gateway tells about its work: transfers, sums, incidents, and its log as it is written. */
import { once } from 'node:events';
import t from 'tap';
import type { FastifyInstance } from 'fastify';
import { WebSocket } from 'ws';
import { createGateway } from '#gateway/gateway.js';
import { openMetricsText } from '#gateway/open-metrics.js';
import type { GatewayServices } from '#gateway/services.js';
import { seededBytes } from '../fixtures/crypto.js';
import { gatewayServices } from '../fixtures/gateway-app.js';
import { MemoryGrid } from '../fixtures/memory-grid.js';

function appWith(more: Partial<GatewayServices> = {}, lines: string[] = []): FastifyInstance {
  const grid = new MemoryGrid(4, { needed: 2, happy: 2, total: 4 });
  return createGateway({ ...gatewayServices(grid, lines), ...more });
}

t.test('transfers and their sums', async (t) => {
  const app = appWith();
  const json = async (url: string): Promise<unknown> => JSON.parse((await app.inject(url)).body) as unknown;
  t.same(await json('/status?t=json'), { active: [], recent: [] });
  t.match(await app.inject('/statistics?t=json'), { headers: { 'content-type': 'text/plain' } });
  const payload = Buffer.from(seededBytes('content', 5000));
  const { body: chk } = await app.inject({ method: 'PUT', url: '/uri', payload });
  await app.inject({ url: `/uri/${chk}`, headers: { range: 'bytes=0-99' } });
  const { body: sdmf } = await app.inject({ method: 'PUT', url: '/uri?format=SDMF', payload: 'one' });
  await app.inject({ method: 'PUT', url: `/uri/${sdmf}`, payload: 'three' });
  await app.inject(`/uri/${sdmf}`);
  t.match(await json('/statistics?t=json'), {
    counters: {
      'uploader.files_uploaded': 1,
      'uploader.bytes_uploaded': 5000,
      'downloader.files_downloaded': 1,
      'downloader.bytes_downloaded': 100,
      'mutable.files_published': 2,
      'mutable.bytes_published': 8,
      'mutable.files_retrieved': 1,
      'mutable.bytes_retrieved': 5,
    },
    stats: { 'node.uptime': 1.5 },
  });
  const { recent } = (await json('/status?t=json')) as { recent: { type: string }[] };
  t.same(recent.map(({ type }) => type).sort(), ['download', 'publish', 'publish', 'retrieve', 'upload']);
  t.match(recent, [{ status: 'Finished' }, {}, {}, {}, {}]);
  for (const url of [
    '/status',
    '/status/',
    '/status/up-0',
    '/statistics',
    '/helper_status',
    '/storage',
    '/status/retrieve-0',
  ]) {
    t.match(await app.inject(url), { statusCode: 200, headers: { 'content-type': /html/ } }, url);
  }
  t.match(await json('/status/down-0/event_json'), { read: [{ length: 100 }] });
  for (const [url, status] of [
    ['/status/nonsense', 400],
    ['/status/up-7', 404],
    ['/status/up-x', 404],
    ['/status/up-0/more', 404],
    ['/status?t=nonsense', 400],
    ['/storage?t=json', 404],
    ['/?t=nonsense', 400],
    ['/statistics?t=__proto__', 400],
  ] as const) {
    t.equal((await app.inject(url)).statusCode, status, url);
  }
  t.equal((await app.inject('/helper_status?t=json')).body, '{}\n');
  await app.inject(`/uri/URI:CHK:${'a'.repeat(26)}:${'a'.repeat(52)}:2:4:5000`);
  t.match(await json('/status?t=json'), { active: [] }, 'what failed has ended too');
  await app.close();
});

t.test('a storage node tells of its storage', async (t) => {
  const stats = { 'storage_server.disk_avail': 5, 'storage_server.latencies.add-lease.mean': null, 'node.uptime': 1 };
  const app = appWith({ statistics: () => Promise.resolve({ counters: { 'a.b': 1 }, stats }) });
  t.match(JSON.parse((await app.inject('/storage?t=json')).body), { stats: { 'storage_server.disk_avail': 5 } });
  t.match(await app.inject('/storage'), { body: /disk_avail/ });
  const reply = await app.inject('/statistics?t=openmetrics');
  t.equal(reply.headers['content-type'], 'application/openmetrics-text; version=1.0.0; charset=utf-8');
  t.equal(
    reply.body,
    'tahoe_counters_a_b 1\ntahoe_stats_node_uptime 1\ntahoe_stats_storage_server_disk_avail 5\n' +
      'tahoe_stats_storage_server_latencies_add_lease_mean NaN\n# EOF\n',
  );
  t.equal(openMetricsText({ counters: {}, stats: {} }).text, '# EOF\n');
  await app.close();
});

t.test('a helper tells of its work', async (t) => {
  const figures = { 'chk_upload_helper.active_uploads': 3 };
  const app = appWith({ helperFigures: () => Promise.resolve(figures) });
  t.strictSame(JSON.parse((await app.inject('/helper_status?t=json')).body), figures);
  t.match(await app.inject('/helper_status'), { statusCode: 200, body: /active_uploads.*3/s });
  await app.close();
});

t.test('incidents go into the log', async (t) => {
  const lines: string[] = [];
  const app = appWith({}, lines);
  t.match(await app.inject({ method: 'POST', url: '/report_incident?details=odd' }), {
    statusCode: 200,
    body: /^An incident/,
  });
  t.match(lines, ['incident reported {"details":"odd"}']);
  t.match(await app.inject('/report_incident'), { statusCode: 400 });
  await app.close();
});

t.test('the log as it is written, for who has the token', async (t) => {
  const followers = new Set<(line: string) => void>();
  const app = appWith({
    followLog: (told) => {
      followers.add(told);
      return () => followers.delete(told);
    },
  });
  const address = (await app.listen({ port: 0, host: '127.0.0.1' })).replace('http', 'ws');
  const open = (path: string, headers: Record<string, string>): WebSocket =>
    new WebSocket(`${address}${path}`, { headers });
  const authorization = 'tahoe-lafs test-token';
  for (const path of ['/private/logs/v1', '//private/logs/v1']) {
    const socket = open(path, { authorization });
    await once(socket, 'open');
    for (const tell of followers) tell('{"message_type":"x"}');
    const [data, isBinary] = (await once(socket, 'message')) as [Buffer, boolean];
    t.same([data.toString(), isBinary], ['{"message_type":"x"}', false]);
    socket.close();
    await once(socket, 'close');
  }
  for (const [path, headers, status] of [
    ['/private/logs/v1', {}, 401],
    ['/private/logs/v1', { authorization: 'tahoe-lafs wrong' }, 401],
    ['/private/logs/v1', { authorization, origin: 'http://evil.example' }, 403],
    ['/private/logs/v1', { authorization, host: 'evil.example' }, 403],
    ['/private/else', { authorization }, 404],
    ['/', { authorization }, 404],
  ] as const) {
    const socket = open(path, headers);
    const [error] = (await once(socket, 'error')) as [Error];
    t.match(error.message, String(status), `${path} ${JSON.stringify(headers)}`);
  }
  t.match(await app.inject('/private'), {
    statusCode: 401,
    headers: { 'www-authenticate': 'tahoe-lafs realm="tahoe-lafs"' },
  });
  t.match(await app.inject({ url: '/private/x', headers: { authorization } }), { statusCode: 404 });
  t.match(await app.inject({ url: '/private/logs/v1', headers: { authorization } }), { statusCode: 426 });
  const socket = open('/private/logs/v1', { authorization });
  await once(socket, 'open');
  const closed = once(socket, 'close');
  await app.close();
  await closed;
  t.equal(followers.size, 0);
});
