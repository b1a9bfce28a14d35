/** Fetching lists from web servers that are well, slow, endless, elsewhere, or gone. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { RequestListener } from 'node:http';
import t from 'tap';
import type { Test } from 'tap';
import { HttpListFetcher } from '#client/list-fetching.js';
import { systemClock } from '#node/clock.js';
import { directDialler } from '#node/network/direct-dialler.js';
import { ManualClock, settle } from '#test/fixtures/clock.js';

async function startServer(t: Test, listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${String((server.address() as AddressInfo).port)}/dir/servers.json?key=secret`;
}

function fetcherOf(t: Test, clock = systemClock): HttpListFetcher {
  const fetcher = new HttpListFetcher(clock, directDialler);
  t.teardown(() => fetcher.close());
  return fetcher;
}

const { signal } = new AbortController();

t.test('a list with its ETag and the place of its events', async (t) => {
  const seen: (string | undefined)[] = [];
  const url = await startServer(t, (request, response) => {
    seen.push(`${request.url ?? ''} ${request.headers['if-none-match'] ?? ''}`);
    if (request.headers['if-none-match'] === '"1"') response.writeHead(304).end();
    else response.writeHead(200, { etag: '"1"', link: '<events>; rel="monitor"; type="text/event-stream"' }).end('{}');
  });
  const fetcher = fetcherOf(t);
  const first = await fetcher.fetch(url, undefined, signal);
  t.same(Buffer.from(first.document ?? []).toString(), '{}');
  t.same([first.etag, first.eventsUrl], ['"1"', new URL('events', url).href]);
  t.match(await fetcher.fetch(url, '"1"', signal), { document: undefined, etag: '"1"' });
  t.same(seen, ['/dir/servers.json?key=secret ', '/dir/servers.json?key=secret "1"']);
});

t.test('events are heard until the stream ends', async (t) => {
  const url = await startServer(t, (_request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' }).write(': \n\nevent: changed\nda');
    response.end('ta: x\n\nevent: changed\ndata:\n\n');
  });
  let count = 0;
  await fetcherOf(t).follow(url, () => count++, signal);
  t.ok(count >= 1);
});

t.test('what is no list is refused, and the address not repeated', async (t) => {
  const cases: [string, RequestListener, RegExp][] = [
    [
      'elsewhere',
      (_q, s) => s.writeHead(302, { location: 'http://127.0.0.1:1/' }).end(),
      /points elsewhere, which is not followed/,
    ],
    ['absent', (_q, s) => s.writeHead(404).end(), /its status is 404/],
    ['a 304 that was not asked for', (_q, s) => s.writeHead(304).end(), /points elsewhere|status is 304/],
    [
      'endless',
      (_q, s) => {
        s.writeHead(200);
        for (let i = 0; i < 70; i++) s.write(Buffer.alloc(1 << 16));
        s.end();
      },
      /larger than the limit of 4194304/,
    ],
    [
      'cut',
      (q, s) => {
        s.writeHead(200, { 'content-length': '100' }).write('{');
        setImmediate(() => q.socket.destroy());
      },
      /cannot reach server 127\.0\.0\.1/,
    ],
  ];
  for (const [what, listener, message] of cases) {
    const url = await startServer(t, listener);
    await t.rejects(fetcherOf(t).fetch(url, undefined, signal), { message }, what);
    await fetcherOf(t)
      .fetch(url, undefined, signal)
      .catch((error: unknown) => t.notMatch(String(error), /secret/));
  }
  const page = await startServer(t, (_q, s) => s.writeHead(200, { 'content-type': 'text/html' }).end('x'));
  await t.rejects(
    fetcherOf(t).follow(page, () => undefined, signal),
    { code: 'ERR_SERVER_REPLY' },
  );
  await t.rejects(fetcherOf(t).fetch('http://127.0.0.1:1/', undefined, signal), { code: 'ERR_CONNECT' });
});

t.test('silence ends it, and so does its caller', async (t) => {
  let asked = 0;
  const url = await startServer(t, (_request, response) => {
    asked += 1;
    response.writeHead(200).write('{');
  });
  const clock = new ManualClock();
  const silent = fetcherOf(t, clock).fetch(url, undefined, signal);
  while (asked < 1) await settle(1);
  clock.advance(20_000);
  await t.rejects(silent, { code: 'ERR_TIMEOUT' });
  const stopped = new AbortController();
  const cancelled = fetcherOf(t).fetch(url, undefined, stopped.signal);
  while (asked < 2) await settle(1);
  stopped.abort();
  await t.rejects(cancelled, { code: 'ERR_CANCELLED' });
});
