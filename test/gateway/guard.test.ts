/** Who may ask what of a gateway: pages of other sites, foreign names, a private and a read-only gateway; and what is sealed. */
import t from 'tap';
import type { FastifyInstance } from 'fastify';
import { createGateway } from '#gateway/gateway.js';
import { Guard } from '#gateway/guard.js';
import type { GuardOptions } from '#gateway/guard.js';
import { crypto } from '../fixtures/crypto.js';
import { gatewayServices } from '../fixtures/gateway-app.js';
import { MemoryGrid } from '../fixtures/memory-grid.js';

const usual: GuardOptions = { token: 'test-token', hosts: ['gateway.example'], isPrivate: false, isReadOnly: false };

function appWith(options: Partial<GuardOptions> = {}, lines: string[] = []): FastifyInstance {
  const grid = new MemoryGrid(4, { needed: 2, happy: 2, total: 4 });
  const app = createGateway({ ...gatewayServices(grid, lines), guard: { ...usual, ...options } }, (before) => {
    before.get('/healthz', () => 'ok');
  });
  return app;
}

t.test('names under which it is asked', (t) => {
  const guard = new Guard(crypto, usual);
  const ask = (host: string | undefined): string | undefined =>
    guard.objection({ method: 'GET', url: '/', headers: host === undefined ? {} : { host } })?.code;
  for (const host of [
    'localhost',
    'LOCALHOST:3456',
    '127.0.0.1:3456',
    '[::1]:3456',
    '192.168.1.4',
    'Gateway.Example:80',
  ]) {
    t.equal(ask(host), undefined, host);
  }
  const foreign = [
    'evil.example',
    'evil.example:3456',
    'localhost.',
    'localhost.evil.example',
    '',
    'a@localhost',
    'localhost:x',
  ];
  for (const host of [
    ...foreign,
    undefined,
    '127.0.0.1.evil.example',
    '[::1',
    'localhost, evil.example',
    'localhost/',
  ]) {
    t.equal(ask(host), 'ERR_HOST', String(host));
  }
  t.end();
});

t.test('a foreign name is refused on every route but those for probes', async (t) => {
  const app = appWith();
  const headers = { host: 'evil.example:3456' };
  for (const url of [
    '/',
    '/?t=json',
    '/uri/URI:LIT:ge',
    '/status',
    '/statistics',
    '/operations/x',
    '/nothing',
    '/private',
  ]) {
    t.match(await app.inject({ url, headers }), { statusCode: 421 }, url);
  }
  t.match(await app.inject({ method: 'POST', url: '/uri?t=mkdir', headers }), { statusCode: 421 });
  t.match(await app.inject({ url: '/healthz', headers }), { statusCode: 200 });
  await app.close();
});

t.test('pages of other sites change nothing', async (t) => {
  const app = appWith();
  const { body } = await app.inject({ method: 'POST', url: '/uri?t=mkdir' });
  const dir = `/uri/${encodeURIComponent(body)}`;
  const writes: readonly (readonly ['PUT' | 'POST' | 'DELETE', string])[] = [
    ['PUT', '/uri'],
    ['POST', '/uri?t=mkdir'],
    ['PUT', `${dir}/x`],
    ['POST', `${dir}?t=mkdir&name=x`],
    ['POST', `${dir}?t=start-deep-check&ophandle=x`],
    ['POST', `${dir}?t=check&repair=true`],
    ['DELETE', `${dir}/x`],
    ['POST', '/operations/x?t=cancel'],
    ['POST', '/tallac/v1/grid'],
    ['POST', '/report_incident'],
  ];
  const foreign = [
    { origin: 'http://evil.example' },
    { origin: 'null' },
    { origin: 'http://localhost:81' },
    { origin: 'nonsense' },
    { 'sec-fetch-site': 'cross-site' },
    { 'sec-fetch-site': 'same-site' },
    { origin: 'http://localhost', 'sec-fetch-site': 'cross-site' },
  ];
  for (const [method, url] of writes) {
    for (const headers of foreign) {
      const reply = await app.inject({ method, url, headers: { host: 'localhost', ...headers }, payload: 'x' });
      t.match(reply, { statusCode: 403, body: /another site/ }, `${method} ${url} from ${JSON.stringify(headers)}`);
    }
  }
  t.match(JSON.parse((await app.inject(`${dir}?t=json`)).body), ['dirnode', { children: {} }]);
  for (const headers of [
    { origin: 'http://localhost' },
    { 'sec-fetch-site': 'same-origin' },
    { 'sec-fetch-site': 'none' },
    {},
  ]) {
    const reply = await app.inject({
      method: 'PUT',
      url: '/uri',
      headers: { host: 'localhost', ...headers },
      payload: 'x',
    });
    t.equal(reply.statusCode, 200, JSON.stringify(headers));
  }
  t.match(
    await app.inject({ url: '/', headers: { 'sec-fetch-site': 'cross-site' } }),
    { statusCode: 200 },
    'a link leads here',
  );
  await app.close();
});

