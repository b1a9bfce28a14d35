/**
 * What a gateway is doing, as `status` prints it: the reference's tables.
 * @see Tahoe-LAFS docs/frontends/CLI.rst, "tahoe status"
 */
import { abbreviateSeconds, abbreviateSize } from './abbreviate.js';
import { numberIn, objectOf, textIn } from './line-stream.js';
import type { Fields } from './line-stream.js';

const INDEX_WIDTH = 26;
const TYPE_WIDTH = 5;
const PROGRESS_WIDTH = 22;
const SIZE_WIDTH = 10;
const MESSAGE_WIDTH = 20;
const BAR_WIDTH = 15;
const EIGHTH_BLOCK = 0x258f;
const names: Readonly<Record<string, string>> = {
  upload: ' put ',
  download: ' get ',
  retrieve: 'retr ',
  publish: ' pub ',
  mapupdate: 'mapup',
};

/** How much has gone through the gateway since its start. */
export function throughputLines(statistics: Fields): string[] {
  const counters = objectOf(statistics['counters'] ?? {});
  const uptime = numberIn(objectOf(statistics['stats'] ?? {}), 'node.uptime');
  const line = (verb: string, kind: string): string => {
    const bytes = abbreviateSize(numberIn(counters, `${kind}er.bytes_${kind}ed`));
    return `${verb} ${bytes} in ${String(numberIn(counters, `${kind}er.files_${kind}ed`))} files`;
  };
  return [
    `Statistics (for last ${abbreviateSeconds(uptime)}):`,
    line('    uploaded', 'upload'),
    line('  downloaded', 'download'),
    '',
  ];
}

/** What it is doing now. */
export function activeLines(status: Fields): string[] {
  const active = operations(status['active']);
  if (active.length === 0) return ['No active operations.'];
  const widths = [TYPE_WIDTH, INDEX_WIDTH, PROGRESS_WIDTH, MESSAGE_WIDTH];
  const rows = active.map((operation) => {
    const { text, bar } = progressOf(operation);
    return rowOf([
      nameOf(operation),
      textIn(operation, 'storage-index-string'),
      `${bar.padEnd(BAR_WIDTH)} (${text}%)`,
      textIn(operation, 'status'),
    ]);
  });
  const head = headOf(['type', 'storage index', 'progress', 'status message'], widths);
  return ['Active operations:', head, ruleOf('╟', '╫', widths), ...rows, ruleOf('╙', '╨', widths)];
}

/** What it has done. @param isVerbose - whether mutable files and their looks at servers are shown, too. */
export function recentLines(status: Fields, isVerbose: boolean): string[] {
  const recent = operations(status['recent']);
  const transfers = recent.filter((operation) => ['upload', 'download'].includes(textIn(operation, 'type')));
  const shown = isVerbose ? recent : transfers;
  const widths = [TYPE_WIDTH, INDEX_WIDTH, SIZE_WIDTH, MESSAGE_WIDTH];
  const rows = shown.map((operation) =>
    rowOf([
      nameOf(operation),
      textIn(operation, 'storage-index-string'),
      sizeOf(operation).padEnd(SIZE_WIDTH),
      textIn(operation, 'status'),
    ]),
  );
  const isTable = transfers.length > 0 || isVerbose;
  const skipped = recent.length - shown.length;
  return [
    ...(recent.length === 0 ? ['No recent operations.'] : []),
    '',
    'Recent operations:',
    ...(isTable ? [headOf(['type', 'storage index', 'size', 'status message'], widths)] : []),
    ...rows,
    ...(isTable ? [ruleOf('╙', '╨', widths)] : []),
    ...(skipped > 0 ? [`   Skipped ${String(skipped)} non-upload/download operations; use --verbose to see`] : []),
  ];
}

function operations(value: unknown): Fields[] {
  return Array.isArray(value) ? value.map(objectOf) : [];
}

function nameOf(operation: Fields): string {
  return names[textIn(operation, 'type')] ?? ' ??? ';
}

function sizeOf(operation: Fields): string {
  if (textIn(operation, 'type') === 'mapupdate') return textIn(operation, 'mode');
  return abbreviateSize(numberIn(operation, 'total-size'));
}

function progressOf(operation: Fields): { readonly text: string; readonly bar: string } {
  const type = textIn(operation, 'type');
  if (type === 'upload') {
    const parts = ['progress-hash', 'progress-ciphertext', 'progress-encode-push'];
    const percent = (parts.reduce((sum, part) => sum + numberIn(operation, part), 0) / parts.length) * 100;
    return { text: percent.toFixed(0).padStart(3), bar: barOf(percent) };
  }
  if (type !== 'download') return { text: '???', bar: '' };
  const fraction = numberIn(operation, 'progress');
  return { text: String(fraction), bar: barOf(fraction * 100) };
}

/** Whole blocks, one in eighths, and blanks. */
function barOf(percent: number): string {
  const filled = Math.floor((percent / 100) * BAR_WIDTH);
  const part = (percent * BAR_WIDTH) / 100 - filled;
  const eighth = percent >= 100 ? '' : String.fromCodePoint(EIGHTH_BLOCK - Math.floor(part * 8));
  return `${'█'.repeat(filled)}${eighth}${' '.repeat(Math.max(0, BAR_WIDTH - filled - 1))}`;
}

function headOf(titles: readonly string[], widths: readonly number[]): string {
  const cells = titles.map((title, i) => (i < titles.length - 1 ? title.padEnd(widths[i] ?? 0) : title));
  return `╓ ${cells.join(' ╥ ')}`;
}

function rowOf(cells: readonly string[]): string {
  return `║ ${cells.join(' ║ ')}`;
}

function ruleOf(left: string, middle: string, widths: readonly number[]): string {
  return `${left}─${widths.map((width) => '─'.repeat(width)).join(`─${middle}─`)}`;
}
