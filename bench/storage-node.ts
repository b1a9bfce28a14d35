/**
 * What one storage node does in a second, beside the reference's in one run, and beside what the machine could do.
 *
 *     node dist/bench/storage-node.js [--rounds N] [--scale FACTOR] [--only ours|reference] [--work WORDS]
 *
 * Both nodes run as processes on this machine; the requests are the protocol's, over HTTPS with kept-alive connections,
 * sent by a client that does as little as it can. The programs take turns, each round does the same number of requests
 * of every kind, the first is not counted, and the disk is synced before each. Ours has every upload synced to the disk
 * before it answers; the reference syncs nothing. The limit of reads and lists is a bare Node server that reads the same
 * amounts of a file and checks nothing (bare-server.ts), that of writes the disk's own rate of synced files of that size
 * (synced-files.ts); both take their turns too. Prints one JSON line a result: requests or MB a second, and the
 * processor time that the node took for each request, which other programs on the machine disturb less; ratios, and
 * ours in percent of the limit, by time and by processor time.
 */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { readAnnouncement } from '#test/fixtures/grid-node-directory.js';
import { ProcessGrid } from '#test/fixtures/process-grid.js';
import { programsOf } from './contest.js';
import type { RawConnection } from './raw-connection.js';
import { median, printResult } from './report.js';
import { MEBIBYTE, READ_SHARE_SIZE, SLOT_SIZE, StorageTarget, UPLOAD_SIZE } from './storage-target.js';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    scale: { type: 'string', default: '1' },
    only: { type: 'string' },
    work: { type: 'string', default: '' },
  },
});
const scale = Number(values.scale);
/** What Linux counts processor time in. */
const MS_PER_TICK = 10;

/** Who does it: a program, or what sets its limit. */
type Contender = 'ours' | 'reference' | 'bare server' | 'disk';

interface Work {
  readonly question: string;
  readonly connectionCount: number;
  readonly count: number;
  /** How many of `unit` one action is. */
  readonly amount: number;
  readonly unit: string;
  readonly action: (target: StorageTarget, connection: RawConnection) => Promise<void>;
  /** The size of the files that the disk is given as the limit; without it the limit is the bare server. */
  readonly fileSize?: number;
}

type EachWork = Omit<Work, 'connectionCount' | 'count' | 'amount' | 'unit'>;

/** The work for so many clients. @param counts - actions of a round, by clients. */
function eachSecond(work: EachWork, counts: Readonly<Record<number, number>>): Work[] {
  return Object.entries(counts).map(([connections, count]) => {
    return { ...work, connectionCount: Number(connections), count, amount: 1, unit: 'a second' };
  });
}

const allWorks: readonly Work[] = [
  ...eachSecond(
    { question: '4 KiB reads', action: (target, connection) => target.readSmall(connection) },
    { 1: 4000, 16: 4000 },
  ),
  {
    question: '1 MiB reads',
    connectionCount: 4,
    count: 400,
    amount: MEBIBYTE / 1e6,
    unit: 'MB a second',
    action: (target, connection) => target.readLarge(connection),
  },
  ...eachSecond(
    { question: 'share lists', action: (target, connection) => target.listShares(connection) },
    { 16: 4000 },
  ),
  ...eachSecond(
    {
      question: 'uploads of 100 kB',
      action: (target, connection) => target.uploadSmall(connection),
      fileSize: UPLOAD_SIZE,
    },
    { 1: 300, 16: 800 },
  ),
  ...eachSecond(
    {
      question: 'read-test-writes of 2 kB',
      action: (target, connection) => target.readTestWrite(connection),
      fileSize: SLOT_SIZE,
    },
    { 1: 400, 16: 800 },
  ),
];
const works = allWorks.filter(({ question }) => question.includes(values.work));

/** A server under load. */
interface Opponent {
  readonly target: StorageTarget;
  readonly pid: number;
  readonly stop: () => Promise<void>;
}

async function startNode(program: 'ours' | 'reference'): Promise<Opponent> {
  const encoding = { needed: 1, happy: 1, total: 1 };
  const grid = await ProcessGrid.start({ storage: [program], gateways: [], encoding });
  const [node] = grid.storage;
  if (node === undefined) throw new Error('the grid has no storage node');
  const nurl = (await readAnnouncement(node)).nurls[0];
  if (nurl === undefined) throw new Error('the storage node has no NURL');
  const target = await StorageTarget.prepare(nurl.port, nurl.dangerousSwissnum());
  return { target, pid: node.pid, stop: () => grid.stop() };
}

