/** What benchmarks of both programs share: a grid of each, work in turns, and how it is told. */
import { execFileSync } from 'node:child_process';
import { performance } from 'node:perf_hooks';
import { request } from 'undici';
import { ProcessGrid } from '#test/fixtures/process-grid.js';
import type { GridPlan, Program } from '#test/fixtures/process-grid.js';
import { median, printResult } from './report.js';

const REQUEST_TIMEOUT_MS = 20 * 60_000;

/** The programs that take part: both, or the one named. */
export function programsOf(only: string | undefined): readonly Program[] {
  return (['ours', 'reference'] as const).filter((program) => only === undefined || only === program);
}

/** Starts a grid of storage nodes and one gateway for each program, does `work`, and stops them all. */
export async function withGrids(
  programs: readonly Program[],
  nodeCount: number,
  plan: Omit<GridPlan, 'storage' | 'gateways'>,
  work: (grids: ReadonlyMap<Program, ProcessGrid>) => Promise<void>,
): Promise<void> {
  const grids = new Map<Program, ProcessGrid>();
  try {
    for (const program of programs) {
      const storage = Array<Program>(nodeCount).fill(program);
      grids.set(program, await ProcessGrid.start({ ...plan, storage, gateways: [program] }));
    }
    await work(grids);
  } finally {
    for (const grid of grids.values()) await grid.stop();
  }
}

/** Asks a gateway. @throws when it refuses. */
export async function ask(
  method: 'GET' | 'PUT' | 'POST',
  url: string,
  body?: Uint8Array | AsyncIterable<Uint8Array>,
): Promise<Buffer> {
  const { body: reply, statusCode } = await request(url, {
    method,
    body: (body ?? null) as Buffer | null,
    headersTimeout: REQUEST_TIMEOUT_MS,
    bodyTimeout: REQUEST_TIMEOUT_MS,
  });
  const bytes = Buffer.from(await reply.arrayBuffer());
  if (statusCode < 300) return bytes;
  throw new Error(`${method} gave ${String(statusCode)}: ${bytes.toString().slice(0, 300)}`);
}

/** Where a gateway has what it calls by that capability. */
export function pathOf(gatewayUrl: string, capability: Uint8Array): string {
  return `${gatewayUrl}uri/${encodeURIComponent(Buffer.from(capability).toString().trim())}`;
}

/** @throws when the bytes are not those that were stored. */
export function requireSame(returned: Uint8Array, expected: Uint8Array): void {
  if (!Buffer.from(returned.buffer, returned.byteOffset, returned.length).equals(expected))
    throw new Error('other bytes came back');
}

/** How long something takes, in milliseconds; the disk is synced before, so that nobody waits for another's writes. */
export async function timed(action: () => Promise<unknown>): Promise<number> {
  execFileSync('sync');
  const start = performance.now();
  await action();
  return performance.now() - start;
}

/** Figures of both programs by question, smaller ones better. */
export class Figures {
  readonly #values = new Map<string, Map<Program, number[]>>();

  add(question: string, program: Program, value: number): void {
    const ofQuestion = this.#values.get(question) ?? new Map<Program, number[]>();
    ofQuestion.set(program, [...(ofQuestion.get(program) ?? []), value]);
    this.#values.set(question, ofQuestion);
  }

  /** The middle one. NaN of none. */
  median(question: string, program: Program): number {
    return median(this.#values.get(question)?.get(program) ?? []);
  }

  /**
   * Prints each question's median with the least, the most and the number of rounds, and the ratio of the programs.
   * @param unit - what the figures are called, such as `milliseconds`. @param more - what else the lines say.
   */
  print(unit: string, more: Readonly<Record<string, string | number>> = {}): void {
    for (const [question, ofQuestion] of this.#values) {
      for (const [program, values] of ofQuestion) {
        const noise = { least: Math.min(...values), most: Math.max(...values), rounds: values.length };
        printResult({ question, program, ...more, [unit]: median(values), ...noise });
      }
      const ratio = this.median(question, 'reference') / this.median(question, 'ours');
      if (!Number.isNaN(ratio)) printResult({ question, timesAsFast: ratio });
    }
  }
}
