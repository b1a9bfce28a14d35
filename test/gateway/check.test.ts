/** `t=check` over a grid in memory: the JSON to the key, the page, and what is refused. */
import t from 'tap';
import type { FastifyInstance } from 'fastify';
import { formatBase32 } from '#core/base32.js';
import { verifyChk } from '#core/capability/attenuate.js';
import { dangerouslyFormatCapability } from '#core/capability/format.js';
import { crypto, seededBytes } from '../fixtures/crypto.js';
import { gatewayOf } from '../fixtures/gateway-app.js';
import { MemoryGrid } from '../fixtures/memory-grid.js';

async function setUp(): Promise<{
  grid: MemoryGrid;
  app: FastifyInstance;
  url: string;
  verifyUrl: string;
  index: string;
}> {
  const grid = new MemoryGrid(4, { needed: 2, happy: 3, total: 4, segmentSizeMax: 5000 });
  const capability = await grid.uploadChk(seededBytes('checked', 20_000));
  const verify = verifyChk(crypto, capability);
  return {
    grid,
    app: gatewayOf(grid),
    url: `/uri/${encodeURIComponent(dangerouslyFormatCapability(capability))}`,
    verifyUrl: `/cap/${encodeURIComponent(dangerouslyFormatCapability(verify))}`,
    index: formatBase32(verify.storageIndex),
  };
}

