/** /healthz, /readyz and /metrics of a whole node, and what SIGTERM does to it under load. */
import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Agent, request as httpsRequest } from 'node:https';
import { setTimeout } from 'node:timers/promises';
import t from 'tap';
import type { Test } from 'tap';
import { allocatePort } from '#node/endpoint.js';
import { parseFurl } from '#node/furl.js';
import { dangerouslyFormatAuthorization, encodeAllocateRequest, storagePath } from '#wire/storage.js';
import { DiskLayout } from '#storage/disk-layout.js';
import { seededBytes } from '#test/fixtures/crypto.js';
import { writeNodeDirectory } from '#test/fixtures/grid-node-directory.js';
import { sendOverSocket } from '#test/fixtures/protocol-subjects.js';
import { GridNode } from '#test/fixtures/process-grid.js';
import { allocationSecrets, cborType, rightSecrets } from '#test/fixtures/storage-talk.js';
import type { Header, TalkReply } from '#test/fixtures/storage-talk.js';

const share = seededBytes('share', 20_000);
const CONTAINER_HEADER_SIZE = 12;

/** Returns after the next heartbeat of the store's owner. */
async function heartbeatOf(store: string): Promise<void> {
  const owner = join(store, 'tallac', 'owner');
  const beatMs = async (): Promise<number> => {
    const [name] = await readdir(owner);
    return (await stat(join(owner, name ?? ''))).mtimeMs;
  };
  const firstMs = await beatMs();
  while ((await beatMs()) === firstMs) await setTimeout(20);
}

/** A node that stores and has a web port. */
interface Subject {
  readonly node: GridNode;
  readonly swissnum: string;
  /** Asks the web port. */
  get(path: string, headers?: Record<string, string>): Promise<{ status: number; text: string; type: string }>;
  /** Speaks the storage protocol. */
  send(method: string, path: string, headers: readonly Header[], body?: Uint8Array): Promise<TalkReply>;
  allocate(storageIndex: Uint8Array): Promise<TalkReply>;
  patch(storageIndex: Uint8Array): Promise<TalkReply>;
}

async function start(t: Test): Promise<Subject> {
  const directory = await mkdtemp(join(tmpdir(), 'tallac-health-'));
  const ports = { tub: await allocatePort(), web: await allocatePort() };
  const node = new GridNode('ours', 'node', join(directory, 'node'), ports);
  const agent = new Agent({ keepAlive: true, maxSockets: 16, rejectUnauthorized: false });
  t.teardown(async () => {
    agent.destroy();
    await node.stop('SIGKILL');
    await rm(directory, { recursive: true, force: true });
  });
  await writeNodeDirectory(node, { needed: 1, happy: 1, total: 1 });
  await node.start();
  const swissnum = parseFurl((await node.read('private/storage.furl')).trim())?.swissnum ?? '';
  const authorization: Header = ['Authorization', dangerouslyFormatAuthorization(swissnum)];
  const send: Subject['send'] = (method, path, headers, body) =>
    sendOverSocket(agent, ports.tub, { method, path, headers: [authorization, ...headers], body }, httpsRequest);
  return {
    node,
    swissnum,
    async get(path, headers = {}) {
      const reply = await fetch(`http://127.0.0.1:${String(ports.web)}${path}`, { headers });
      return { status: reply.status, text: await reply.text(), type: reply.headers.get('content-type') ?? '' };
    },
    send,
    allocate(storageIndex) {
      const body = encodeAllocateRequest({ shareNumbers: new Set([0]), allocatedSize: share.length });
      return send('POST', storagePath.allocate(storageIndex), [...rightSecrets(allocationSecrets), cborType], body);
    },
    patch(storageIndex) {
      const range: Header = ['Content-Range', `bytes 0-${String(share.length - 1)}/*`];
      return send('PATCH', storagePath.share(storageIndex, 0), [...rightSecrets(['upload-secret']), range], share);
    },
  };
}

const indexOf = (i: number): Uint8Array =>
  createHash('md5')
    .update(`index ${String(i)}`)
    .digest();

