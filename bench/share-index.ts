/**
 * How fast is the index of the shares made anew, compared at a start, and read?
 *
 *     node dist/bench/share-index.js [--shares N]
 *
 * Makes a storage directory of N small shares (100,000), of both kinds, two to a storage index, in the temporary
 * directory. Prints one JSON line a question: shares a second while the index is made from nothing, with the
 * longest time for which another timer had to wait meanwhile, and how long a read of a share took; shares a second
 * of a start that finds nothing changed; of reading all records; how near its sums are to `du`; and how long a node on
 * that directory takes after `kill -9` until it serves, with its index and without it.
 */
import { execFileSync } from 'node:child_process';
import { appendFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { monitorEventLoopDelay, performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { silentLog } from '#core/environment.js';
import { systemClock } from '#node/clock.js';
import { DiskLayout } from '#storage/disk-layout.js';
import { attachIndex } from '#storage/index/attach-index.js';
import type { AttachedIndex } from '#storage/index/attach-index.js';
import { totalDiskBytes } from '#storage/index/usage.js';
import { StoreEvents } from '#storage/store-events.js';
import { crypto, seededBytes } from '#test/fixtures/crypto.js';
import { allocatePorts, writeNodeDirectory } from '#test/fixtures/grid-node-directory.js';
import { indexedShares } from '#test/fixtures/index-subject.js';
import { GridNode } from '#test/fixtures/process-grid.js';
import { immutableFile, mutableFile } from '#test/fixtures/share-files.js';
import { median, printResult } from './report.js';

const MAKER_COUNT = 16;
const POLL_MS = 10;
const SHARES_PER_INDEX = 2;

const { values } = parseArgs({ options: { shares: { type: 'string', default: '100000' } } });
const shareCount = Number(values.shares);
const directory = await mkdtemp(join(tmpdir(), 'tallac-bench-'));
const layout = new DiskLayout(directory);
const data = seededBytes('share', 1000);
const files = [immutableFile(data, [2_000_000_000]), mutableFile(data, [2_000_000_000])];

function pathOf(number: number): string {
  const storageIndex = seededBytes(`index ${String(Math.floor(number / SHARES_PER_INDEX))}`, 16);
  return layout.share(storageIndex, number % SHARES_PER_INDEX);
}

async function makeShares(): Promise<void> {
  let next = 0;
  const make = async (): Promise<void> => {
    for (let number = next++; number < shareCount; number = next++) {
      const path = pathOf(number);
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, files[number % files.length] ?? '');
    }
  };
  await Promise.all(Array.from({ length: MAKER_COUNT }, make));
}

interface Opening {
  readonly attached: AttachedIndex;
  readonly sharesPerSecond: number;
  /** Of all threads: what counts where other programs run. */
  readonly processorSeconds: number;
}

/** Opens the index and waits until it is complete. */
async function timeOpening(): Promise<Opening> {
  const start = performance.now();
  const before = process.cpuUsage();
  const events = new StoreEvents();
  const attached = await attachIndex({ directory, events, crypto, clock: systemClock, log: silentLog });
  if (!(await attached.index.compared())) throw new Error('the index is not complete');
  const { user, system } = process.cpuUsage(before);
  return {
    attached,
    sharesPerSecond: (1000 * shareCount) / (performance.now() - start),
    processorSeconds: (user + system) / 1e6,
  };
}

function printOpening(question: string, { sharesPerSecond, processorSeconds }: Opening): void {
  printResult({ question, shares: shareCount, sharesPerSecond, processorSeconds });
}

/** Reads shares one after the other until told to stop. @returns how long each took, in ms. */
function readShares(): { stop(): Promise<number[]> } {
  const times: number[] = [];
  let isStopped = false;
  const read = async (): Promise<void> => {
    for (let number = 0; !isStopped; number = (number + 7919) % shareCount) {
      const start = performance.now();
      await readFile(pathOf(number));
      times.push(performance.now() - start);
    }
  };
  const reading = read();
  return {
    stop: async () => {
      isStopped = true;
      await reading;
      return times;
    },
  };
}

/** A node on the directory is killed and started, at first with its index and then without it. */
async function timeRestarts(): Promise<void> {
  const path = await mkdtemp(join(tmpdir(), 'tallac-bench-node-'));
  const node = new GridNode('ours', 'node', join(path, 'node'), await allocatePorts('storage'));
  try {
    await writeNodeDirectory(node, { needed: 1, happy: 1, total: 1 });
    await appendFile(join(node.directory, 'tahoe.cfg'), `storage_dir = ${directory}\n`);
    await node.start();
    for (const index of ['kept', 'lost']) {
      await node.stop('SIGKILL');
      if (index === 'lost') await rm(join(directory, 'tallac/index'), { recursive: true });
      const start = performance.now();
      await node.start();
      const servesSeconds = (performance.now() - start) / 1000;
      while (!node.output.includes('storage.index-complete')) await sleep(POLL_MS);
      const indexedSeconds = (performance.now() - start) / 1000;
      printResult({ question: `after kill -9, index ${index}`, shares: shareCount, servesSeconds, indexedSeconds });
    }
  } finally {
    await node.stop('SIGKILL');
    await rm(path, { recursive: true, force: true });
  }
}

try {
  await makeShares();
  const delay = monitorEventLoopDelay({ resolution: 1 });
  const reader = readShares();
  delay.enable();
  const anew = await timeOpening();
  delay.disable();
  const readTimes = await reader.stop();
  printResult({
    question: 'index made anew, reads meanwhile',
    shares: shareCount,
    sharesPerSecond: anew.sharesPerSecond,
    reads: readTimes.length,
    readMs: median(readTimes),
    longestStallMs: delay.max / 1e6,
  });
  await anew.attached.close();
  await rm(join(directory, 'tallac'), { recursive: true });
  const alone = await timeOpening();
  printOpening('index made anew', alone);
  await alone.attached.close();
  const again = await timeOpening();
  printOpening('index compared at a start', again);
  const { index } = again.attached;
  const start = performance.now();
  const found = (await indexedShares(index)).length;
  printResult({
    question: 'all records read',
    shares: found,
    sharesPerSecond: (1000 * found) / (performance.now() - start),
  });
  const du = Number.parseInt(
    execFileSync('du', ['-s', '--block-size=1', layout.shares], { encoding: 'utf8', maxBuffer: 1e6 }),
    10,
  );
  const ours = totalDiskBytes(await index.usage());
  printResult({ question: 'sums beside du', ours, du, percentOff: (100 * Math.abs(ours - du)) / du });
  await again.attached.close();
  await timeRestarts();
} finally {
  await rm(directory, { recursive: true, force: true });
}
