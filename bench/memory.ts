/**
 * How much memory do a gateway and ten storage nodes take while 2 GiB go up and come down, 3-of-10?
 *
 *     node dist/bench/memory.js [--size MIB]
 *
 * All nodes are processes on this machine; what they hold is sampled ten times a second, and the kernel's own record
 * of each process's peak is read at the end. The bytes are random, made as they are sent, never in one piece, and what
 * comes back is compared by its hash. Needs 4.4 times the size as room in the temporary directory. Prints one JSON
 * line for each way and one for the peaks: the most that the gateway and that any one storage node held.
 */
import { createCipheriv, createHash, randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { performance } from 'node:perf_hooks';
import { Readable } from 'node:stream';
import { parseArgs } from 'node:util';
import { request } from 'undici';
import { ProcessGrid } from '#test/fixtures/process-grid.js';
import type { GridNode, Program } from '#test/fixtures/process-grid.js';
import { printResult } from './report.js';

const PIECE_SIZE = 256 * 1024;
const SAMPLE_INTERVAL_MS = 100;
const TRANSFER_TIMEOUT_MS = 20 * 60_000;
const MEBIBYTE = 1_048_576;

const { values } = parseArgs({ options: { size: { type: 'string', default: '2048' } } });
const sizeBytes = Math.round(Number(values.size) * MEBIBYTE);

/** `sizeBytes` random bytes in pieces; each is hashed as it is taken. */
function* randomPieces(hash: ReturnType<typeof createHash>): Generator<Buffer> {
  const stream = createCipheriv('aes-128-ctr', randomBytes(16), randomBytes(16));
  for (let left = sizeBytes; left > 0; left -= PIECE_SIZE) {
    const piece = stream.update(Buffer.alloc(Math.min(left, PIECE_SIZE)));
    hash.update(piece);
    yield piece;
  }
}

async function put(url: string): Promise<{ capability: string; digest: string }> {
  const hash = createHash('sha256');
  const { body, statusCode } = await request(`${url}uri`, {
    method: 'PUT',
    body: Readable.from(randomPieces(hash), { objectMode: false }),
    headers: { 'content-length': String(sizeBytes) },
    headersTimeout: TRANSFER_TIMEOUT_MS,
    bodyTimeout: TRANSFER_TIMEOUT_MS,
    signal: AbortSignal.timeout(TRANSFER_TIMEOUT_MS),
  });
  const text = await body.text();
  if (statusCode >= 300) throw new Error(`PUT gave ${String(statusCode)}: ${text.slice(0, 300)}`);
  return { capability: text.trim(), digest: hash.digest('hex') };
}

async function get(url: string, capability: string): Promise<string> {
  const signal = AbortSignal.timeout(TRANSFER_TIMEOUT_MS);
  const { body, statusCode } = await request(`${url}uri/${encodeURIComponent(capability)}`, { signal });
  if (statusCode !== 200) throw new Error(`GET gave ${String(statusCode)}: ${(await body.text()).slice(0, 300)}`);
  const hash = createHash('sha256');
  for await (const piece of body) hash.update(piece as Buffer);
  return hash.digest('hex');
}

/** A figure of /proc in MiB: VmRSS is what a process holds now, VmHWM the most that it ever held. */
async function memory(node: GridNode, figure: 'VmRSS' | 'VmHWM'): Promise<number> {
  const status = await readFile(`/proc/${String(node.pid)}/status`, 'utf8');
  return Number(new RegExp(`${figure}:\\s+(\\d+)`).exec(status)?.[1] ?? 0) / 1024;
}

async function largest(nodes: readonly GridNode[], figure: 'VmRSS' | 'VmHWM'): Promise<number> {
  return Math.max(...(await Promise.all(nodes.map((node) => memory(node, figure)))));
}

/** Does `work` while sampling, and prints the most that was held and the time it took. */
async function measure<Result>(way: string, grid: ProcessGrid, work: () => Promise<Result>): Promise<Result> {
  let [gatewayMiB, storageMiB] = [0, 0];
  let sampling = Promise.resolve();
  const sample = async (): Promise<void> => {
    gatewayMiB = Math.max(gatewayMiB, await largest(grid.gateways, 'VmRSS'));
    storageMiB = Math.max(storageMiB, await largest(grid.storage, 'VmRSS'));
  };
  const timer = setInterval(() => {
    sampling = sampling.then(sample).catch(() => undefined);
  }, SAMPLE_INTERVAL_MS);
  const start = performance.now();
  try {
    const result = await work();
    const seconds = (performance.now() - start) / 1000;
    clearInterval(timer);
    await sampling;
    const mebibytesPerSecond = sizeBytes / MEBIBYTE / seconds;
    printResult({
      question: 'memory',
      way,
      sizeGiB: sizeBytes / 2 ** 30,
      gatewayMiB,
      storageMiB,
      seconds,
      mebibytesPerSecond,
    });
    return result;
  } finally {
    clearInterval(timer);
  }
}

const grid = await ProcessGrid.start({
  storage: Array<Program>(10).fill('ours'),
  gateways: ['ours'],
  encoding: { needed: 3, happy: 7, total: 10 },
});
try {
  const url = await grid.gateway('ours').url();
  printResult({
    question: 'memory',
    way: 'idle',
    gatewayMiB: await largest(grid.gateways, 'VmRSS'),
    storageMiB: await largest(grid.storage, 'VmRSS'),
  });
  const { capability, digest } = await measure('put', grid, () => put(url));
  const returned = await measure('get', grid, () => get(url, capability));
  if (returned !== digest) throw new Error('other bytes came back');
  printResult({
    question: 'memory',
    way: 'peak',
    sizeGiB: sizeBytes / 2 ** 30,
    gatewayMiB: await largest(grid.gateways, 'VmHWM'),
    storageMiB: await largest(grid.storage, 'VmHWM'),
  });
} finally {
  await grid.stop();
}
