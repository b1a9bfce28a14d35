/**
 * Runs the compiled tests with tap and ends with one line that counts them.
 *
 *     node dist/scripts/run-tests.js [FILE …] [-- TAP-OPTION …]
 *
 * Without files: all that `.taprc` includes. What failed is named again at the end, with the beginning of what tap found,
 * since not every terminal gets all that tap draws. The last line is `N passed, N failed`, and `, N skipped` where some were.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const TAP_INDENT = 4;
const NAMED_FAILURE_COUNT_MAX = 50;
/** How much of what tap says of one failure is shown. */
const DIAGNOSTIC_LINES_MAX = 16;
const DIAGNOSTIC_LINE_LENGTH_MAX = 300;
const folder = mkdtempSync(join(tmpdir(), 'tallac-tests-'));
const output = join(folder, 'results.tap');
const tap = join('node_modules', '.bin', 'tap');
// Without the plugins that .taprc leaves out, above all a compiler in every test's process. A fresh install has them.
spawnSync(tap, ['build'], { stdio: 'ignore' });
const { status } = spawnSync(tap, ['--reporter=terse', `--output-file=${output}`, ...process.argv.slice(2)], {
  stdio: 'inherit',
});

/** The counts of tap's closing comment, such as `# { total: 9, pass: 8, fail: 1 }`. */
function countOf(text: string, name: string): number {
  const summary = /^# \{ .*\}$/gm.exec(text.slice(text.lastIndexOf('\n# {')))?.[0] ?? '';
  return Number(new RegExp(`\\b${name}: ([0-9]+)`).exec(summary)?.[1] ?? 0);
}

/** What tap says of the failure in line `index`, between `---` and `...`: the difference, else from where it came. */
function diagnosticOf(lines: readonly string[], index: number): string[] {
  if (lines[index + 1]?.trim() !== '---') return [];
  const end = lines.findIndex((line, at) => at > index && line.trim() === '...');
  const said = lines.slice(index + 2, end === -1 ? undefined : end).map((line) => line.trim());
  const from = said.findIndex((line) => line.startsWith('diff:'));
  const shown = said.slice(Math.max(from, 0)).slice(0, DIAGNOSTIC_LINES_MAX);
  return shown.map((line) => `    ${line.slice(0, DIAGNOSTIC_LINE_LENGTH_MAX)}`);
}

/** The names of the failed assertions, each after those of the tests around it, and what tap says of them. */
function failuresOf(text: string): string[] {
  const path: string[] = [];
  const failures: string[] = [];
  const lines = text.split('\n');
  for (const [index, line] of lines.entries()) {
    const subtest = /^( *)# Subtest: (.*)$/.exec(line);
    if (subtest !== null) {
      path.length = (subtest[1] ?? '').length / TAP_INDENT;
      path.push(subtest[2] ?? '');
    }
    const failure = /^( *)not ok \d+ - (.*)$/.exec(line);
    if (failure === null || /# time=/.test(line)) continue;
    const name = [...path.slice(0, (failure[1] ?? '').length / TAP_INDENT), failure[2] ?? ''].join(' > ');
    failures.push([name, ...diagnosticOf(lines, index)].join('\n'));
  }
  return failures;
}

let results = '';
try {
  results = readFileSync(output, 'utf8');
} catch {
  console.error('no test was run');
}
for (const failure of failuresOf(results).slice(0, NAMED_FAILURE_COUNT_MAX)) console.log(`failed: ${failure}`);
rmSync(folder, { recursive: true, force: true });
const [passed, failed, skipped] = ['pass', 'fail', 'skip'].map((name) => countOf(results, name));
const skippedText = skipped === 0 ? '' : `, ${String(skipped)} skipped`;
console.log(`\n${String(passed)} passed, ${String(failed)} failed${skippedText}`);
process.exitCode = passed === 0 ? 1 : (status ?? 1);
