/**
 * The counts and sizes of a tree as lines: the reference's, word for word.
 * @see Tahoe-LAFS docs/frontends/CLI.rst, "tahoe stats"
 */
import { abbreviateBoth } from './abbreviate.js';
import { numberIn } from './line-stream.js';
import type { Fields } from './line-stream.js';

const KEYS = [
  'count-immutable-files',
  'count-mutable-files',
  'count-literal-files',
  'count-files',
  'count-directories',
  'size-immutable-files',
  'size-mutable-files',
  'size-literal-files',
  'size-directories',
  'largest-directory',
  'largest-immutable-file',
];
/** Sizes beyond it are told in short forms as well. */
const SHORT_FROM = 1000;

/** `statistics` is the gateway's JSON. */
export function statisticsLines(statistics: Fields): string[] {
  const width = Math.max(...KEYS.map((key) => key.length));
  const counts = KEYS.filter((key) => key in statistics).map((key) => {
    const value = numberIn(statistics, key);
    const line = `${key.padStart(width)}: ${String(value)}`;
    return key.startsWith('count-') || value <= SHORT_FROM ? line : `${line}    ${abbreviateBoth(value)}`;
  });
  return ['Counts and Total Sizes:', ...counts, ...histogramLines(rowsOf(statistics['size-files-histogram']))];
}

type Row = readonly [minimum: number, maximum: number, count: number];

function histogramLines(rows: readonly Row[]): string[] {
  if (rows.length === 0) return [];
  const width = Math.max(...rows.map(([, maximum]) => String(maximum).length));
  const countWidth = Math.max(...rows.map(([, , count]) => String(count).length));
  const lines = rows.flatMap(([minimum, maximum, count], i) => {
    const hasGap = i > 0 && minimum !== (rows[i - 1]?.[1] ?? 0) + 1;
    const range = `${String(minimum).padStart(width)}-${String(maximum).padEnd(width)}`;
    const line = `${range} : ${String(count).padEnd(countWidth)}    ${abbreviateBoth(maximum)}`;
    return hasGap ? [`${' '.repeat(width - 1)}...`, line] : [line];
  });
  return ['Size Histogram:', ...lines];
}

function rowsOf(value: unknown): Row[] {
  if (!Array.isArray(value)) return [];
  return value.map((row: unknown) => {
    const [minimum, maximum, count] = Array.isArray(row) ? (row as unknown[]).map(Number) : [];
    return [minimum ?? 0, maximum ?? 0, count ?? 0];
  });
}
