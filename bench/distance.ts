/**
 * How fast do files go up and down when servers are far away, beside the reference?
 *
 *     node dist/bench/distance.js [--size MIB] [--rounds N] [--only ours|reference]
 *
 * Two grids stand at once, one of each program: ten storage nodes and a gateway, 3-of-10, all as processes on this machine,
 * over HTTPS; between each gateway and its servers is a process that delays all that passes and costs no bandwidth
 * (delaying-proxy.ts). A way has a round trip of 0, 20, 100 or 300 ms, or of 100 ms with connections cut, with a chance of
 * 1 % for each MiB that they carry. Both programs meet 0 and 100 ms, and ours all. On each way connections begin anew, one
 * round is not counted, and every byte is compared. Included are the proxies, whose work is the limit at 0 ms. Prints
 * one JSON line a result: seconds (median, least, most), the throughput, what that is of the throughput at 0 ms, and ratios;
 * and for the lossy way how many of the transfers failed.
 */
import { randomBytes } from 'node:crypto';
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { Announcement } from '#test/fixtures/grid-node-directory.js';
import type { ProcessGrid, Program } from '#test/fixtures/process-grid.js';
import { Nurl } from '#wire/nurl.js';
import { ask, pathOf, programsOf, requireSame, timed, withGrids } from './contest.js';
import { median, printResult } from './report.js';

const { values } = parseArgs({
  options: {
    size: { type: 'string', default: '32' },
    rounds: { type: 'string', default: '2' },
    only: { type: 'string' },
  },
});
const sizeMiB = Number(values.size);
const programs = programsOf(values.only);

interface Way {
  readonly roundTripMs: number;
  readonly lossPercent: number;
  readonly programs: readonly Program[];
}

const both: readonly Program[] = ['ours', 'reference'];
const ways: readonly Way[] = [
  { roundTripMs: 0, lossPercent: 0, programs: both },
  { roundTripMs: 20, lossPercent: 0, programs: ['ours'] },
  { roundTripMs: 100, lossPercent: 0, programs: both },
  { roundTripMs: 300, lossPercent: 0, programs: ['ours'] },
  { roundTripMs: 100, lossPercent: 1, programs: ['ours'] },
];

/** The process between a gateway and its servers. */
class Distance {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  private constructor(child: ChildProcess, lines: AsyncIterator<string>) {
    this.#child = child;
    this.#lines = lines;
  }

  /** Starts it in front of these ports. @returns it and the ports that lead there. */
  static async start(ports: readonly number[]): Promise<{ distance: Distance; leading: readonly number[] }> {
    const program = fileURLToPath(new URL('delaying-proxy.js', import.meta.url));
    const child = spawn(process.execPath, [program, ...ports.map(String)], { stdio: ['pipe', 'pipe', 'inherit'] });
    const distance = new Distance(child, createInterface({ input: child.stdout })[Symbol.asyncIterator]());
    const { ports: leading } = (await distance.#answer()) as { ports: readonly number[] };
    return { distance, leading };
  }

  /** Makes the way such. @returns how many connections were cut before. */
  async become({ lossPercent, roundTripMs }: Way): Promise<number> {
    this.#child.stdin?.write(`${JSON.stringify({ lossPercent, roundTripMs })}\n`);
    return ((await this.#answer()) as { cut: number }).cut;
  }

  close(): void {
    this.#child.stdin?.end();
  }

  async #answer(): Promise<unknown> {
    const line = await this.#lines.next();
    if (line.done === true) throw new Error('the delaying proxy has ended');
    return JSON.parse(line.value) as unknown;
  }
}

/** The same server at another port of this machine. */
function movedTo(server: Announcement, port: number): Announcement {
  const nurls = server.nurls.map((nurl) => {
    const { spkiHash, host, tor } = nurl;
    return new Nurl({ tor, spkiHash, host, port, swissnum: nurl.dangerousSwissnum() });
  });
  return { ...server, furl: server.furl.replace(/:\d+\//, `:${String(port)}/`), nurls };
}

/** What was measured of one program on one way. */
interface Measured {
  readonly put: number[];
  readonly get: number[];
  failed: number;
  cut: number;
}

async function transfer(url: string, measured: Measured): Promise<void> {
  const bytes = randomBytes(sizeMiB << 20);
  let path = '';
  const put = await timed(async () => {
    path = pathOf(url, await ask('PUT', `${url}uri`, bytes));
  });
  measured.put.push(put / 1000);
  let returned: Buffer = Buffer.alloc(0);
  const get = await timed(async () => {
    returned = await ask('GET', path);
  });
  requireSame(returned, bytes);
  measured.get.push(get / 1000);
}

/** The rounds of one program on one way. */
async function travel(way: Way, grid: ProcessGrid, distance: Distance): Promise<Measured> {
  await distance.become(way);
  await grid.reconnected();
  const url = await grid.gateways[0]?.url();
  const measured: Measured = { put: [], get: [], failed: 0, cut: 0 };
  for (let i = 0; i <= Number(values.rounds); i++) {
    try {
      await transfer(url ?? '', i === 0 ? { put: [], get: [], failed: 0, cut: 0 } : measured);
    } catch (error) {
      // On a way that loses nothing nothing may fail.
      if (way.lossPercent === 0) throw error;
      measured.failed += 1;
    }
  }
  measured.cut = await distance.become(way);
  return measured;
}

const loopback = new Map<string, number>();

function report(way: Way, results: ReadonlyMap<Program, Measured>): void {
  const { lossPercent, roundTripMs } = way;
  for (const verb of ['put', 'get'] as const) {
    const facts = { question: `${verb} at a distance`, roundTripMs, lossPercent };
    for (const [program, { cut, failed, [verb]: seconds }] of results) {
      const mebibytesPerSecond = sizeMiB / median(seconds);
      const name = `${verb} ${program}`;
      if (roundTripMs === 0) loopback.set(name, mebibytesPerSecond);
      const percentOfLoopback = (100 * mebibytesPerSecond) / (loopback.get(name) ?? Number.NaN);
      const noise = { seconds: median(seconds), least: Math.min(...seconds), most: Math.max(...seconds) };
      const loss = lossPercent > 0 ? { failed, cut } : {};
      printResult({ ...facts, program, sizeMiB, ...noise, mebibytesPerSecond, percentOfLoopback, ...loss });
    }
    const [ours, reference] = both.map((program) => median(results.get(program)?.[verb] ?? []));
    const timesAsFast = (reference ?? Number.NaN) / (ours ?? Number.NaN);
    if (!Number.isNaN(timesAsFast)) printResult({ ...facts, timesAsFast });
  }
}

const distances: Distance[] = [];
const plan = {
  encoding: { needed: 3, happy: 7, total: 10 },
  announce: async (servers: readonly Announcement[]): Promise<readonly Announcement[]> => {
    const { distance, leading } = await Distance.start(servers.map(({ nurls }) => nurls[0]?.port ?? 0));
    distances.push(distance);
    return servers.map((server, i) => movedTo(server, leading[i] ?? 0));
  },
};
try {
  await withGrids(programs, 10, plan, async (grids) => {
    for (const way of ways) {
      const results = new Map<Program, Measured>();
      for (const [i, [program, grid]] of [...grids].entries()) {
        const distance = distances[i];
        if (distance === undefined || !way.programs.includes(program)) continue;
        results.set(program, await travel(way, grid, distance));
      }
      report(way, results);
    }
  });
} finally {
  for (const distance of distances) distance.close();
}