t.test('a private gateway asks for its token', async (t) => {
  const app = appWith({ isPrivate: true });
  const basic = (password: string): string => `Basic ${Buffer.from(`anybody:${password}`).toString('base64')}`;
  for (const authorization of [
    undefined,
    'tahoe-lafs wrong',
    'Bearer test-token',
    basic('wrong'),
    'test-token',
    'tahoe-lafs',
  ]) {
    const reply = await app.inject({
      url: '/uri/URI:LIT:ge',
      headers: authorization === undefined ? {} : { authorization },
    });
    t.match(reply, { statusCode: 401, headers: { 'www-authenticate': /Basic .*tahoe-lafs/ } }, String(authorization));
    t.notMatch(reply.body, /test-token/);
  }
  for (const authorization of ['tahoe-lafs test-token', 'Tahoe-LAFS test-token', basic('test-token')]) {
    t.match(await app.inject({ url: '/uri/URI:LIT:ge', headers: { authorization } }), { statusCode: 200 });
  }
  t.match(await app.inject('/healthz'), { statusCode: 200 });
  t.equal(
    new Guard(crypto, { ...usual, isPrivate: true }).objection({ headers: { host: 'localhost' } })?.code,
    'ERR_TOKEN',
  );
  await app.close();
});

t.test('a read-only gateway', async (t) => {
  const app = appWith({ isReadOnly: true });
  t.match(await app.inject('/uri/URI:LIT:ge'), { statusCode: 200 });
  for (const [method, url] of [
    ['PUT', '/uri'],
    ['POST', '/uri?t=mkdir'],
    ['DELETE', '/uri/URI:LIT:ge/x'],
  ] as const) {
    t.match(await app.inject({ method, url }), { statusCode: 403, body: /only reads/ });
  }
  const guard = new Guard(crypto, { ...usual, isReadOnly: true });
  t.equal(guard.objection({ method: 'PUT', headers: { host: 'localhost' } })?.code, 'ERR_GATEWAY_READ_ONLY');
  t.equal(guard.objection({ method: 'GET', headers: { host: 'localhost' } }), undefined);
  const crossSite = { host: 'localhost', origin: 'http://evil.example' };
  t.equal(guard.objection({ method: 'PUT', headers: crossSite })?.code, 'ERR_CROSS_SITE');
  await app.close();
});

t.test('a read-only gateway lets through what only looks', async (t) => {
  const grid = new MemoryGrid(4, { needed: 2, happy: 2, total: 4 });
  const services = gatewayServices(grid);
  const writable = createGateway(services);
  const { body: cap } = await writable.inject({ method: 'POST', url: '/uri?t=mkdir' });
  await writable.close();
  const app = createGateway({ ...services, guard: { ...usual, isReadOnly: true } });
  const dir = `/uri/${encodeURIComponent(cap)}`;
  const headers = { 'content-type': 'application/x-www-form-urlencoded' };
  const post = async (url: string, payload = ''): Promise<number> =>
    (await app.inject({ method: 'POST', url, headers, payload })).statusCode;
  for (const looking of ['check', 'check&verify=true', 'stream-manifest', 'stream-deep-check&repair=false']) {
    t.equal(await post(`${dir}?t=${looking}`), 200, looking);
  }
  for (const walk of ['start-manifest', 'start-deep-size', 'start-deep-stats', 'start-deep-check']) {
    t.equal(await post(`${dir}?t=${walk}&ophandle=${walk}`), 302, walk);
    t.equal(await post(`/operations/${walk}?t=cancel`), 200);
  }
  t.equal(await post('/status?t=json', 'token=x'), 200);
  t.equal(await post('/statistics?t=json'), 200);
  const changing = [
    ['?t=check&repair=true'],
    ['?t=check&add-lease=on'],
    ['?t=check', 'repair=true'],
    ['?t=check', 'add-lease=1'],
    ['?t=stream-deep-check', 'repair=true'],
    ['?t=start-deep-check&ophandle=x', 'add-lease=true'],
    ['?t=check&t=mkdir&name=x', 'repair=t'],
    ['?t=mkdir&t=check&name=x'],
    ['?name=x', 't=mkdir'],
    ['', 't=check'],
    ['?t=unlink&name=x', 't=check'],
    ['?T=check&t=mkdir&name=x'],
    ['?t=upload&t=check'],
  ] as const;
  for (const [query, form] of changing) {
    t.equal(await post(`${dir}${query}`, form), 403, `${query} with ${String(form)}`);
  }
  for (const url of [
    '/report_incident?t=check',
    '/uri?t=check',
    '/uri/?t=check',
    '/uriX/y?t=check',
    '/private?t=check',
  ]) {
    t.equal(await post(url), 403, url);
  }
  for (const method of ['PUT', 'DELETE'] as const) {
    t.equal((await app.inject({ method, url: `${dir}/x?t=check` })).statusCode, 403, method);
  }
  t.match(JSON.parse((await app.inject(`${dir}?t=json`)).body), ['dirnode', { children: {} }]);
  const page = await app.inject({ url: `${dir}?t=info`, headers: { accept: 'text/html' } });
  const forms = [...page.body.matchAll(/<form action="([^"]*)"/g)].map(([, action = '']) =>
    action.replaceAll('&amp;', '&'),
  );
  t.ok(
    forms.filter((action) => action.includes('?t=')).length >= 5,
    'the forms of the page say in their address what they do',
  );
  await app.close();
});

