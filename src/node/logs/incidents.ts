/**
 * Incidents: when an error is logged, what was logged before it is kept in a file of logs/incidents, where the
 * reference keeps its own and in the same form, so that its flogtool reads them too. They hold what the log holds, which
 * has no secrets. A few at a time and not too many, however much goes wrong.
 */
import { mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '#core/environment.js';
import { UNFINISHED } from '../durable-file.js';
import type { LogLevel } from '../log.js';
import { applicationVersion } from '../version.js';
import { eventOfLogLine, formatEvent, formatIncidentHead } from './flogfile.js';

/** How many of the last lines an incident holds, and of how many characters. */
export const INCIDENT_LINE_COUNT_MAX = 500;
/** A line beyond this is left out. */
export const INCIDENT_LINE_LENGTH_MAX = 4096;
/** How many incidents are kept; the oldest goes first. */
export const INCIDENT_COUNT_MAX = 100;
/** Errors that follow sooner than this belong to the same incident. */
export const INCIDENT_PAUSE_MS = 60_000;

const NAME = /^incident-[0-9-]+Z-[a-z0-9-]+\.flog$/;
const MODE = 0o600;

/** Those of one node. */
export class IncidentKeeper {
  readonly #directory: string;
  readonly #clock: Clock;
  #lines: string[] = [];
  #count = 0;
  #lastMs = Number.NEGATIVE_INFINITY;

  /** @param directory - made when the first incident comes. */
  constructor(directory: string, clock: Clock) {
    this.#directory = directory;
    this.#clock = clock;
  }

  /** Hears each line of the log. Never throws: what cannot be kept is not. */
  hear(line: string, level: LogLevel): void {
    if (line.length > INCIDENT_LINE_LENGTH_MAX) return;
    this.#lines.push(line);
    if (this.#lines.length >= 2 * INCIDENT_LINE_COUNT_MAX) this.#lines = this.#lines.slice(-INCIDENT_LINE_COUNT_MAX);
    if (level !== 'error' || this.#clock.monotonicMs() - this.#lastMs < INCIDENT_PAUSE_MS) return;
    this.#lastMs = this.#clock.monotonicMs();
    try {
      this.#keep(line);
    } catch {
      // A full disk must not end what goes on without it.
    }
  }

  #keep(line: string): void {
    const trigger = eventOfLogLine(line);
    if (trigger === undefined) return;
    const events = this.#lines.slice(-INCIDENT_LINE_COUNT_MAX).flatMap((kept) => eventOfLogLine(kept) ?? []);
    const head = formatIncidentHead(trigger, process.pid, { tallac: applicationVersion });
    const when = new Date(this.#clock.nowMs()).toISOString().slice(0, 19).replaceAll(':', '-').replace('T', '--');
    const name = `incident-${when}Z-${String(process.pid)}-${String(++this.#count)}.flog`;
    const path = join(this.#directory, name);
    mkdirSync(this.#directory, { recursive: true });
    writeFileSync(path + UNFINISHED, `${head}${events.map((event) => `${formatEvent(event)}\n`).join('')}`, {
      mode: MODE,
    });
    renameSync(path + UNFINISHED, path);
    const all = readdirSync(this.#directory).filter((found) => NAME.test(found));
    for (const old of all.sort().slice(0, -INCIDENT_COUNT_MAX)) rmSync(join(this.#directory, old), { force: true });
  }
}
