/** The web API over a grid in memory: what it answers, to the header, and what it must never say. */
import t from 'tap';
import { formatBase32 } from '#core/base32.js';
import { equalBytes } from '#core/bytes.js';
import { storageIndexOf } from '#core/capability/attenuate.js';
import { dangerouslyFormatCapability } from '#core/capability/format.js';
import { requireCapability } from '#core/capability/parse.js';
import { TahoeError } from '#core/errors.js';
import { crypto, seededBytes } from '../fixtures/crypto.js';
import { createGateway } from '#gateway/gateway.js';
import { gatewayOf, gatewayServices } from '../fixtures/gateway-app.js';
import { MemoryGrid } from '../fixtures/memory-grid.js';

const plaintext = seededBytes('gateway', 100_000);
const secretBody = 'aaaqeayeaudaocajbifqydiob4:mrswmz3infvgw3dnnzxxa4lson2hk5txpb4xu634pv7h7aebqkbq';

t.test('PUT stores, GET and HEAD read, under both names and percent-encoded', async (t) => {
  const app = gatewayOf(new MemoryGrid(10, { segmentSizeMax: 10_000 }));
  const put = await app.inject({ method: 'PUT', url: '/uri', payload: Buffer.from(plaintext) });
  t.match(
    { status: put.statusCode, type: put.headers['content-type'] },
    { status: 200, type: 'text/plain;charset=utf-8' },
  );
  const capability = put.body;
  t.match(capability, /^URI:CHK:[a-z2-7]{26}:[a-z2-7]{52}:3:10:100000$/, 'the capability and nothing else');
  for (const path of [`/uri/${capability}`, `/uri/${encodeURIComponent(capability)}`, `/cap/${capability}`]) {
    const get = await app.inject({ method: 'GET', url: path });
    t.equal(get.statusCode, 200);
    t.ok(equalBytes(get.rawPayload, plaintext));
    t.match(get.headers, {
      'content-type': 'text/plain',
      'content-length': '100000',
      'accept-ranges': 'bytes',
      'x-frame-options': 'DENY',
      'referrer-policy': 'no-referrer',
      'x-content-type-options': 'nosniff',
      'content-security-policy': 'sandbox',
    });
    const head = await app.inject({ method: 'HEAD', url: path });
    t.match(
      { status: head.statusCode, length: head.headers['content-length'], body: head.body },
      { status: 200, length: '100000', body: '' },
    );
  }
  await app.close();
});

t.test('an entity tag names the file for ever', async (t) => {
  const grid = new MemoryGrid(10);
  const app = gatewayOf(grid);
  const capability = await grid.uploadChk(plaintext);
  const url = `/uri/${dangerouslyFormatCapability(capability)}`;
  const { headers } = await app.inject({ method: 'GET', url });
  t.equal(headers.etag, `"${formatBase32(storageIndexOf(crypto, capability) ?? new Uint8Array(0))}-"`);
  const again = await app.inject({ method: 'GET', url, headers: { 'if-none-match': headers.etag } });
  t.match({ status: again.statusCode, body: again.body }, { status: 304, body: '' });
  const bare = String(headers.etag).replaceAll('"', '');
  for (const [value, status] of [
    ['*', 304],
    [`W/"${bare}"`, 304],
    [`"other", "${bare}"`, 304],
    [bare, 304],
    ['"other"', 200],
  ] as const) {
    t.equal((await app.inject({ method: 'GET', url, headers: { 'if-none-match': value } })).statusCode, status, value);
  }
  await app.close();
});