t.test('what every answer carries, and no capability where it would stay', async (t) => {
  const lines: string[] = [];
  const app = appWith({}, lines);
  const { body: cap } = await app.inject({ method: 'POST', url: '/uri?t=mkdir' });
  const secret = cap.split(':')[2] ?? '';
  const dir = `/uri/${encodeURIComponent(cap)}`;
  await app.inject({ method: 'PUT', url: `${dir}/%3Cb%3E.html`, payload: '<script>alert(1)</script>' });
  for (const url of [
    dir,
    `${dir}?t=info`,
    `${dir}?t=json`,
    `${dir}?t=rename-form&name=%3Cb%3E`,
    `${dir}/%3Cb%3E.html`,
    '/',
    '/x',
    '/status',
  ]) {
    const { body, headers } = await app.inject({ url, headers: { accept: 'text/html' } });
    t.match(headers, {
      'x-content-type-options': 'nosniff',
      'referrer-policy':
        /^text\/html/.test(String(headers['content-type'])) && !url.endsWith('.html') ? 'same-origin' : 'no-referrer',
      'x-frame-options': 'DENY',
    });
    t.match(headers, { 'cache-control': 'no-store' }, url);
    t.notOk('access-control-allow-origin' in headers);
    if (url.endsWith('json')) continue;
    t.match(headers['content-security-policy'], url.endsWith('.html') ? /^sandbox$/ : /default-src 'none'/);
    if (url.endsWith('.html')) continue;
    t.notMatch(/<title>(.*)<\/title>/.exec(body)?.[1] ?? '', secret);
    t.notMatch(body, /<b\W|<script/, 'names are escaped');
  }
  for (const url of [
    `${dir}/absent`,
    `${dir}?t=nonsense`,
    `/uri/${cap}x`,
    `${dir}/%3Cb%3E.html/below`,
    `/file/${cap}/x`,
  ]) {
    const page = await app.inject({ url, headers: { accept: 'text/html,*/*' } });
    t.ok(page.statusCode >= 400);
    t.match(page.headers, { 'content-type': 'text/html;charset=utf-8' });
    t.notMatch(page.body, secret);
    t.match((await app.inject(url)).headers, { 'content-type': /^text\/plain/ });
  }
  t.notMatch(lines.join('\n'), secret);
  await app.close();
});

t.test('names of files that are saved', async (t) => {
  const app = appWith();
  for (const [name, disposition] of [
    ['a.txt', 'attachment; filename="a.txt"'],
    ['ä.txt', `attachment; filename="_.txt"; filename*=UTF-8''%C3%A4.txt`],
    [
      'x"y\r\nset-cookie: a',
      `attachment; filename="x_y__set-cookie: a"; filename*=UTF-8''x%22y%0D%0Aset-cookie%3A%20a`,
    ],
  ] as const) {
    const reply = await app.inject(`/uri/URI:LIT:ge?save=true&filename=${encodeURIComponent(name)}`);
    t.match(reply, { statusCode: 200, headers: { 'content-disposition': disposition } });
    t.notOk('set-cookie' in reply.headers);
  }
  t.match(await app.inject('/file/URI:LIT:ge/some/n%20ame.png'), { headers: { 'content-type': 'image/png' } });
  t.match(await app.inject({ method: 'PUT', url: '/named/URI:LIT:ge/x' }), { statusCode: 400 });
  t.match(await app.inject('/file'), { statusCode: 404 });
  await app.close();
});