t.test('a node tells how it is, and nothing of what it holds', { timeout: 60_000 }, async (t) => {
  const { allocate, get, node, patch, send, swissnum } = await start(t);
  for (const path of ['/healthz', '/readyz']) t.strictSame((await get(path)).text, 'ok\n', path);
  const storageIndex = indexOf(0);
  t.equal((await allocate(storageIndex)).status, 200);
  t.match((await get('/metrics')).text, /^tallac_uploads 1$/m);
  t.equal((await patch(storageIndex)).status, 201);
  t.equal((await send('GET', '/nothing', [])).status, 404);
  t.equal((await get('/uri/URI:LIT:nbswy3dp')).text, 'hello');

  const plain = await get('/metrics');
  t.match(plain.type, /^text\/plain; version=0\.0\.4/);
  const value = (line: string): number =>
    Number(new RegExp(`^${line.replace(/[{}*]/g, '\\$&')} (\\S+)$`, 'm').exec(plain.text)?.[1]);
  const requests = (endpoint: string, status: number, service = 'storage'): number =>
    value(`tallac_requests_total{service="${service}",endpoint="${endpoint}",status="${String(status)}"}`);
  t.equal(requests('POST /storage/v1/immutable/:storageIndex', 200), 1);
  t.equal(requests('PATCH /storage/v1/immutable/:storageIndex/:shareNumber', 201), 1);
  t.equal(requests('other', 404), 1);
  t.equal(requests('GET /healthz', 200, 'gateway'), 1);
  t.ok(value('tallac_received_bytes_total{service="storage"}') >= share.length);
  t.ok(value('tallac_available_space_bytes') > 0);
  t.equal(value('tallac_uploads'), 0);
  t.ok(value('tallac_connections') >= 1);
  t.equal(value('tallac_connections_strangers'), 0);
  t.ok(value('process_resident_memory_bytes') > 10_000_000);
  t.ok(value('tallac_event_loop_delay_seconds') >= 0);

  const open = await get('/metrics', { accept: 'application/openmetrics-text; version=1.0.0' });
  t.match(open.type, /^application\/openmetrics-text; version=1\.0\.0/);
  t.match(open.text, /\n# EOF\n$/);
  t.match(open.text, /^# TYPE tallac_requests counter$/m, 'a counter is called by its name without its ending');
  t.notMatch(open.text, /^[a-z_]*-/m);
  const index = storagePath.shares(storageIndex).split('/')[4] ?? 'no index';
  for (const { text } of [plain, open]) {
    for (const secret of [swissnum, index, '127.0.0.1']) t.notOk(text.includes(secret), 'no secret, index or address');
  }

  // The disk goes away, and comes back, both between two heartbeats: a node that finds its store gone gives it up.
  const directory = join(node.directory, 'storage');
  await heartbeatOf(directory);
  await rename(directory, `${directory}.away`);
  for (const path of ['/healthz', '/readyz'])
    t.match(await get(path), { status: 503, text: /^the share store's disk: / });
  await rename(`${directory}.away`, directory);
  t.equal((await get('/readyz')).status, 200);
});

t.test('SIGTERM under load: it ends in time, and what it acknowledged is there', { timeout: 60_000 }, async (t) => {
  const { allocate, node, patch } = await start(t);
  const layout = new DiskLayout(join(node.directory, 'storage'));
  const acknowledged: number[] = [];
  let next = 0;
  let failed = 0;
  const work = async (): Promise<void> => {
    while (failed < 100) {
      const i = next++;
      try {
        if ((await allocate(indexOf(i))).status === 200 && (await patch(indexOf(i))).status === 201)
          acknowledged.push(i);
        else failed += 1;
      } catch {
        failed += 1;
      }
    }
  };
  const working = Promise.all(Array.from({ length: 8 }, work));
  while (acknowledged.length < 50) await new Promise((resolve) => setImmediate(resolve));
  const pid = node.pid;
  // It is killed if it takes longer than ten seconds.
  await node.stop('SIGTERM');
  t.equal(node.exitCode, 0, `process ${String(pid)} ended in good order`);
  await working;
  t.ok(acknowledged.length >= 50);
  for (const i of acknowledged) {
    const file = await readFile(layout.share(indexOf(i), 0));
    const data = file.subarray(CONTAINER_HEADER_SIZE, CONTAINER_HEADER_SIZE + share.length);
    if (Buffer.compare(data, share) !== 0) t.fail(`share ${String(i)} is not what was acknowledged`);
  }
  t.comment(`${String(acknowledged.length)} shares were acknowledged`);
});
