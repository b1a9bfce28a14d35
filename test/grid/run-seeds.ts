/**
 * Runs seeds of the simulation in a process of their own, where it is faster than under the test runner. What fails is
 * told with the command that replays it.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Test } from 'tap';

const program = fileURLToPath(new URL('./simulate.js', import.meta.url));

/** The last line that the program prints. */
export interface SeedCounts {
  readonly violations: number;
  readonly outcomes: Readonly<Record<string, number>>;
}

/** @param seeds - as `A..B`. */
export async function runSeeds(t: Test, seeds: string): Promise<SeedCounts> {
  const env = { ...process.env, NODE_OPTIONS: '' };
  const child = spawn(process.execPath, [program, '--seeds', seeds], { env, stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.on('data', (piece: Buffer) => (output += piece.toString()));
  const [status] = (await once(child, 'close')) as [number | null];
  const lines = output.trim().split('\n');
  for (const line of lines) t.comment(line);
  t.equal(status, 0, lines.filter((line) => line.startsWith('replay: ')).join('; '));
  const counts = JSON.parse(lines.at(-1) ?? '{}') as SeedCounts;
  t.equal(counts.violations, 0, 'no violation');
  return counts;
}
