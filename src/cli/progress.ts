/**
 * One line on the terminal that shows how far a transfer is:
 *
 *     put [=========>            ]  45 %  7.2 MB of 16.0 MB  3.4 MB/s  0:03 left
 *
 * It appears only on a terminal that can rewrite a line, only when the transfer takes longer than a moment, and
 * leaves nothing behind. It has no colours, so there is nothing for NO_COLOR to turn off.
 */
import type { Clock } from '#core/environment.js';
import type { CommandContext, MessageStream } from './context.js';
import { formatDuration, formatRate, formatSize } from './quantities.js';

/** Nothing is shown of a transfer that ends within this time, in milliseconds. */
const QUIET_START_MS = 500;
/** The shortest time between two pictures, in milliseconds. */
const REDRAW_MS = 100;
const BAR_LENGTH = 24;
const COLUMNS_DEFAULT = 80;
const CLEAR_LINE = '\r\u001b[K';

/** How far a transfer is. */
export interface ProgressState {
  readonly label: string;
  readonly doneBytes: number;
  /** undefined when it is not known. */
  readonly totalBytes: number | undefined;
  readonly elapsedMs: number;
  /** What happens once everything is through, such as `storing`. */
  readonly ending: string;
}

/** The line, cut to the width of the terminal. */
export function formatProgress(state: ProgressState, columns: number): string {
  const { label, doneBytes, totalBytes, elapsedMs, ending } = state;
  const rate = formatRate(doneBytes, elapsedMs);
  if (totalBytes === undefined) return cut(`${label}  ${formatSize(doneBytes)}  ${rate}`, columns);
  const fraction = totalBytes === 0 ? 1 : Math.min(1, doneBytes / totalBytes);
  const percent = String(Math.floor(fraction * 100)).padStart(3);
  const left = fraction === 1 ? ending : `${formatDuration(secondsLeft(state))} left`;
  const sizes = `${formatSize(doneBytes)} of ${formatSize(totalBytes)}`;
  return cut(`${label} ${bar(fraction)} ${percent} %  ${sizes}  ${rate}  ${left}`, columns);
}

function secondsLeft({ doneBytes, totalBytes = 0, elapsedMs }: ProgressState): number {
  return doneBytes === 0 ? Infinity : ((totalBytes - doneBytes) * elapsedMs) / doneBytes / 1000;
}

function bar(fraction: number): string {
  const filled = Math.floor(fraction * BAR_LENGTH);
  const shaft = '='.repeat(filled);
  return `[${filled < BAR_LENGTH ? `${shaft}>`.padEnd(BAR_LENGTH) : shaft}]`;
}

/** A line that fills the last column would wrap on some terminals, and could not be cleared. */
function cut(line: string, columns: number): string {
  return line.slice(0, Math.max(0, columns - 1));
}

/** What of a transfer is known when it begins. */
export interface Transfer {
  readonly label: string;
  readonly totalBytes: number | undefined;
  readonly ending?: string;
  /** The line for what is done so far, where it is not counted in bytes. */
  readonly describe?: (done: number) => string;
}

/** Shows one transfer. Call `end` before anything else is printed. */
export class Progress {
  readonly #stream: MessageStream;
  readonly #clock: Clock;
  readonly #transfer: Transfer;
  readonly #startMs: number;
  readonly #isShown: boolean;
  #doneBytes = 0;
  #drawnMs = -Infinity;
  #isDrawn = false;

  constructor(context: CommandContext, transfer: Transfer) {
    const { stderr, clock, environment, isQuiet } = context;
    this.#stream = stderr;
    this.#clock = clock;
    this.#transfer = transfer;
    this.#startMs = clock.monotonicMs();
    this.#isShown = stderr.isTTY === true && !isQuiet && environment['TERM'] !== 'dumb';
  }

  /** Some more bytes have been transferred. */
  add(bytes: number): void {
    this.#doneBytes += bytes;
    if (!this.#isShown) return;
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - this.#startMs < QUIET_START_MS) return;
    const isComplete = this.#doneBytes === this.#transfer.totalBytes;
    if (nowMs - this.#drawnMs < REDRAW_MS && !isComplete) return;
    this.#drawnMs = nowMs;
    this.#draw(nowMs - this.#startMs);
  }

  /** The pieces, each counted when it is passed on. */
  async *count(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void> {
    for await (const piece of pieces) {
      yield piece;
      this.add(piece.length);
    }
  }

  /** Clears the line. */
  end(): void {
    if (this.#isDrawn) this.#stream.write(CLEAR_LINE);
    this.#isDrawn = false;
  }

  #draw(elapsedMs: number): void {
    const { label, totalBytes, ending = '', describe } = this.#transfer;
    const state = { label, totalBytes, ending, elapsedMs, doneBytes: this.#doneBytes };
    // Some terminals do not know their width and say 0.
    const said = this.#stream.columns ?? 0;
    const columns = said > 0 ? said : COLUMNS_DEFAULT;
    const line = describe === undefined ? formatProgress(state, columns) : cut(describe(this.#doneBytes), columns);
    this.#stream.write(CLEAR_LINE + line);
    this.#isDrawn = true;
  }
}

/** What of a row of things is known when it begins. */
export interface Row {
  readonly label: string;
  readonly total: number;
  /** What is counted, such as `files`. */
  readonly what: string;
}

/** The same line for things that are counted. */
export class CountProgress {
  readonly #progress: Progress;

  constructor(context: CommandContext, { label, total, what }: Row) {
    const describe = (done: number): string =>
      `${label} ${bar(done / Math.max(1, total))} ${String(done)} of ${String(total)} ${what}`;
    this.#progress = new Progress(context, { label, totalBytes: total, describe });
  }

  /** So many more are done. */
  add(count: number): void {
    this.#progress.add(count);
  }

  /** Clears the line. */
  end(): void {
    this.#progress.end();
  }
}
