/**
 * How long a writer waits after another got in its way, so that the two do not meet again: about e, e² and e³ seconds,
 * spread a little. After that it gives up.
 * @see Tahoe-LAFS src/allmydata/mutable/filenode.py (the figures)
 */
import type { Random } from '#core/environment.js';

/** How often a change is tried in all. */
export const MODIFY_ATTEMPTS = 4;
/** The spread of a wait, as a part of its mean. */
const SPREAD = 0.11962656472;

/**
 * The wait after attempt `attempt`, 1 for the first, in milliseconds.
 * The length is normally distributed (by the transformation of Box and Muller) and never negative.
 */
export function backOffMs(random: Random, attempt: number): number {
  const mean = Math.exp(attempt) * 1000;
  const normal = Math.sqrt(-2 * Math.log(fraction(random))) * Math.cos(2 * Math.PI * fraction(random));
  return Math.max(0, mean * (1 + SPREAD * normal));
}

/** Above 0 and at most 1. */
function fraction(random: Random): number {
  const bytes = random.bytes(4);
  return (new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0) + 1) / 2 ** 32;
}
