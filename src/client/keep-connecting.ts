/**
 * A connection that is made again and again. Each wait between two is twice as long as the one before it, from one second to
 * one minute, and shortened by chance, so that not all come back at once to a peer that was started anew.
 */
import type { Clock, Random } from '#core/environment.js';
import { pause } from './deadline.js';

/** The first wait, in milliseconds; by chance down to half of it, as all of them. */
export const RECONNECT_FIRST_MS = 1_000;
/** The longest; and how long a connection must last for the waits to begin anew. */
export const RECONNECT_MAX_MS = 60_000;

/** What it takes. */
export interface ConnectingOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** Ends it, also while it waits. */
  readonly signal: AbortSignal;
  /** Whether to connect once more; always if left out. */
  readonly isWanted?: () => boolean;
}

/**
 * Connects until the signal ends it, or it is not wanted any more.
 * @param connect - one connection from its beginning to its end.
 * @throws what `connect` throws.
 */
export async function keepConnecting(
  { clock, isWanted = () => true, random, signal }: ConnectingOptions,
  connect: () => Promise<void>,
): Promise<void> {
  let waitMs = RECONNECT_FIRST_MS;
  while (!signal.aborted && isWanted()) {
    const beginMs = clock.monotonicMs();
    await connect();
    if (clock.monotonicMs() - beginMs > RECONNECT_MAX_MS) waitMs = RECONNECT_FIRST_MS;
    const spread = (random.bytes(1)[0] ?? 0) / 256;
    await pause(clock, waitMs * (0.5 + spread / 2), signal).catch(() => undefined);
    waitMs = Math.min(2 * waitMs, RECONNECT_MAX_MS);
  }
}