function programOf(name: string): string {
  return fileURLToPath(new URL(`${name}.js`, import.meta.url));
}

async function startBareServer(): Promise<Opponent> {
  const child = spawn(process.execPath, [programOf('bare-server'), String(READ_SHARE_SIZE)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const [said] = (await once(child.stdout, 'data')) as [Buffer];
  const stop = async (): Promise<void> => {
    const ended = once(child, 'exit');
    child.stdin.end();
    await ended;
  };
  return { target: new StorageTarget(Number(said.toString()), 'none'), pid: child.pid ?? 0, stop };
}

/** Files a second. */
function diskRate(fileSize: number, count: number, atOnce: number): number {
  const words = [programOf('synced-files'), String(fileSize), String(count), String(atOnce)];
  const env = { ...process.env, UV_THREADPOOL_SIZE: String(atOnce) };
  return Number(execFileSync(process.execPath, words, { env, encoding: 'utf8' }));
}

/** The processor time that a process has taken, in its own name and in the system's, in ms. */
function processorMsOf(pid: number): number {
  const text = readFileSync(`/proc/${String(pid)}/stat`, 'utf8');
  // The name in parentheses may hold anything; user and system time are the 14th and 15th field.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * MS_PER_TICK;
}

/** What was measured of one kind of work, round by round. */
interface Measured {
  readonly rates: number[];
  /** Of the server's process, for each action; none of the disk. */
  readonly processorMs: number[];
}

/** Does one round of `work`. */
async function measure(work: Work, opponent: Opponent | undefined, into: Measured): Promise<void> {
  execFileSync('sync');
  const count = Math.max(work.connectionCount, Math.round(work.count * scale));
  if (opponent === undefined) {
    into.rates.push(diskRate(work.fileSize ?? 0, count, work.connectionCount) * work.amount);
    return;
  }
  const { pid, target } = opponent;
  const before = processorMsOf(pid);
  const seconds = await target.withConnections(work.connectionCount, count, (connection) =>
    work.action(target, connection),
  );
  into.rates.push((count * work.amount) / seconds);
  into.processorMs.push((processorMsOf(pid) - before) / count);
}

function report({ connectionCount, question, unit }: Work, ofWork: ReadonlyMap<Contender, Measured>): void {
  const facts = { question, connections: connectionCount };
  for (const [program, { processorMs, rates }] of ofWork) {
    const noise = { least: Math.min(...rates), most: Math.max(...rates) };
    const processor = processorMs.length > 0 ? { processorMs: median(processorMs) } : {};
    printResult({ ...facts, program, unit, rate: median(rates), ...noise, ...processor });
  }
  const [ours, reference, bare, disk] = (['ours', 'reference', 'bare server', 'disk'] as const).map((name) =>
    ofWork.get(name),
  );
  if (ours === undefined) return;
  const rate = median(ours.rates);
  if (reference !== undefined) {
    const timesAsFast = rate / median(reference.rates);
    printResult({ ...facts, timesAsFast, timesAsCheap: median(reference.processorMs) / median(ours.processorMs) });
  }
  const limit = median((bare ?? disk)?.rates ?? []);
  if (Number.isNaN(limit)) return;
  const processor = bare && { percentOfItsProcessor: (100 * median(bare.processorMs)) / median(ours.processorMs) };
  printResult({ ...facts, percentOfLimit: (100 * rate) / limit, ...processor });
}

const opponents = new Map<Contender, Opponent>();
const results = new Map<Work, Map<Contender, Measured>>();
try {
  for (const program of programsOf(values.only)) opponents.set(program, await startNode(program));
  opponents.set('bare server', await startBareServer());
  for (let round = 0; round <= Number(values.rounds); round++) {
    for (const work of works) {
      const limit = work.fileSize === undefined ? 'bare server' : 'disk';
      for (const contender of [...programsOf(values.only), limit] as const) {
        const ofWork = results.get(work) ?? new Map<Contender, Measured>();
        const measured = ofWork.get(contender) ?? { rates: [], processorMs: [] };
        if (round > 0) results.set(work, ofWork.set(contender, measured));
        await measure(work, opponents.get(contender), round > 0 ? measured : { rates: [], processorMs: [] });
      }
    }
  }
} finally {
  for (const opponent of opponents.values()) await opponent.stop();
}
for (const [work, ofWork] of results) report(work, ofWork);
