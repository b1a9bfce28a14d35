/** Streams and operations over a grid in memory: what they tell, how long they are kept, and how they fail. */
import t from 'tap';
import type { FastifyInstance } from 'fastify';
import { isTahoeError, TahoeError } from '#core/errors.js';
import { silentLog } from '#core/environment.js';
import { createGateway } from '#gateway/gateway.js';
import { Operations, OPERATIONS_MAX } from '#gateway/operations.js';
import type { Work } from '#gateway/operations.js';
import type { GatewayServices } from '#gateway/services.js';
import { ManualClock, settle } from '../fixtures/clock.js';
import { seededBytes } from '../fixtures/crypto.js';
import { gatewayServices } from '../fixtures/gateway-app.js';
import { MemoryGrid } from '../fixtures/memory-grid.js';

interface Tree {
  readonly app: FastifyInstance;
  readonly url: string;
  readonly file: string;
}

async function plant(change: (services: GatewayServices) => Partial<GatewayServices> = () => ({})): Promise<Tree> {
  const grid = new MemoryGrid(4, { needed: 2, happy: 2, total: 4 });
  const services = gatewayServices(grid);
  const app = createGateway({ ...services, ...change(services) });
  const { body: file } = await app.inject({ method: 'PUT', url: '/uri', payload: Buffer.from(seededBytes('f', 3000)) });
  const { body: cap } = await app.inject({ method: 'POST', url: '/uri?t=mkdir' });
  const url = `/uri/${encodeURIComponent(cap)}`;
  const children = JSON.stringify({ ä: ['f', { ro_uri: file }], b: ['f', { ro_uri: 'URI:LIT:ge' }] });
  await app.inject({ method: 'POST', url: `${url}/sub?t=mkdir-with-children`, payload: children });
  return { app, url, file };
}

const linesOf = (body: string): unknown[] =>
  body
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown);

