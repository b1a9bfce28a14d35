/** The bounds of one server's connections and calls. */

import { TIMER_MS_MAX } from './deadline.js';

/** How many connections and calls there may be, and how long they may take. */
export interface HttpsLimits {
  /** Connections to the server at a time, each kept alive and with one call at a time; one more is for `version`. */
  readonly connectionCountMax: number;
  /** How many of them may be held by bodies that are made while they are sent; the others stay for short calls. */
  readonly streamCountMax: number;
  /** Calls at a time, running and waiting for a connection together; one more fails at once. */
  readonly callCountMax: number;
  /** TCP and TLS of one connection. */
  readonly connectTimeoutMs: number;
  /** A call that moves no bytes to speak of. */
  readonly callTimeoutMs: number;
  /** What is added to that for each byte to move: slower is given up. */
  readonly rateMinBytesPerSecond: number;
  /** Time in which no byte moves. */
  readonly silenceTimeoutMs: number;
  /** How long an idle connection is kept, unless the server names a shorter time. */
  readonly idleTimeoutMs: number;
}

/** The limits unless told otherwise. */
export const defaultHttpsLimits: HttpsLimits = {
  connectionCountMax: 8,
  streamCountMax: 4,
  callCountMax: 256,
  connectTimeoutMs: 10_000,
  callTimeoutMs: 60_000,
  rateMinBytesPerSecond: 16 * 1024,
  silenceTimeoutMs: 60_000,
  idleTimeoutMs: 30_000,
};

/** How long a call may take that moves so many bytes, both ways together. */
export function callTimeoutMs(limits: HttpsLimits, sizeBytes: number): number {
  return Math.min(TIMER_MS_MAX, limits.callTimeoutMs + Math.ceil((sizeBytes * 1000) / limits.rateMinBytesPerSecond));
}
