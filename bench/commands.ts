/**
 * How long do commands take as whole processes, beside the reference's?
 *
 *     node dist/bench/commands.js [--rounds N] [--files N]
 *
 * Two grids stand at once, one of each program: one storage node and one gateway, 3-of-10, everything over HTTPS on this
 * machine; each command talks to the gateway of its own program. They take turns. Each round has new files of 2 kB:
 * `cp -r` of all, `backup` of all, the same backup again, `ls`, `--version`. Ours has every share synced to the disk.
 * Prints one JSON line a result: seconds (median, least, most) and ratios.
 */
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { parseArgs } from 'node:util';
import { commandOf, ProcessGrid } from '#test/fixtures/process-grid.js';
import type { Program } from '#test/fixtures/process-grid.js';
import { median, printResult } from './report.js';

const { values } = parseArgs({
  options: { rounds: { type: 'string', default: '5' }, files: { type: 'string', default: '50' } },
});
const FILE_SIZE = 2000;
const programs = ['ours', 'reference'] as const;

/** Runs a command to its end. @returns the seconds it took. */
function time(program: Program, nodeDirectory: string, words: readonly string[]): number {
  const [file, args] = commandOf(program, ['-d', nodeDirectory, ...words]);
  const start = performance.now();
  const { status, stderr } = spawnSync(file, args, { env: { ...process.env, NODE_OPTIONS: '' }, encoding: 'utf8' });
  if (status !== 0) throw new Error(`${program} ${words.join(' ')} ended with ${String(status)}: ${stderr}`);
  return (performance.now() - start) / 1000;
}

async function makeTree(path: string): Promise<void> {
  await mkdir(path, { recursive: true });
  for (let i = 0; i < Number(values.files); i++)
    await writeFile(join(path, `file${String(i)}`), randomBytes(FILE_SIZE));
}

const grids = new Map<Program, ProcessGrid>();
const seconds = new Map<string, Map<Program, number[]>>();
try {
  for (const program of programs) {
    const encoding = { needed: 3, happy: 1, total: 10 };
    const grid = await ProcessGrid.start({ storage: [program], gateways: [program], encoding });
    grids.set(program, grid);
    time(program, grid.gateway(program).directory, ['create-alias', 'bench']);
  }
  for (let round = 0; round <= Number(values.rounds); round++) {
    for (const [program, grid] of grids) {
      const { directory } = grid.gateway(program);
      const tree = join(grid.directory, `tree${String(round)}`);
      await makeTree(tree);
      const commands: Record<string, readonly string[]> = {
        'cp -r': ['cp', '-r', tree, 'bench:'],
        ls: ['ls', `bench:tree${String(round)}`],
        backup: ['backup', `${tree}-backup`, `bench:backup${String(round)}`],
        'backup again': ['backup', `${tree}-backup`, `bench:backup${String(round)}`],
        '--version': ['--version'],
      };
      await makeTree(`${tree}-backup`);
      for (const [name, words] of Object.entries(commands)) {
        const taken = time(program, directory, words);
        const times = seconds.get(name) ?? new Map<Program, number[]>();
        seconds.set(name, times);
        // The first round fills caches; it is not counted.
        if (round > 0) times.set(program, [...(times.get(program) ?? []), taken]);
      }
      for (const path of [tree, `${tree}-backup`]) await rm(path, { recursive: true });
    }
  }
} finally {
  await Promise.all([...grids.values()].map((grid) => grid.stop()));
}
for (const [command, times] of seconds) {
  for (const [program, taken] of times) {
    const figures = { seconds: median(taken), least: Math.min(...taken), most: Math.max(...taken) };
    printResult({ question: 'commands', command, program, ...figures });
  }
  const [ours = Number.NaN, reference = Number.NaN] = programs.map((program) => median(times.get(program) ?? []));
  printResult({ question: 'commands', command, timesAsFast: reference / ours });
}