t.test('a check as JSON has the keys of the reference in their order', async (t) => {
  const { grid, app, url, verifyUrl, index } = await setUp();
  const [victim] = grid.servers;
  if (!victim) throw new RangeError('four servers');
  for (const share of victim.shares.values()) share[50] = (share[50] ?? 0) ^ 1;
  const number = Number([...victim.shares.keys()][0]?.split('/')[1]);
  for (const [method, path] of [
    ['POST', url],
    ['GET', url],
    ['POST', verifyUrl],
  ] as const) {
    const reply = await app.inject({ method, url: `${path}?t=check&verify=true&output=json` });
    t.equal(reply.statusCode, 200);
    t.equal(reply.headers['content-type'], 'text/plain');
    t.match(reply.body, /^\{\n "storage-index": /, 'indented by one, with a line end');
    t.ok(reply.body.endsWith('}\n'));
    const data = JSON.parse(reply.body) as { results: Record<string, unknown> };
    t.same(Object.keys(data), ['storage-index', 'summary', 'results']);
    t.same(Object.keys(data.results), [
      'count-happiness',
      'count-shares-good',
      'count-shares-needed',
      'count-shares-expected',
      'count-good-share-hosts',
      'count-corrupt-shares',
      'list-corrupt-shares',
      'servers-responding',
      'sharemap',
      'count-wrong-shares',
      'count-recoverable-versions',
      'count-unrecoverable-versions',
      'healthy',
      'recoverable',
    ]);
    t.match(data, {
      'storage-index': index,
      summary: 'Not Healthy: 3 shares (enc 2-of-4)',
      results: {
        'count-happiness': 3,
        'count-shares-good': 3,
        'count-corrupt-shares': 1,
        'list-corrupt-shares': [[victim.serverId, index, number]],
        'count-wrong-shares': 0,
        healthy: false,
        recoverable: true,
      },
    });
    t.equal(Object.keys(data.results['sharemap'] as object).length, 3);
  }
  await app.close();
});

t.test('a check with repair, and what comes after it', async (t) => {
  const { grid, app, url } = await setUp();
  grid.servers[1]?.shares.clear();
  grid.servers[1]?.leases.clear();
  const repaired = await app.inject({ method: 'POST', url: `${url}?t=check&repair=on&add-lease=1&output=JSON` });
  const data = JSON.parse(repaired.body) as object;
  t.same(Object.keys(data), [
    'storage-index',
    'repair-attempted',
    'repair-successful',
    'pre-repair-results',
    'post-repair-results',
  ]);
  t.match(data, {
    'repair-attempted': true,
    'repair-successful': true,
    'pre-repair-results': { summary: 'Not Healthy: 3 shares (enc 2-of-4)', results: { healthy: false } },
    'post-repair-results': { summary: 'healthy', results: { healthy: true, 'count-shares-good': 4 } },
  });
  t.ok(grid.servers.every((server) => server.leases.size === 1));
  const again = await app.inject({ method: 'POST', url: `${url}?t=check&repair=true&output=JSON` });
  t.match(JSON.parse(again.body), { 'repair-attempted': false, 'repair-successful': false });
  await app.close();
});

t.test('a literal', async (t) => {
  const { app } = await setUp();
  for (const query of ['', '&verify=true', '&repair=true']) {
    const reply = await app.inject({ method: 'POST', url: `/uri/URI:LIT:krugkidfnzsa?t=check&output=JSON${query}` });
    t.equal(reply.body, '{\n "storage-index": "",\n "results": {\n  "healthy": true\n }\n}\n');
  }
  const page = await app.inject({ method: 'GET', url: '/uri/URI:LIT:krugkidfnzsa?t=check' });
  t.match(page.body, /A literal is always healthy/);
  await app.close();
});

t.test('the page is for people, runs nothing, and shows names as text', async (t) => {
  const { grid, app, url } = await setUp();
  const [first, second] = grid.servers;
  if (!first || !second) throw new RangeError('four servers');
  Object.assign(first, { nickname: '<script>alert(1)</script>' });
  for (const share of second.shares.values()) share[50] = (share[50] ?? 0) ^ 1;
  const check = await app.inject({ method: 'GET', url: `${url}?t=check&verify=true` });
  t.match(check.headers, {
    'content-type': 'text/html;charset=utf-8',
    'content-security-policy': /default-src 'none'/,
  });
  t.match(check.body, /Not healthy!/);
  t.match(check.body, /Corrupt shares/);
  t.notMatch(check.body, /<script>/);
  t.notMatch(check.body, /URI:/);
  const repair = await app.inject({ method: 'POST', url: `${url}?t=check&verify=true&repair=true&output=HTML` });
  t.match(repair.body, /The repair was successful/);
  t.match(repair.body, /After the repair/);
  second.shares.clear();
  const none = await app.inject({ method: 'POST', url: `${url}?t=check&repair=true` });
  t.match(none.body, /No repair was necessary/);
  await app.close();

  const crowded = new MemoryGrid(1, { needed: 2, happy: 1, total: 4 });
  const capability = await crowded.uploadChk(seededBytes('crowded', 500));
  Object.assign(crowded, { context: { ...crowded.context, encoding: { ...crowded.context.encoding, happy: 3 } } });
  const other = gatewayOf(crowded);
  const crowdedUrl = `/uri/${encodeURIComponent(dangerouslyFormatCapability(capability))}?t=check`;
  t.match(
    (await other.inject({ method: 'GET', url: crowdedUrl })).body,
    /Healthy<\/strong> Healthy\. Its shares are on too few servers: 1 where 3 are wanted\./,
  );
  await other.close();
});

t.test('what is refused, with its status', async (t) => {
  const { grid, app, url } = await setUp();
  const mutable = `/uri/URI:SSK:${'a'.repeat(26)}:${'a'.repeat(52)}`;
  const cases: ['GET' | 'POST' | 'HEAD', string, number, RegExp][] = [
    ['POST', `${url}?t=check&verify=maybe`, 400, /invalid boolean argument: verify= takes true or false/],
    ['POST', `${url}?t=check&repair=`, 400, /invalid boolean argument/],
    ['POST', `${url}?t=check&output=XML`, 400, /output= takes JSON or HTML/],
    ['POST', `${url}?t=upload`, 400, /takes a form/],
    ['POST', url, 400, /POST to file: bad t=/],
    ['POST', '/uri/nonsense?t=check', 400, /capability is not valid/],
    ['GET', `${url}?t=check&repair=true`, 400, /take a POST/],
    ['GET', `${url}?t=check&add-lease=true`, 400, /take a POST/],
    ['POST', `${mutable}?t=check`, 200, /Unhealthy/],
    ['HEAD', `${url}?t=check`, 400, /^/],
  ];
  for (const [method, path, status, body] of cases) {
    const reply = await app.inject({ method, url: path });
    t.equal(reply.statusCode, status, `${method} ${path}`);
    t.match(reply.body, body);
    t.notMatch(reply.body, /URI:CHK/);
  }
  for (const server of grid.servers.slice(1)) server.shares.clear();
  const check = await app.inject({ method: 'POST', url: `${url}?t=check&output=JSON` });
  t.match(JSON.parse(check.body), { results: { recoverable: false } });
  const repair = await app.inject({ method: 'POST', url: `${url}?t=check&repair=true&output=JSON` });
  t.equal(repair.statusCode, 410, 'what cannot be recovered is gone');
  await app.close();
});
