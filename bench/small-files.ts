/**
 * How long does a file of 2 kB take up and down, one after another and 8 at a time, beside the reference?
 *
 *     node dist/bench/small-files.js [--rounds N] [--files N] [--only ours|reference]
 *
 * Two grids stand at once, one of each program: ten storage nodes and a gateway, 3-of-10, all as processes on this
 * machine, over HTTPS. The programs take turns, step by step; each round stores as many new files of random bytes one by one,
 * reads them, and does the same 8 at a time; every file is compared. The first round is not counted. Included: everything from
 * the gateway's HTTP to the disks; ours has each share synced before it answers, the reference syncs nothing. Prints
 * one JSON line a result: milliseconds a file (median of the rounds, least, most) and ratios. What ours asks of its
 * servers and its disks for each file is counted by test/system/counts.test.ts.
 */
import { randomBytes } from 'node:crypto';
import { parseArgs } from 'node:util';
import type { Program } from '#test/fixtures/process-grid.js';
import { ask, Figures, pathOf, programsOf, requireSame, timed, withGrids } from './contest.js';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    files: { type: 'string', default: '30' },
    only: { type: 'string' },
  },
});
const FILE_SIZE = 2000;
const fileCount = Number(values.files);
const figures = new Figures();

/** Does it for every item, so many at a time. */
async function forEach<Item>(
  items: readonly Item[],
  atOnce: number,
  action: (item: Item) => Promise<void>,
): Promise<void> {
  const left = [...items];
  const work = async (): Promise<void> => {
    for (let item = left.shift(); item !== undefined; item = left.shift()) await action(item);
  };
  await Promise.all(Array.from({ length: atOnce }, work));
}

/** Stores and reads new files through each gateway in turn. */
async function round(urls: ReadonlyMap<Program, string>, atOnce: number, isCounted: boolean): Promise<void> {
  const files = Array.from({ length: fileCount }, () => randomBytes(FILE_SIZE));
  const stored = new Map<Program, Map<Buffer, string>>();
  const note = (way: string, program: Program, milliseconds: number): void => {
    if (isCounted) figures.add(`${way} 2 kB, ${String(atOnce)} at a time`, program, milliseconds / fileCount);
  };
  for (const [program, url] of urls) {
    const paths = new Map<Buffer, string>();
    const putAll = (): Promise<void> =>
      forEach(files, atOnce, async (bytes) => {
        paths.set(bytes, pathOf(url, await ask('PUT', `${url}uri`, bytes)));
      });
    note('put', program, await timed(putAll));
    stored.set(program, paths);
  }
  for (const [program, paths] of stored) {
    const getAll = (): Promise<void> =>
      forEach([...paths], atOnce, async ([bytes, path]) => {
        requireSame(await ask('GET', path), bytes);
      });
    note('get', program, await timed(getAll));
  }
}

await withGrids(programsOf(values.only), 10, { encoding: { needed: 3, happy: 7, total: 10 } }, async (grids) => {
  const urls = new Map<Program, string>();
  for (const [program, grid] of grids) urls.set(program, await grid.gateway(program).url());
  for (let i = 0; i <= Number(values.rounds); i++) {
    for (const atOnce of [1, 8]) await round(urls, atOnce, i > 0);
  }
});
figures.print('millisecondsPerFile', { files: fileCount });
