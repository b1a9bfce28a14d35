/** The line that some clients show of a file: as `ls -l` has it, with times in UTC. */
import type { Attributes } from './attributes.js';

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const DAY_SECONDS = 86_400;
const HALF_YEAR_SECONDS = 182 * DAY_SECONDS;
const FILE_KIND = 0o170_000;
const kinds: ReadonlyMap<number, string> = new Map([
  [0o040_000, 'd'],
  [0o100_000, '-'],
]);

/** @param nowSeconds - since 1970: what is old or to come shows its year instead of its time of day. */
export function longNameOf(name: string, { mode = 0, mtime = 0, size = 0 }: Attributes, nowSeconds: number): string {
  const permissions = Array.from('rwxrwxrwx', (letter, i) => ((mode >> (8 - i)) & 1 ? letter : '-')).join('');
  const kind = kinds.get(mode & FILE_KIND) ?? '?';
  return `${kind}${permissions}    1 tahoe    tahoe    ${String(size).padStart(8)} ${timeText(mtime, nowSeconds)} ${name}`;
}

function timeText(mtime: number, nowSeconds: number): string {
  const date = new Date(mtime * 1000);
  const two = (number: number): string => String(number).padStart(2, '0');
  const day = `${MONTHS[date.getUTCMonth()] ?? ''} ${two(date.getUTCDate())}`;
  const isFar = mtime + HALF_YEAR_SECONDS < nowSeconds || mtime > nowSeconds + DAY_SECONDS;
  return isFar
    ? `${day}  ${String(date.getUTCFullYear())}`
    : `${day} ${two(date.getUTCHours())}:${two(date.getUTCMinutes())}`;
}
