/**
 * All long tests of what the store promises, one after the other: `npm run torture`. Or one of them:
 *
 *     npm run torture -- sim --states 1000000 --seed 1
 *
 * Each fault is printed with the command that repeats it. In the end there is a table, and a line that counts all.
 */
import { parseArgs } from 'node:util';
import { reasonOf } from '#core/errors.js';
import { canariesPart } from './canaries.js';
import { damagePart } from './damage.js';
import { faultsPart } from './faults.js';
import { foolscapPart } from './foolscap.js';
import { killPart } from './kill.js';
import type { PartReport, TorturePart } from './part.js';
import { powerPart } from './power.js';
import { simPart } from './sim.js';

const parts: Readonly<Record<string, TorturePart>> = {
  sim: simPart,
  faults: faultsPart,
  power: powerPart,
  kill: killPart,
  damage: damagePart,
  canaries: canariesPart,
  foolscap: foolscapPart,
};

function usage(): string {
  const lines = Object.entries(parts).map(([name, { options, summary }]) => {
    const words = Object.entries(options).map(([option, value]) => ` [--${option} ${value === '' ? '…' : value}]`);
    return `  ${name}${words.join('')}\n      ${summary}`;
  });
  return ['npm run torture [-- PART [OPTION …]]', ...lines].join('\n');
}

/** @throws when there is none of that name. */
function optionsOf(part: TorturePart, args: string[]): Record<string, string> {
  const wanted = Object.entries(part.options).map(([option, value]) => [option, { type: 'string', default: value }]);
  const { values } = parseArgs({ args, options: Object.fromEntries(wanted) as Record<string, { type: 'string' }> });
  return Object.fromEntries(Object.entries(values).map(([option, value]) => [option, value ?? '']));
}

async function runPart(name: string, part: TorturePart, args: string[]): Promise<PartReport & { seconds: number }> {
  console.log(`=== ${name}: ${part.summary}`);
  const start = process.hrtime.bigint();
  const seconds = (): number => Math.round(Number(process.hrtime.bigint() - start) / 1e9);
  try {
    const report = await part.run(optionsOf(part, args), (line) => console.log(line));
    return { ...report, seconds: seconds() };
  } catch (error) {
    console.log(
      `${name} came to no end: ${isUsage(error) ? usage() : error instanceof Error ? (error.stack ?? '') : reasonOf(error)}`,
    );
    return { passed: 0, failed: 1, counts: {}, seconds: seconds() };
  }
}

function isUsage(error: unknown): boolean {
  return error instanceof Error && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS');
}

function rowOf(cells: readonly string[]): string {
  const widths = [9, 9, 7, 8];
  return cells.map((cell, i) => (i === 0 ? cell.padEnd(9) : cell.padStart(widths[i] ?? 0))).join('  ');
}

const [name, ...args] = process.argv.slice(2);
const chosen = name === undefined ? Object.entries(parts) : Object.entries(parts).filter(([part]) => part === name);
if (chosen.length === 0) {
  console.log(usage());
  process.exitCode = 1;
} else {
  const rows = [rowOf(['part', 'passed', 'failed', 'seconds', 'counts'])];
  let [passed, failed] = [0, 0];
  for (const [each, part] of chosen) {
    const report = await runPart(each, part, args);
    passed += report.passed;
    failed += report.failed;
    const counts = Object.entries(report.counts).map(([what, count]) => `${what} ${String(count)}`);
    const numbers = [report.passed, report.failed, report.seconds].map(String);
    rows.push(rowOf([each, ...numbers, counts.join(', ')]));
  }
  console.log(`\n${rows.join('\n')}\n\n${String(passed)} passed, ${String(failed)} failed`);
  process.exitCode = failed > 0 || passed === 0 ? 1 : 0;
}
