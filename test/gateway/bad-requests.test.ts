/**
 * Requests of every malformed kind: whatever is asked, a gateway makes no mistake of its own, answers with the common
 * headers, and gives no capability back in an error.
 */
import fc from 'fast-check';
import t from 'tap';
import { gatewayOf } from '../fixtures/gateway-app.js';
import { MemoryGrid } from '../fixtures/memory-grid.js';

const RUNS = 400;
const methods = ['GET', 'HEAD', 'PUT', 'POST', 'DELETE', 'OPTIONS', 'PATCH'] as const;
const operations = [
  ...['', 'json', 'uri', 'readonly-uri', 'info', 'rename-form', 'check', 'upload', 'mkdir', 'mkdir-with-children'],
  ...['mkdir-immutable', 'set_children', 'unlink', 'rename', 'relink', 'stream-manifest', 'stream-deep-check'],
  ...['start-manifest', 'start-deep-check', 'start-deep-size', 'cancel', 'openmetrics', 'nonsense', '__proto__'],
];
const words = ['true', 'perhaps', '-1', '1e9', '', '%00', '%FF', '%zz', '..', 'a%2Fb', '%F0%9F%98%80', 'x'.repeat(300)];
const names = [
  'name',
  'replace',
  'format',
  'mutable',
  'offset',
  'output',
  'verify',
  'repair',
  'ophandle',
  'retain-for',
];
const more = [
  'when_done',
  'from_name',
  'to_name',
  'to_dir',
  'save',
  'filename',
  'private-key',
  'release-after-complete',
];

t.test('no request makes the gateway fail', async (t) => {
  const lines: string[] = [];
  const app = gatewayOf(new MemoryGrid(4, { needed: 2, happy: 2, total: 4 }), lines);
  const { body: cap } = await app.inject({ method: 'POST', url: '/uri?t=mkdir' });
  const dir = encodeURIComponent(cap);
  await app.inject({ method: 'PUT', url: `/uri/${dir}/file`, payload: 'content' });
  const { body: sdmf } = await app.inject({ method: 'PUT', url: `/uri/${dir}/m?format=SDMF`, payload: 'content' });
  const roots = [dir, encodeURIComponent(sdmf), 'URI:LIT:ge', 'URI:DIR2-LIT:', 'URI:CHK:x', 'ro.URI:FUTURE:x', 'x', ''];
  const base = fc.constantFrom(
    'uri',
    'cap',
    'file',
    'named',
    'operations',
    'status',
    'private',
    'statistics',
    'storage',
    '',
  );
  const segment = fc.constantFrom('file', 'm', 'absent', ...words);
  const argument = fc.tuple(fc.constantFrom(...names, ...more, 'uri'), fc.constantFrom(...words, ...roots));
  const request = fc.record({
    method: fc.constantFrom(...methods),
    path: fc.tuple(base, fc.constantFrom(...roots), fc.array(segment, { maxLength: 2 })),
    operation: fc.constantFrom(...operations),
    args: fc.array(argument, { maxLength: 3 }),
    payload: fc.constantFrom(
      '',
      '{',
      '{}',
      '[1]',
      '{"a": ["f", {"ro_uri": "URI:LIT:ge"}]}',
      'URI:LIT:ge',
      '--x\r\n',
      '\u0000',
    ),
    type: fc.constantFrom(
      '',
      'multipart/form-data',
      'multipart/form-data; boundary=x',
      'application/x-www-form-urlencoded',
      'text/plain',
    ),
    range: fc.constantFrom('', 'bytes=0-', 'bytes=-', 'bytes=9-1', 'bytes=99999999999999999999-', 'bytes=0-0,5-9'),
  });
  let count = 0;
  await fc.assert(
    fc.asyncProperty(request, async ({ method, path: [first, root, rest], operation, args, payload, type, range }) => {
      const query = [['t', operation], ...args].map(([name = '', value = '']) => `${name}=${value}`).join('&');
      const url = `/${[first, root, ...rest].join('/')}?${query}`;
      const headers = { ...(type === '' ? {} : { 'content-type': type }), ...(range === '' ? {} : { range }) };
      const reply = await app.inject({
        method,
        url,
        headers,
        ...(method === 'GET' || method === 'HEAD' ? {} : { payload }),
      });
      const what = `${method} ${url} ${JSON.stringify(headers)} ${payload}`;
      if (reply.statusCode >= 500 && reply.statusCode !== 501)
        throw new Error(`${String(reply.statusCode)} ${what}: ${reply.body} ${lines.join()}`);
      if (reply.headers['x-content-type-options'] !== 'nosniff') throw new Error(`no common headers: ${what}`);
      if (reply.statusCode >= 400 && reply.body.includes(cap.split(':')[2] ?? '')) throw new Error(`a secret: ${what}`);
      count++;
    }),
    { numRuns: RUNS },
  );
  t.equal(count, RUNS);
  t.same(
    lines.filter((line) => line.startsWith('request failed')),
    [],
  );
  await app.close();
});

t.test('addresses that are not even looked up', async (t) => {
  const app = gatewayOf(new MemoryGrid(1));
  const secret = 'URI:DIR2:abcdefghijklmnopqrstuvwxyz:x';
  for (const [url, status, sentence] of [
    [`/uri/${secret}/%FF`, 400, /percent-encoded UTF-8/],
    [`/uri/${secret}%zz`, 400, /percent-encoded UTF-8/],
    [`/uri/${secret}${'x'.repeat(5000)}`, 414, /too long/],
    [`/status/${secret}-`, 404, /\[hidden\]/],
  ] as const) {
    const reply = await app.inject({ url, headers: { host: 'localhost' } });
    t.match(reply, { statusCode: status, body: sentence, headers: { 'x-frame-options': 'DENY' } }, url.slice(0, 80));
    t.notMatch(reply.body, /abcdefghij/);
  }
  await app.close();
});
