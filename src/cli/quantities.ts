/** Sizes and times as people read them: decimal units, one decimal where it tells something. */

const UNITS = ['kB', 'MB', 'GB', 'TB', 'PB'];

/** `812 bytes`, `5.6 MB`. */
export function formatSize(bytes: number): string {
  if (bytes < 1000) return bytes === 1 ? '1 byte' : `${String(Math.round(bytes))} bytes`;
  let value = bytes / 1000;
  let unit = 0;
  // 999.96 would be printed as 1000.0.
  for (; value >= 999.95 && unit < UNITS.length - 1; unit++) value /= 1000;
  return `${value.toFixed(1)} ${UNITS[unit] ?? ''}`;
}

/** `0:07`, `12:30`, `3:00:05`; `-` for what is not known. */
export function formatDuration(seconds: number): string {
  if (!Number.isFinite(seconds)) return '-';
  const whole = Math.max(0, Math.round(seconds));
  const pad = (value: number): string => String(value).padStart(2, '0');
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor(whole / 60) % 60;
  const tail = `${hours > 0 ? pad(minutes) : String(minutes)}:${pad(whole % 60)}`;
  return hours > 0 ? `${String(hours)}:${tail}` : tail;
}

/** Bytes a second: `12.5 MB/s`; `-` before anything is known. */
export function formatRate(bytes: number, milliseconds: number): string {
  return milliseconds > 0 ? `${formatSize((bytes * 1000) / milliseconds)}/s` : '-';
}