t.test('streams tell of every object, and the sums last', async (t) => {
  const { app, url, file } = await plant();
  const manifest = await app.inject({ method: 'POST', url: `${url}?t=stream-manifest` });
  t.equal(manifest.statusCode, 200);
  t.match(linesOf(manifest.body), [
    { path: [], type: 'directory' },
    { path: ['sub'], type: 'directory' },
    { path: ['sub', 'b'], cap: 'URI:LIT:ge', 'storage-index': '' },
    { path: ['sub', 'ä'], cap: file, type: 'file' },
    { type: 'stats', stats: { 'count-files': 2, 'count-directories': 2 } },
  ]);
  t.match(manifest.body, /"path": \["sub", "\\u00e4"\], "cap": "URI:CHK/, "with Python's spaces and escapes");
  const checked = linesOf((await app.inject({ method: 'POST', url: `${url}?t=stream-deep-check&repair=true` })).body);
  t.match(checked.at(-1), { type: 'stats' });
  t.equal(checked.length, 5);
  t.match(checked[0], { 'check-and-repair-results': { 'repair-attempted': false } });
  await app.close();
});

t.test('what cannot be read is told at the end, and the rest all the same', async (t) => {
  const { app, url } = await plant();
  const gone = `URI:DIR2-RO:${'a'.repeat(26)}:${'a'.repeat(52)}`;
  await app.inject({ method: 'POST', url: `${url}?t=uri&name=gone&uri=${gone}` });
  const { body } = await app.inject({ method: 'POST', url: `${url}?t=stream-manifest` });
  const lines = body.trim().split('\n');
  t.equal(lines.length, 7);
  t.match(lines[5], /^\{"type": "stats"/);
  t.match(lines[6], /^ERROR: UnrecoverableFileError\(/);
  await app.inject({ method: 'POST', url: `${url}?t=start-deep-size&ophandle=h` });
  await settle();
  t.equal((await app.inject('/operations/h')).statusCode, 410, 'a sum without it is none');
  await app.inject({ method: 'POST', url: `${url}?t=start-deep-check&ophandle=c` });
  await settle();
  const check = JSON.parse((await app.inject('/operations/c?output=JSON')).body) as object;
  t.match(check, { finished: true, 'count-objects-unhealthy': 1, 'list-failures': [[['gone'], /./]] });
  t.match(await app.inject('/operations/c'), { statusCode: 200, body: /Could not be looked at/ });
  await app.close();
});

t.test('operations under their handles', async (t) => {
  const { app, url } = await plant();
  const start = await app.inject({ method: 'POST', url: `${url}?t=start-manifest&ophandle=a%2Fb&output=JSON` });
  t.match(start, { statusCode: 302, headers: { location: '/operations/a%2Fb?output=JSON' } });
  await settle();
  const manifest = JSON.parse((await app.inject('/operations/a%2Fb?output=JSON')).body) as object;
  t.match(manifest, { finished: true, manifest: [[[], /URI:DIR2/]], verifycaps: [/./], 'storage-index': [/./] });
  t.match(await app.inject('/operations/a%2Fb?output=text'), { body: /^finished: yes\n URI:DIR2:.*\nsub URI:DIR2:/ });
  for (const [query, status] of [
    ['?output=nonsense', 400],
    ['?retain-for=x', 400],
    ['?release-after-complete=perhaps', 400],
    ['/aaaa', 404],
    ['?release-after-complete=true', 200],
    ['', 404],
  ] as const) {
    t.equal((await app.inject(`/operations/a%2Fb${query}`)).statusCode, status, query);
  }
  const events = await app.inject({ method: 'POST', url: `${url}?t=start-deep-stats&ophandle=e` }).then(async () => {
    await settle();
    return app.inject('/operations/e?t=events');
  });
  t.match(events.headers, { 'content-type': 'text/event-stream' });
  t.match(events.body, /event: progress\ndata: \{"objects":4\}\n\nevent: finished\n/);
  t.match(await app.inject({ method: 'POST', url: '/operations/e?t=cancel' }), { statusCode: 200 });
  t.match(await app.inject('/operations/e'), { statusCode: 404, body: "unknown/expired handle 'e'\n" });
  t.match(await app.inject({ method: 'POST', url: `${url}?t=start-manifest` }), { statusCode: 400, body: /ophandle=/ });
  await app.close();
});

class Waiting implements Work {
  stopped = false;
  finish: (error?: Error) => void = () => undefined;

  async run(signal: AbortSignal): Promise<void> {
    signal.addEventListener('abort', () => (this.stopped = true));
    await new Promise<void>((resolve, reject) => {
      this.finish = (error) => {
        if (error === undefined) resolve();
        else reject(error);
      };
    });
  }

  progress(): Record<string, number> {
    return {};
  }
}

t.test('how long an operation is kept', async (t) => {
  const clock = new ManualClock();
  const operations = new Operations<Waiting>(clock, silentLog);
  const [day, hour] = [86_400_000, 3_600_000];
  const works = new Map(['collected', 'uncollected', 'retained', 'running'].map((name) => [name, new Waiting()]));
  for (const [name, work] of works) operations.start(name, work, name === 'retained' ? hour : undefined);
  const isKept = (name: string): boolean => {
    try {
      operations.get(name);
      return true;
    } catch (error) {
      if (isTahoeError(error, 'ERR_NOT_FOUND')) return false;
      throw error;
    }
  };
  for (const [name, work] of works) if (name !== 'running') work.finish();
  await settle();
  operations.collected('collected');
  clock.advance(hour - 1);
  t.ok(isKept('retained'));
  clock.advance(1);
  t.notOk(isKept('retained'), 'for as long as was said');
  clock.advance(day - hour - 1);
  t.ok(isKept('collected'));
  clock.advance(1);
  t.notOk(isKept('collected'), 'a day after somebody has seen it');
  clock.advance(3 * day - 1);
  t.ok(isKept('uncollected'));
  clock.advance(1);
  t.notOk(isKept('uncollected'), 'four days for nobody');
  clock.advance(30 * day);
  t.ok(isKept('running'), 'and one that goes on stays');
  const again = new Waiting();
  operations.start('running', again);
  t.ok(works.get('running')?.stopped, 'another by its handle ends it');
  again.finish(new TahoeError('ERR_CANCELLED', { what: 'it' }));
  await settle();
  t.match(operations.get('running'), { finished: true, error: { code: 'ERR_CANCELLED' } });
  for (let i = 1; i < OPERATIONS_MAX; i++) operations.start(String(i), new Waiting());
  operations.start('one more', new Waiting());
  t.notOk(isKept('running'), 'what ended makes room');
  t.throws(() => operations.start('too many', new Waiting()), { code: 'ERR_TOO_MANY' });
  t.throws(() => operations.start('x'.repeat(501), new Waiting()), { code: 'ERR_USAGE' });
  operations.close();
  t.equal(clock.pending, 0);
});

t.test('a watch tells each version until nobody listens', async (t) => {
  const { app, url } = await plant(() => ({
    async *watch() {
      for (const sequenceNumber of [1, 2]) {
        yield {
          format: 'sdmf',
          sequenceNumber,
          rootHash: new Uint8Array(32),
          salt: undefined,
          needed: 1,
          total: 1,
          segmentSize: 0,
          dataSize: 0,
        } as const;
      }
      await Promise.resolve();
      throw new TahoeError('ERR_CANCELLED', { what: 'the watch' });
    },
  }));
  const { body, headers } = await app.inject(`${url}?t=watch`);
  t.match(headers, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
  t.match(
    body,
    /event: version\nid: 1-a+\ndata: \{"sequence-number":1,"root-hash":"a+"\}\n\nevent: version\nid: 2-a+\ndata: \{"sequence-number":2/,
  );
  t.match(body, /event: failed\n/);
  const known = await app.inject({ url: `${url}?t=watch`, headers: { 'last-event-id': `1-${'a'.repeat(52)}` } });
  t.match(known.body, /^: events follow\n\nevent: version\nid: 2-/, 'what is known already is not told again');
  t.match(await app.inject('/uri/URI:LIT:ge?t=watch'), { statusCode: 400, body: /never changes/ });
  await app.close();
});
