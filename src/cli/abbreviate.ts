/** Sizes and times in the reference's short forms, which scripts read. */

/** `812 B`, `1.23 kB`; with 1024 to the step `1.21 kiB`. */
export function abbreviateSize(bytes: number, step: 1000 | 1024 = 1000): string {
  if (bytes < 1024) return `${String(bytes)} B`;
  const units = ['k', 'M', 'G', 'T', 'P', 'E'];
  let value = bytes / step;
  let unit = 0;
  for (; value >= step && unit < units.length - 1; unit++) value /= step;
  return `${value.toFixed(2)} ${units[unit] ?? ''}${step === 1000 ? 'B' : 'iB'}`;
}

/** `(1.23 kB, 1.21 kiB)` */
export function abbreviateBoth(bytes: number): string {
  return `(${abbreviateSize(bytes)}, ${abbreviateSize(bytes, 1024)})`;
}

/** From which number of seconds on a unit is used, and its length in seconds. */
const UNITS: readonly (readonly [below: number, seconds: number, name: string])[] = [
  [120, 1, 'second'],
  [10_800, 60, 'minute'],
  [172_800, 3600, 'hour'],
  [5_184_000, 86_400, 'day'],
  [126_144_000, 2_592_000, 'month'],
  [Infinity, 31_536_000, 'year'],
];

/** `1 second`, `90 minutes`, `3 days`. */
export function abbreviateSeconds(seconds: number): string {
  const [, length, name] = UNITS.find(([below]) => seconds < below) ?? [Infinity, 1, 'second'];
  const count = Math.floor(seconds / length);
  return `${String(count)} ${name}${count === 1 ? '' : 's'}`;
}
