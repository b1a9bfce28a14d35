/**
 * How long does one request keep a storage server from everything else, at worst?
 *
 *     node dist/bench/bad-input.js
 *
 * Requests that are made to cost much, one after another, to a server in this process, in memory, without a socket:
 * what is measured is ours. For each kind, of a hundred requests, the most processor time that one took and the longest
 * turn of the event loop, in milliseconds, and what memory has grown by. On a busy machine the loop also waits for
 * others. Goal: 50 ms and 64 MiB.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { silentLog } from '#core/environment.js';
import { createNativeCrypto } from '#core/native-crypto.js';
import { systemClock } from '#node/clock.js';
import { createStorageApp } from '#storage/app.js';
import { ChangeFeed } from '#storage/feed/change-feed.js';
import { createMemoryStore } from '#storage/memory-store.js';
import { StoreEvents } from '#storage/store-events.js';
import { dangerouslyFormatAuthorization, storagePath } from '#wire/storage.js';
import { storageIndex, store1 } from '#test/fixtures/share-store.js';
import { rightSecrets } from '#test/fixtures/storage-talk.js';
import { printResult } from './report.js';

const ROUNDS = 100;
const MEBIBYTE = 1_048_576;
const swissnum = 'swissnum-of-the-benchmark';

interface BadRequest {
  readonly method: 'GET' | 'POST' | 'PATCH';
  readonly path: string;
  readonly headers?: Readonly<Record<string, string | string[]>>;
  readonly body?: Buffer;
}

const share = storagePath.share(storageIndex, 0);
const allocation = storagePath.allocate(storageIndex);
const secrets = (kinds: Parameters<typeof rightSecrets>[0]): string[] => rightSecrets(kinds).map(([, value]) => value);
const allocating = {
  'x-tahoe-authorization': secrets(['lease-renew-secret', 'lease-cancel-secret', 'upload-secret']),
  'content-type': 'application/cbor',
};
const cbor = (body: Buffer): BadRequest => ({ method: 'POST', path: allocation, headers: allocating, body });

const requests: Readonly<Record<string, BadRequest>> = {
  'ten thousand ranges': { method: 'GET', path: share, headers: { range: `bytes=${'0-0,'.repeat(10_000)}` } },
  'a range of digits': { method: 'GET', path: share, headers: { range: `bytes=${'9'.repeat(15_000)}-` } },
  'a content-range of blanks': {
    method: 'PATCH',
    path: share,
    headers: { 'x-tahoe-authorization': secrets(['upload-secret']), 'content-range': `bytes ${' '.repeat(15_000)}x` },
  },
  'a path of slashes': { method: 'GET', path: `/storage/v1/${'/'.repeat(15_000)}` },
  'a path of percent signs': { method: 'GET', path: `/storage/v1/immutable/${'%2e'.repeat(5_000)}/0` },
  'a number of digits': { method: 'GET', path: `${allocation}/${'1'.repeat(15_000)}` },
  'a secret of blanks': { method: 'GET', path: share, headers: { 'x-tahoe-authorization': `a${' '.repeat(15_000)}b` } },
  'a secret of letters': {
    method: 'GET',
    path: share,
    headers: { 'x-tahoe-authorization': `upload-secret ${'A'.repeat(15_000)}` },
  },
  'a thousand secrets': {
    method: 'GET',
    path: share,
    headers: { 'x-tahoe-authorization': Array<string>(1000).fill('upload-secret AAAA') },
  },
  'an Accept of commas': { method: 'GET', path: storagePath.version, headers: { accept: ','.repeat(15_000) } },
  'lists in lists': cbor(Buffer.alloc(8192, 0x81)),
  'tags on tags': cbor(Buffer.alloc(8192, 0xc1)),
  'a text of 2^64 bytes': cbor(Buffer.concat([Buffer.of(0x7b), Buffer.alloc(8, 0xff)])),
  'a list of 2^64 members': cbor(Buffer.concat([Buffer.of(0x9b), Buffer.alloc(8, 0xff)])),
  'a set of small numbers': cbor(Buffer.concat([Buffer.of(0xd9, 0x01, 0x02, 0x99, 0x1f, 0x00), Buffer.alloc(7936, 1)])),
  'a body beyond its limit': cbor(Buffer.alloc(64 * MEBIBYTE)),
  'many feeds in one query': { method: 'GET', path: `/tallac/v1/events?${'storage-index=&'.repeat(1000)}` },
};

const crypto = await createNativeCrypto();
const options = { crypto, clock: systemClock, log: silentLog };
const store = createMemoryStore({ ...options, reservedSpace: 0, readonly: false });
const feed = new ChangeFeed({ events: new StoreEvents(), clock: systemClock });
const app = await createStorageApp({ store, ...options, swissnum, applicationVersion: 'tallac/bench', feed });
await store1(store, 0, new Uint8Array(1000));
const authorization = dangerouslyFormatAuthorization(swissnum);

for (const [kind, { body, headers, method, path }] of Object.entries(requests)) {
  const request = {
    method,
    url: path,
    headers: { authorization, ...headers },
    ...(body === undefined ? {} : { payload: body }),
  };
  const { statusCode } = await app.inject(request);
  const before = process.memoryUsage.rss();
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  let processorMs = 0;
  for (let i = 0; i < ROUNDS; i++) {
    const started = process.cpuUsage();
    await app.inject(request);
    const { system, user } = process.cpuUsage(started);
    processorMs = Math.max(processorMs, (system + user) / 1000);
    await new Promise((resolve) => setImmediate(resolve));
  }
  delay.disable();
  const grownMiB = (process.memoryUsage.rss() - before) / MEBIBYTE;
  printResult({
    question: 'bad input',
    kind,
    status: statusCode,
    loopMs: delay.max / 1e6,
    processorMs,
    grownMiB,
  });
}
await app.close();
await store.close();
