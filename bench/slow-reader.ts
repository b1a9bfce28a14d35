/**
 * How much memory does a gateway take while a large file streams to a reader that is slow?
 *
 *     node dist/bench/slow-reader.js [--size MIB] [--rate BYTES] [--seconds S]
 *
 * Ten storage nodes and a gateway, 3-of-10, over HTTPS on this machine. The file is stored first, and the gateway started
 * anew and left alone for some seconds; what it holds is sampled ten times a second. The reader takes `rate` bytes a second,
 * by leaving what comes in the socket until it is due; it compares what it got with what was stored, by a hash, as far as it
 * read. All of 1 GiB at 512 kB/s takes 35 minutes: --seconds ends it earlier, and 0 never. Prints one JSON line.
 */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { get } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { ProcessGrid } from '#test/fixtures/process-grid.js';
import type { Program } from '#test/fixtures/process-grid.js';
import { memoryOf } from './process-memory.js';
import { putRandomFile } from './random-file.js';
import { median, printResult } from './report.js';

const { values } = parseArgs({
  options: {
    size: { type: 'string', default: '1024' },
    rate: { type: 'string', default: '512000' },
    seconds: { type: 'string', default: '120' },
  },
});
const MEBIBYTE = 1_048_576;
const SAMPLE_INTERVAL_MS = 100;
/** Longer than it takes a gateway to give back what its start took. */
const QUIET_MS = 6_000;
const sizeBytes = Math.round(Number(values.size) * MEBIBYTE);
const rate = Number(values.rate);
const secondsMax = Number(values.seconds) > 0 ? Number(values.seconds) : Infinity;

/** Reads at the rate until it is over. @returns how many bytes came, and their hash. */
async function readSlowly(url: string): Promise<{ readonly bytes: number; readonly digest: string }> {
  const [reply] = (await once(get(url), 'response')) as [IncomingMessage];
  if (reply.statusCode !== 200) throw new Error(`GET gave ${String(reply.statusCode)}`);
  const hash = createHash('sha256');
  const beginMs = performance.now();
  let bytes = 0;
  for await (const piece of reply as AsyncIterable<Buffer>) {
    hash.update(piece);
    bytes += piece.length;
    const elapsedMs = performance.now() - beginMs;
    if (elapsedMs > 1000 * secondsMax) break;
    const dueMs = (1000 * bytes) / rate;
    if (dueMs > elapsedMs) await sleep(dueMs - elapsedMs);
  }
  return { bytes, digest: hash.digest('hex') };
}

const grid = await ProcessGrid.start({
  storage: Array<Program>(10).fill('ours'),
  gateways: ['ours'],
  encoding: { needed: 3, happy: 7, total: 10 },
});
try {
  const gateway = grid.gateway('ours');
  const stored = await putRandomFile(await gateway.url(), sizeBytes);
  await gateway.stop();
  await gateway.start();
  await grid.connected(gateway);
  const url = `${await gateway.url()}uri/${encodeURIComponent(stored.capability)}`;
  await sleep(QUIET_MS);
  const [idleMiB, startMiB] = [await memoryOf(gateway, 'VmRSS'), await memoryOf(gateway, 'VmHWM')];
  const samples: number[] = [];
  const timer = setInterval(() => {
    memoryOf(gateway, 'VmRSS')
      .then((sample) => samples.push(sample))
      .catch(() => undefined);
  }, SAMPLE_INTERVAL_MS);
  const beginMs = performance.now();
  const { bytes, digest } = await readSlowly(url).finally(() => {
    clearInterval(timer);
  });
  const seconds = (performance.now() - beginMs) / 1000;
  if (digest !== stored.digestOf(bytes)) throw new Error('other bytes came');
  const [sizeMiB, readMiB] = [sizeBytes / MEBIBYTE, bytes / MEBIBYTE];
  const memory = { startMiB, idleMiB, medianMiB: median(samples), mostMiB: Math.max(...samples) };
  printResult({ question: 'slow reader', sizeMiB, readMiB, seconds, rate, ...memory });
} finally {
  await grid.stop();
}
