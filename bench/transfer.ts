/**
 * How long does a file of 64 MiB take up and down, 3-of-10 on ten storage nodes, beside the reference?
 *
 *     node dist/bench/transfer.js [--size MIB] [--rounds N] [--encoding K-of-N] [--nodes N] [--only ours|reference]
 *
 * Two grids stand at once, one of each program, all nodes as processes on this machine, everything over HTTPS. The
 * programs take turns; each round uploads fresh random bytes by HTTP PUT to the gateway and reads them back by GET.
 * Before each round the disk is synced, so that nobody waits for what the other left unwritten, and as much memory as
 * a round fills is taken and given back: a virtual machine's host may hand memory out at a tenth of its speed the
 * first time, to whoever comes first. Included: hashing,
 * encryption, coding, TLS at both ends, writing to disk; in ours also syncing to disk. Every byte that comes back is
 * compared. Prints one JSON line a result: seconds (median, least, most, each in its order) and ratios.
 */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { performance } from 'node:perf_hooks';
import { parseArgs } from 'node:util';
import { request } from 'undici';
import { ProcessGrid } from '#test/fixtures/process-grid.js';
import type { Program } from '#test/fixtures/process-grid.js';
import { median, printResult } from './report.js';

const { values } = parseArgs({
  options: {
    size: { type: 'string', default: '64' },
    rounds: { type: 'string', default: '5' },
    encoding: { type: 'string', default: '3-of-10' },
    nodes: { type: 'string', default: '10' },
    only: { type: 'string' },
  },
});
const sizeBytes = Math.round(Number(values.size) * 1_048_576);
const [needed = 3, total = 10] = values.encoding.split('-of-').map(Number);
const nodeCount = Number(values.nodes);
const programs = (['ours', 'reference'] as const).filter(
  (program) => values.only === undefined || values.only === program,
);

interface Times {
  readonly put: number[];
  readonly get: number[];
}

async function put(url: string, bytes: Buffer): Promise<string> {
  const { statusCode, body } = await request(`${url}uri`, { method: 'PUT', body: bytes, headersTimeout: 600_000 });
  const text = await body.text();
  if (statusCode >= 300) throw new Error(`PUT gave ${String(statusCode)}: ${text.slice(0, 300)}`);
  return text;
}

async function get(url: string, capability: string): Promise<Buffer[]> {
  const { statusCode, body } = await request(`${url}uri/${encodeURIComponent(capability)}`);
  if (statusCode !== 200) throw new Error(`GET gave ${String(statusCode)}: ${(await body.text()).slice(0, 300)}`);
  const chunks: Buffer[] = [];
  for await (const chunk of body) chunks.push(chunk as Buffer);
  return chunks;
}

async function round(url: string, times: Times): Promise<void> {
  const bytes = randomBytes(sizeBytes);
  execFileSync('sync');
  execFileSync(process.execPath, ['-e', `Buffer.alloc(${String(10 * sizeBytes)}, 1)`]);
  const start = performance.now();
  const capability = await put(url, bytes);
  const stored = performance.now();
  const returned = await get(url, capability);
  const end = performance.now();
  if (!Buffer.concat(returned).equals(bytes)) throw new Error('other bytes came back');
  times.put.push((stored - start) / 1000);
  times.get.push((end - stored) / 1000);
}

async function peakMemory(pid: number): Promise<number> {
  const status = await readFile(`/proc/${String(pid)}/status`, 'utf8');
  return Math.round(Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024);
}

const grids = new Map<Program, ProcessGrid>();
const times = new Map<Program, Times>(programs.map((program) => [program, { put: [], get: [] }]));
try {
  for (const program of programs) {
    const plan = {
      storage: Array<Program>(nodeCount).fill(program),
      gateways: [program],
      encoding: { needed, happy: Math.min(7, nodeCount, total), total },
    };
    grids.set(program, await ProcessGrid.start(plan));
  }
  for (let i = 0; i <= Number(values.rounds); i++) {
    for (const [program, grid] of grids) {
      const url = await grid.gateways[0]?.url();
      const counted = times.get(program);
      // The first round warms caches and just-in-time compilers up; it is not counted.
      if (url !== undefined && counted !== undefined) await round(url, i === 0 ? { put: [], get: [] } : counted);
    }
  }
  for (const [program, grid] of grids) {
    const gatewayMiB = await peakMemory(grid.gateways[0]?.pid ?? 0);
    const storageMiB = Math.max(...(await Promise.all(grid.storage.map((node) => peakMemory(node.pid)))));
    printResult({ question: 'peak-memory', program, sizeMiB: Number(values.size), gatewayMiB, storageMiB });
  }
} finally {
  for (const grid of grids.values()) await grid.stop();
}
for (const verb of ['put', 'get'] as const) {
  const medians = programs.map((program) => {
    const seconds = times.get(program)?.[verb] ?? [];
    const mebibytesPerSecond = Number(values.size) / median(seconds);
    printResult({
      question: verb,
      program,
      encoding: values.encoding,
      sizeMiB: Number(values.size),
      seconds: median(seconds),
      least: Math.min(...seconds),
      most: Math.max(...seconds),
      each: seconds.map((time) => time.toFixed(2)).join(' '),
      mebibytesPerSecond,
    });
    return median(seconds);
  });
  const [ours, reference] = medians;
  if (ours !== undefined && reference !== undefined) printResult({ question: verb, timesAsFast: reference / ours });
}
