/** What every benchmark prints: one JSON line a result, numbers with three digits that mean something. */

/** The middle value; of an even number the lower middle. NaN of none. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor((sorted.length - 1) / 2)] ?? Number.NaN;
}

/** Prints one result. */
export function printResult(result: Readonly<Record<string, string | number>>): void {
  const rounded = Object.fromEntries(
    Object.entries(result).map(([name, value]) => [
      name,
      typeof value === 'number' ? Number(value.toPrecision(3)) : value,
    ]),
  );
  console.log(JSON.stringify(rounded));
}
