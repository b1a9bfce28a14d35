/** How far a scrub has come, as it stands on the disk. Pure. */

/** What a pass has found. */
export interface ScrubFigures {
  readonly shareCount: number;
  /** Bytes of share data that were read. */
  readonly bytes: number;
  /** Shares that had no checksum before. */
  readonly newCount: number;
  readonly damagedCount: number;
  /** Shares that changed or went while they were read, or could not be read for reasons of the moment. */
  readonly unreadCount: number;
}

/** Where a pass is. */
export interface ScrubState {
  /** The key of the last share that was read, in hex; empty when no pass is under way. */
  readonly after: string;
  /** When the pass began, Unix milliseconds. */
  readonly startedMs: number;
  readonly figures: ScrubFigures;
}

/** Of a pass that has not begun. */
export const noFigures: ScrubFigures = { shareCount: 0, bytes: 0, newCount: 0, damagedCount: 0, unreadCount: 0 };

/** The state that a value from the disk is; undefined for anything else. */
export function parseScrubState(value: unknown): ScrubState | undefined {
  if (!isRecord(value)) return undefined;
  const { after, startedMs, figures } = value;
  if (typeof after !== 'string' || !/^([0-9a-f]{2}){0,64}$/.test(after)) return undefined;
  if (!isCount(startedMs) || !isRecord(figures)) return undefined;
  const { shareCount, bytes, newCount, damagedCount, unreadCount } = figures;
  if (!isCount(shareCount) || !isCount(bytes) || !isCount(newCount)) return undefined;
  if (!isCount(damagedCount) || !isCount(unreadCount)) return undefined;
  return { after, startedMs, figures: { shareCount, bytes, newCount, damagedCount, unreadCount } };
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0;
}
