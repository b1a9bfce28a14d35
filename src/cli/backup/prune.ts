/**
 * Which archives of a backup are kept: the last ones, and the last one of each of the last days, weeks and months.
 * Only names that `backup` makes are ever chosen to go.
 */

/** How many are kept; undefined where a rule was not given. */
export interface KeepRules {
  readonly last: number | undefined;
  readonly daily: number | undefined;
  readonly weekly: number | undefined;
  readonly monthly: number | undefined;
}

const ARCHIVE = /^([0-9]{4}-[0-9]{2}-[0-9]{2})_([0-9]{2}:[0-9]{2}:[0-9]{2})Z$/;
const WEEK_MS = 7 * 86_400_000;
/** 1970 began on a Thursday; weeks begin on Mondays. */
const MONDAY_OFFSET_MS = 3 * 86_400_000;

/** @returns the names that no rule keeps, the oldest first. The newest archive is always kept. */
export function archivesToPrune(names: readonly string[], rules: KeepRules): string[] {
  const archives = names
    .flatMap((name) => {
      const timeMs = timeOf(name);
      return timeMs === undefined ? [] : [{ name, timeMs }];
    })
    .sort((a, b) => b.timeMs - a.timeMs);
  const kept = new Set(archives.slice(0, Math.max(1, rules.last ?? 0)).map(({ name }) => name));
  const periods: readonly (readonly [number | undefined, (timeMs: number) => string])[] = [
    [rules.daily, (timeMs) => new Date(timeMs).toISOString().slice(0, 10)],
    [rules.weekly, (timeMs) => String(Math.floor((timeMs + MONDAY_OFFSET_MS) / WEEK_MS))],
    [rules.monthly, (timeMs) => new Date(timeMs).toISOString().slice(0, 7)],
  ];
  for (const [count = 0, periodOf] of periods) {
    const seen = new Set<string>();
    for (const { name, timeMs } of archives) {
      const period = periodOf(timeMs);
      if (seen.has(period)) continue;
      if (seen.size === count) break;
      seen.add(period);
      kept.add(name);
    }
  }
  return archives
    .filter(({ name }) => !kept.has(name))
    .map(({ name }) => name)
    .reverse();
}

function timeOf(name: string): number | undefined {
  const [match, day, time] = ARCHIVE.exec(name) ?? [];
  const timeMs = match === undefined ? Number.NaN : Date.parse(`${day ?? ''}T${time ?? ''}Z`);
  return Number.isNaN(timeMs) ? undefined : timeMs;
}
