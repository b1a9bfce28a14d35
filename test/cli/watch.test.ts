/** `watch`: what it prints, how it goes on where it was, and when it gives up. */
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { ManualClock } from '#test/fixtures/clock.js';
import { reply, startGateway } from './fixtures/fake-gateway.js';
import { GatewayUser } from './fixtures/gateway-user.js';
import { Collector, runInPlace, startProgram, temporaryDirectory } from './fixtures/program.js';

const DIRECTORY = `URI:DIR2:${'a'.repeat(26)}:${'a'.repeat(52)}`;
const ROOT = 'b'.repeat(52);

function version(number: number): string {
  const data = JSON.stringify({ 'sequence-number': number, 'root-hash': ROOT });
  return `event: version\nid: ${String(number)}-${ROOT}\ndata: ${data}\n\n`;
}

function begin(response: ServerResponse, text: string): ServerResponse {
  response.writeHead(200, { 'content-type': 'text/event-stream' }).write(`: events follow\n\n${text}`);
  return response;
}

/** Each pause ends as soon as it begins, and is remembered. */
class HurriedClock extends ManualClock {
  readonly pauses: number[] = [];

  override schedule(delayMs: number, action: () => void): () => void {
    if (delayMs > 31_000) return () => undefined;
    this.pauses.push(delayMs);
    setImmediate(action);
    return () => undefined;
  }
}

t.test('a line a version; after a break the last one is named', async (t) => {
  const directory = await temporaryDirectory(t);
  const answers = [
    (response: ServerResponse) => begin(response, version(1) + version(2)).end(),
    (response: ServerResponse) => response.destroy(),
    (response: ServerResponse) => response.writeHead(503).end('too busy\n'),
    (response: ServerResponse) => begin(response, version(3)).end(),
    (response: ServerResponse) => begin(response, 'event: failed\ndata: {"reason": "gone for good"}\n\n').end(),
  ];
  const { address, seen } = await startGateway(t, (_request, response) => {
    answers.shift()?.(response);
  });
  const clock = new HurriedClock();
  const outcome = await runInPlace(['watch', '-u', address, DIRECTORY], directory, { clock });
  const when = new Date(clock.nowMs()).toISOString();
  t.strictSame(outcome.stdout.split('\n'), [1, 2, 3].map((n) => `${when} version ${String(n)} ${ROOT}`).concat(''));
  t.equal(outcome.status, 1);
  t.match(outcome.stderr, /the gateway has ended the stream; asking again in 0.5 s\n/);
  t.match(outcome.stderr, /asking again in 1 s\n.*answered 503: too busy; asking again in 2 s\n/s);
  t.match(outcome.stderr, /gone for good/);
  t.notMatch(outcome.stderr, /URI:DIR2:a/);
  t.strictSame(clock.pauses, [500, 1000, 2000, 500], 'pauses grow until something is told');
  t.strictSame(
    seen.map(({ headers }) => headers['last-event-id']),
    [undefined, `2-${ROOT}`, `2-${ROOT}`, `2-${ROOT}`, `3-${ROOT}`],
  );
  t.match(seen[0], { method: 'GET', url: `/uri/${encodeURIComponent(DIRECTORY)}?t=watch` });
});

t.test('what never was there is not waited for, nor what is refused', async (t) => {
  const directory = await temporaryDirectory(t);
  const refusing = await startGateway(t, reply(400, 't=watch is for what is mutable; this never changes\n'));
  t.match(await runInPlace(['watch', '-u', refusing.address, 'URI:LIT:ge'], directory), {
    status: 1,
    stdout: '',
    stderr: /never changes/,
  });
  const busy = await startGateway(t, reply(503, 'too busy\n'));
  t.match(await runInPlace(['watch', '-u', busy.address, DIRECTORY], directory), { status: 1, stderr: /too busy/ });
  t.equal(busy.seen.length, 1);
  const odd = await startGateway(t, (_request, response) =>
    begin(response, 'event: version\ndata: nonsense\n\n').end(),
  );
  t.match(await runInPlace(['watch', '-u', odd.address, DIRECTORY], directory), { status: 1, stderr: /not JSON/ });
});

t.test('--json', async (t) => {
  const directory = await temporaryDirectory(t);
  const { address } = await startGateway(t, (_request, response) => {
    begin(response, `${version(7)}event: other\ndata: {}\n\nevent: failed\ndata: {}\n\n`).end();
  });
  const { stdout } = await runInPlace(['watch', '--json', '-u', address, DIRECTORY], directory);
  t.match(JSON.parse(stdout), { time: /^20.*Z$/, 'sequence-number': 7, 'root-hash': ROOT });
});

t.test('our own gateway, until the program is interrupted', async (t) => {
  const user = await GatewayUser.make(t);
  const child = startProgram(['watch', 'A:'], { directory: user.directory });
  const printed = new Collector();
  child.stdout?.pipe(printed);
  await once(child.stdout ?? child, 'data');
  t.match(printed.text, /^20\S+Z version [0-9]+ [a-z2-7]{52}\n$/);
  child.kill('SIGINT');
  const [status] = (await once(child, 'exit')) as [number | null];
  t.equal(status, 130);
  // Whoever comes again with what it knows is told nothing of it.
  const [, number = '', hash = ''] = /version ([0-9]+) (\S+)/.exec(printed.text) ?? [];
  const address = (await user.read('home/.tahoe/node.url')).trim();
  const cap = (await user.read('home/.tahoe/private/aliases')).replace(/^A: /, '').trim();
  const stop = new AbortController();
  const reply = await fetch(`${address}uri/${encodeURIComponent(cap)}?t=watch`, {
    headers: { 'last-event-id': `${number}-${hash}` },
    signal: stop.signal,
  });
  const reader = (reply.body as ReadableStream<Uint8Array>).getReader();
  const { value = new Uint8Array() } = await reader.read();
  t.equal(Buffer.from(value).toString(), ': events follow\n\n');
  stop.abort();
});

t.test('a path, and a capability from a file', async (t) => {
  const directory = await temporaryDirectory(t);
  await mkdir(join(directory, 'x'));
  await writeFile(join(directory, 'x/cap'), `${DIRECTORY}\n`);
  const { address, seen } = await startGateway(t, reply(404, 'No such child\n'));
  for (const words of [[`${DIRECTORY}/sub`], ['--cap-file', 'x/cap']]) {
    t.match(await runInPlace(['watch', '-u', address, ...words], directory), { status: 1, stderr: /No such child/ });
  }
  t.strictSame(
    seen.map(({ url }) => url),
    ['/sub?t=watch', '?t=watch'].map((rest) => `/uri/${encodeURIComponent(DIRECTORY)}${rest}`),
  );
});
