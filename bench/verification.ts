/**
 * How long does a check of a file of 16 MiB take that verifies every byte of every share, beside the reference?
 *
 *     node dist/bench/verification.js [--size MIB] [--rounds N] [--only ours|reference]
 *
 * Two grids stand at once, one of each program: ten storage nodes and a gateway, 3-of-10, all as processes on this
 * machine, over HTTPS. Each has the same file; the programs take turns, and the first round is not counted. The answer must
 * say that ten good shares are on ten servers. Prints one JSON line a result: milliseconds (median, least, most) and
 * the ratio.
 */
import { randomBytes } from 'node:crypto';
import { parseArgs } from 'node:util';
import type { Program } from '#test/fixtures/process-grid.js';
import { ask, Figures, pathOf, programsOf, timed, withGrids } from './contest.js';

const { values } = parseArgs({
  options: {
    size: { type: 'string', default: '16' },
    rounds: { type: 'string', default: '7' },
    only: { type: 'string' },
  },
});
const SHARES = 10;
const figures = new Figures();

interface CheckAnswer {
  readonly results: { readonly healthy: boolean; readonly 'count-shares-good': number };
}

async function verify(path: string): Promise<void> {
  const answer = await ask('POST', `${path}?t=check&verify=true&output=JSON`);
  const { results } = JSON.parse(answer.toString()) as CheckAnswer;
  if (!results.healthy || results['count-shares-good'] !== SHARES) throw new Error(`not healthy: ${answer.toString()}`);
}

await withGrids(
  programsOf(values.only),
  SHARES,
  { encoding: { needed: 3, happy: 7, total: SHARES } },
  async (grids) => {
    const bytes = randomBytes(Number(values.size) << 20);
    const paths = new Map<Program, string>();
    for (const [program, grid] of grids) {
      const url = await grid.gateway(program).url();
      paths.set(program, pathOf(url, await ask('PUT', `${url}uri`, bytes)));
    }
    for (let i = 0; i <= Number(values.rounds); i++) {
      for (const [program, path] of paths) {
        const milliseconds = await timed(() => verify(path));
        if (i > 0) figures.add('check with verify', program, milliseconds);
      }
    }
  },
);
figures.print('milliseconds', { sizeMiB: Number(values.size) });