t.test('ranges, as the reference answers them', async (t) => {
  const grid = new MemoryGrid(10);
  const app = gatewayOf(grid);
  const chk = dangerouslyFormatCapability(await grid.uploadChk(plaintext));
  const cases: [string, number, string | undefined, [number, number]][] = [
    ['bytes=0-9', 206, 'bytes 0-9/100000', [0, 10]],
    ['bytes=-5', 206, 'bytes 99995-99999/100000', [99_995, 100_000]],
    ['bytes=99995-', 206, 'bytes 99995-99999/100000', [99_995, 100_000]],
    ['bytes=99990-200000', 206, 'bytes 99990-99999/100000', [99_990, 100_000]],
    ['bytes=0-1,3-4', 206, 'bytes 0-1/100000', [0, 2]],
    ['bytes=x', 200, undefined, [0, 100_000]],
    ['bytes=300000-200000', 200, undefined, [0, 100_000]],
    ['bytes=1 - 4', 206, 'bytes 1-4/100000', [1, 5]],
    ['bytes=9-3', 200, undefined, [0, 100_000]],
    ['furlongs=1-2', 200, undefined, [0, 100_000]],
    ['bytes=-200000', 206, 'bytes 0-99999/100000', [0, 100_000]],
  ];
  for (const [range, status, contentRange, [begin, end]] of cases) {
    const reply = await app.inject({ method: 'GET', url: `/uri/${chk}`, headers: { range } });
    t.equal(reply.statusCode, status, range);
    t.equal(reply.headers['content-range'], contentRange, range);
    t.ok(equalBytes(reply.rawPayload, plaintext.subarray(begin, end)), range);
  }
  for (const range of ['bytes=100000-', 'bytes=999999999999999-', 'bytes=-0']) {
    const reply = await app.inject({ method: 'GET', url: `/uri/${chk}`, headers: { range } });
    t.match(
      { status: reply.statusCode, range: reply.headers['content-range'] },
      { status: 416, range: 'bytes */100000' },
    );
  }
  const literal = await app.inject({ method: 'GET', url: '/uri/URI:LIT:krugkidfnzsa', headers: { range: 'bytes=4-' } });
  t.match({ status: literal.statusCode, body: literal.body }, { status: 206, body: 'end' });
  const empty = await app.inject({ method: 'GET', url: '/uri/URI:LIT:' });
  t.match(
    { status: empty.statusCode, body: empty.body, length: empty.headers['content-length'] },
    { status: 200, body: '', length: '0' },
  );
  await app.close();
});

t.test('bad input gets one sentence, the right status, and no secret back', async (t) => {
  const lines: string[] = [];
  const grid = new MemoryGrid(10);
  const app = gatewayOf(grid, lines);
  const cases: ['GET' | 'PUT' | 'DELETE' | 'POST', string, number, RegExp][] = [
    ['GET', `/uri/URI:CHK:${secretBody}`, 400, /capability is not valid/],
    ['GET', `/uri/URI:CHK:${secretBody}:3:10`, 400, /cut short/],
    ['GET', `/uri/URI:CHK-Verifier:${secretBody}:3:10:99`, 400, /only verifies/],
    ['GET', `/uri/URI:SSK:${secretBody}`, 410, /no share of/],
    ['GET', `/uri/URI:DIR2:${secretBody}`, 410, /no share of/],
    ['GET', `/uri/URI:SSK-Verifier:${secretBody}`, 400, /only verifies/],
    ['GET', `/uri/URI:DIR2-Verifier:${secretBody}`, 400, /only verifies/],
    ['GET', '/uri/URI:FUTURE:x', 400, /no known kind/],
    ['GET', '/uri/%E0%A4%A', 400, /./],
    ['GET', `/uri/URI:CHK:${secretBody}:3:10:99`, 410, /no share of [a-z2-7]{26} was found/],
    ['GET', `/uri/URI:LIT:krugkidfnzsa?t=nonsense`, 400, /bad t=nonsense/],
    ['PUT', '/uri?format=ZIP', 400, /Unknown format: ZIP/],
    ['PUT', '/uri?t=nonsense', 400, /accepts only/],
    ['GET', '/uri', 400, /requires uri=/],
    ['GET', '/nothing', 404, /No such resource/],
    ['DELETE', '/uri', 405, /not what this resource/],
    ['POST', '/uri', 400, /takes a form/],
  ];
  for (const [method, url, status, sentence] of cases) {
    const reply = await app.inject({ method, url, ...(method === 'PUT' ? { payload: 'text' } : {}) });
    t.equal(reply.statusCode, status, `${method} ${url}`);
    t.match(reply.body, sentence);
    t.notOk(reply.body.includes(secretBody.slice(0, 20)), 'no capability comes back');
  }
  t.notOk(lines.join('\n').includes(secretBody.slice(0, 20)), 'and none goes to the log');
  await app.close();
});

