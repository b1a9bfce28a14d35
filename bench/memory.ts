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
import { performance } from 'node:perf_hooks';
import { parseArgs } from 'node:util';
import { ProcessGrid } from '#test/fixtures/process-grid.js';
import type { GridNode, Program } from '#test/fixtures/process-grid.js';
import { memoryOf } from './process-memory.js';
import type { MemoryFigure } from './process-memory.js';
import { putRandomFile, readDigest } from './random-file.js';
import { printResult } from './report.js';

const SAMPLE_INTERVAL_MS = 100;
const MEBIBYTE = 1_048_576;

const { values } = parseArgs({ options: { size: { type: 'string', default: '2048' } } });
const sizeBytes = Math.round(Number(values.size) * MEBIBYTE);

async function largest(nodes: readonly GridNode[], figure: MemoryFigure): Promise<number> {
  return Math.max(...(await Promise.all(nodes.map((node) => memoryOf(node, figure)))));
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
  const { capability, digestOf } = await measure('put', grid, () => putRandomFile(url, sizeBytes));
  const returned = await measure('get', grid, () => readDigest(url, capability));
  if (returned !== digestOf(sizeBytes)) throw new Error('other bytes came back');
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
