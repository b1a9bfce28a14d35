/** What every part of `npm run torture` is. */

/** What a part came to. */
export interface PartReport {
  /** Things that were tried and left nothing wrong. */
  readonly passed: number;
  readonly failed: number;
  /** More of what was counted, by name. */
  readonly counts: Readonly<Record<string, number>>;
}

/** A long test. */
export interface TorturePart {
  /** What it does, in a line. */
  readonly summary: string;
  /** Its options, each a number or a name, with what they are by default. */
  readonly options: Readonly<Record<string, string>>;
  /**
   * @param options - a value for each of its options.
   * @param tell - told each fault, and the command that repeats it.
   */
  run(options: Readonly<Record<string, string>>, tell: (line: string) => void): Promise<PartReport>;
}

/** The value of an option that is a count. @throws when it is none. */
export function countIn(options: Readonly<Record<string, string>>, name: string): number {
  const count = Number(options[name]);
  if (!Number.isSafeInteger(count) || count < 0) throw new Error(`--${name} takes a whole number`);
  return count;
}

/** The command that runs one part. */
export function tortureCommand(part: string, options: Readonly<Record<string, string | number>>): string {
  const words = Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]);
  return ['npm run torture --', part, ...words].join(' ');
}