t.test('too few servers, a full spool, a fault of ours: statuses that tell them apart', async (t) => {
  const few = gatewayOf(new MemoryGrid(3, { happy: 7 }));
  const reply = await few.inject({ method: 'PUT', url: '/uri', payload: Buffer.from(plaintext) });
  t.match({ status: reply.statusCode, body: reply.body }, { status: 500, body: /the file was not stored/ });
  await few.close();

  const grid = new MemoryGrid(10);
  for (const [error, status, sentence] of [
    [new TahoeError('ERR_NO_SPACE', { where: 'uploads' }), 507, /no space is left/],
    [new TypeError('secret detail'), 500, /made a mistake/],
  ] as const) {
    Object.defineProperty(grid, 'context', {
      value: { ...grid.context, openSpool: () => Promise.reject(error) },
      configurable: true,
    });
    const app = gatewayOf(grid);
    const failed = await app.inject({ method: 'PUT', url: '/uri', payload: Buffer.alloc(2_000_000) });
    t.match({ status: failed.statusCode, body: failed.body }, { status, body: sentence });
    t.notMatch(failed.body, /secret detail/);
    await app.close();
  }
});

t.test('a file that breaks off in the middle is cut, never ended as if it were whole', async (t) => {
  // The first span has 64 segments.
  const grid = new MemoryGrid(3, { needed: 1, happy: 1, total: 1, segmentSizeMax: 1_000 });
  const capability = dangerouslyFormatCapability(await grid.uploadChk(plaintext));
  for (const server of grid.servers) {
    const read = server.read.bind(server);
    server.read = (index, share, range, options) =>
      range.begin > 60_000 && range.begin < 90_000
        ? Promise.reject(server.refusal('read'))
        : read(index, share, range, options);
  }
  const app = gatewayOf(grid);
  await app.listen({ port: 0, host: '127.0.0.1' });
  const { port } = app.server.address() as { port: number };
  const reply = await fetch(`http://127.0.0.1:${String(port)}/uri/${capability}`);
  t.equal(reply.status, 200);
  await t.rejects(reply.arrayBuffer(), 'the body is cut');
  await app.close();
});

t.test('a client that goes away stops its upload', async (t) => {
  const grid = new MemoryGrid(10);
  let aborted = false;
  const app = createGateway({
    ...gatewayServices(grid),
    upload: async (input, signal) => {
      signal.addEventListener('abort', () => (aborted = true));
      await input[Symbol.asyncIterator]().next();
      return new Promise<never>((_resolve, reject) =>
        signal.addEventListener('abort', () => reject(new Error('gone'))),
      );
    },
  });
  await app.listen({ port: 0, host: '127.0.0.1' });
  const { port } = app.server.address() as { port: number };
  const controller = new AbortController();
  const request = fetch(`http://127.0.0.1:${String(port)}/uri`, {
    method: 'PUT',
    body: Buffer.alloc(100_000),
    signal: controller.signal,
  });
  request.catch(() => undefined);
  while (app.server.listenerCount('request') === 0 || (await connections(app.server)) === 0)
    await new Promise(setImmediate);
  controller.abort();
  for (let i = 0; i < 10_000 && !aborted; i++) await new Promise(setImmediate);
  t.ok(aborted);
  await app.close();
});

function connections(server: {
  getConnections: (callback: (error: Error | null, count: number) => void) => unknown;
}): Promise<number> {
  return new Promise((resolve) => server.getConnections((_error, count) => resolve(count)));
}

t.test('the front page tells programs and people about the grid', async (t) => {
  const app = gatewayOf(new MemoryGrid(1));
  const json = await app.inject({ method: 'GET', url: '/?t=json' });
  t.equal(json.headers['content-type'], 'application/json; charset=utf-8');
  t.same(json.json(), {
    introducers: { statuses: [] },
    servers: [
      {
        nodeid: 'v0-a',
        connection_status: 'connected',
        available_space: 5,
        nickname: '<b>',
        version: 'x/1',
        last_received_data: 1.5,
      },
      {
        nodeid: 'v0-b',
        connection_status: 'refused',
        available_space: null,
        nickname: 'b',
        version: null,
        last_received_data: null,
      },
    ],
  });
  const page = await app.inject({ method: 'GET', url: '/' });
  t.match(page.headers['content-security-policy'], /default-src 'none'/);
  t.match(page.body, '1 of 2 storage servers are connected');
  t.match(page.body, '&lt;b&gt;', 'nicknames are other people’s text');
  t.notMatch(page.body, /<b>/);
  await app.close();
});

t.test('requireCapability is what the routes use', async (t) => {
  t.throws(() => requireCapability('x'), { code: 'ERR_CAPABILITY' });
});
