/** The progress of an operation as events: counts every second while they change, and its end. */
import type { Clock } from '#core/environment.js';
import { pause } from '#client/deadline.js';
import type { ServerEvent } from './events.js';
import type { Operation } from './operations.js';
import { sentenceOf } from './reply.js';

const SPACING_MS = 1000;

/** Ends behind the event `finished`, or `failed` with the reason. @throws ERR_CANCELLED when the signal says so. */
export async function* progressEvents(
  clock: Clock,
  operation: Operation,
  signal: AbortSignal,
): AsyncGenerator<ServerEvent, void, undefined> {
  let last = '';
  for (;;) {
    const isFinished = operation.finished;
    const data = JSON.stringify(operation.work.progress());
    if (data !== last) yield { event: 'progress', data };
    last = data;
    if (isFinished) break;
    await pause(clock, SPACING_MS, signal);
  }
  yield operation.error === undefined
    ? { event: 'finished', data: last }
    : { event: 'failed', data: JSON.stringify({ reason: sentenceOf(operation.error) }) };
}
