/**
 * How long until the first byte of a range in a large file, with a gateway that was just started and one that has read of
 * the file before, beside the reference?
 *
 *     node dist/bench/ranges.js [--size MIB] [--rounds N] [--reads N] [--only ours|reference]
 *
 * Two grids stand at once, one of each program: ten storage nodes and a gateway, 3-of-10, all as processes on this
 * machine, over HTTPS. The file is stored through one gateway and its shares are copied to the other grid. The programs
 * take turns; in each round a gateway is started anew and waits until it is connected, then reads a range of 64 KiB at some
 * place (cold), and as many at other places of the same file (warm). Measured is the time from the request to the first byte
 * of the body; all of the range is compared. Prints one JSON line a result: milliseconds (median, least, most) and
 * ratios. Needs 7 times the size as room in the temporary directory.
 */
import { createCipheriv, randomInt } from 'node:crypto';
import { performance } from 'node:perf_hooks';
import { Readable } from 'node:stream';
import { parseArgs } from 'node:util';
import { request } from 'undici';
import type { Program, ProcessGrid } from '#test/fixtures/process-grid.js';
import { copyShares } from './checked-objects.js';
import { ask, Figures, pathOf, programsOf, requireSame, withGrids } from './contest.js';

const { values } = parseArgs({
  options: {
    size: { type: 'string', default: '256' },
    rounds: { type: 'string', default: '5' },
    reads: { type: 'string', default: '5' },
    only: { type: 'string' },
  },
});
const MEBIBYTE = 1 << 20;
const AES_BLOCK_SIZE = 16;
const RANGE_SIZE = 65_536;
const sizeBytes = Number(values.size) * MEBIBYTE;
const figures = new Figures();

/** The file: what AES-CTR makes of nothing, so that any part of it can be made by itself. `begin` is a multiple of 16. */
function partOf(begin: number, size: number): Buffer {
  const counter = Buffer.alloc(AES_BLOCK_SIZE);
  counter.writeBigUInt64BE(BigInt(begin / AES_BLOCK_SIZE), 8);
  return createCipheriv('aes-128-ctr', Buffer.alloc(16, 7), counter).update(Buffer.alloc(size));
}

function* parts(): Generator<Buffer> {
  for (let begin = 0; begin < sizeBytes; begin += MEBIBYTE) yield partOf(begin, Math.min(MEBIBYTE, sizeBytes - begin));
}

/** Reads a range at some place. @returns the milliseconds until its first byte was there. */
async function firstByte(path: string): Promise<number> {
  const begin = randomInt((sizeBytes - RANGE_SIZE) / AES_BLOCK_SIZE) * AES_BLOCK_SIZE;
  const range = `bytes=${String(begin)}-${String(begin + RANGE_SIZE - 1)}`;
  const start = performance.now();
  const { body, statusCode } = await request(path, { headers: { range } });
  if (statusCode !== 206) throw new Error(`a range gave ${String(statusCode)}: ${(await body.text()).slice(0, 300)}`);
  let milliseconds = 0;
  const pieces: Buffer[] = [];
  for await (const piece of body) {
    if (pieces.length === 0) milliseconds = performance.now() - start;
    pieces.push(piece as Buffer);
  }
  requireSame(Buffer.concat(pieces), partOf(begin, RANGE_SIZE));
  return milliseconds;
}

async function round(program: Program, grid: ProcessGrid, capability: Buffer): Promise<void> {
  const gateway = grid.gateway(program);
  await gateway.stop();
  await gateway.start();
  await grid.connected(gateway);
  const path = pathOf(await gateway.url(), capability);
  figures.add('first byte of a range, cold', program, await firstByte(path));
  for (let i = 0; i < Number(values.reads); i++) {
    figures.add('first byte of a range, warm', program, await firstByte(path));
  }
}

await withGrids(programsOf(values.only), 10, { encoding: { needed: 3, happy: 7, total: 10 } }, async (grids) => {
  const [first, ...others] = grids.values();
  const url = await first?.gateways[0]?.url();
  if (first === undefined || url === undefined) throw new Error('there is no grid');
  const capability = await ask('PUT', `${url}uri`, Readable.from(parts(), { objectMode: false }));
  for (const other of others) await copyShares(first, other);
  for (let i = 0; i < Number(values.rounds); i++) {
    for (const [program, grid] of grids) await round(program, grid, capability);
  }
});
figures.print('milliseconds', { sizeMiB: Number(values.size) });
