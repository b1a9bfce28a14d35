/**
 * Incidents: when an error is logged, what was logged before it is kept in a file of logs/incidents, where the
 * reference keeps its own and in the same form, so that its flogtool reads them too. They hold what the log holds, which
 * has no secrets. A few at a time and not too many, however much goes wrong.
 */
import { mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import type { Clock } from '#core/environment.js';
import { UNFINISHED } from '../durable-file.js';
import type { LogLevel } from '../log.js';
import { applicationVersion } from '../version.js';
import { eventOfLogLine, formatEvent, formatIncidentHead } from './flogfile.js';
import type { LogEvent } from '#wire/foolscap/logport.js';
import { incidentFile, incidentOfFile, INCIDENT_COUNT_MAX } from './incident-files.js';
import type { RecentLines } from './recent-lines.js';

/** How many of the last lines an incident holds. */
export const INCIDENT_LINE_COUNT_MAX = 500;
/** Errors that follow sooner than this belong to the same incident. */
export const INCIDENT_PAUSE_MS = 60_000;

const MODE = 0o600;

/** Is told of each incident that is kept. */
export type IncidentListener = (name: string, trigger: LogEvent) => void;

/** Those of one node. */
export class IncidentKeeper {
  readonly directory: string;
  readonly #clock: Clock;
  readonly #lines: RecentLines;
  readonly #watchers = new Set<IncidentListener>();
  #count = 0;
  #lastMs = Number.NEGATIVE_INFINITY;

  /** @param directory - made when the first incident comes. */
  constructor(directory: string, lines: RecentLines, clock: Clock) {
    this.directory = directory;
    this.#lines = lines;
    this.#clock = clock;
  }

  /** Hears each line of the log that is among the recent ones. Never throws: what cannot be kept is not. */
  hear(line: string, level: LogLevel): void {
    if (level !== 'error' || this.#clock.monotonicMs() - this.#lastMs < INCIDENT_PAUSE_MS) return;
    this.#lastMs = this.#clock.monotonicMs();
    try {
      this.#keep(line);
    } catch {
      // A full disk must not end what goes on without it.
    }
  }

  /** Calls `told` for each incident that is kept from now on; it must log nothing. @returns what ends it. */
  watch(told: IncidentListener): () => void {
    this.#watchers.add(told);
    return () => {
      this.#watchers.delete(told);
    };
  }

  #keep(line: string): void {
    const trigger = eventOfLogLine(line);
    if (trigger === undefined) return;
    const events = this.#lines.last(INCIDENT_LINE_COUNT_MAX).flatMap((kept) => eventOfLogLine(kept) ?? []);
    const head = formatIncidentHead(trigger, process.pid, { tallac: applicationVersion });
    const when = new Date(this.#clock.nowMs()).toISOString().slice(0, 19).replaceAll(':', '-').replace('T', '--');
    const name = `incident-${when}Z-${String(process.pid)}-${String(++this.#count)}`;
    const path = incidentFile(this.directory, name);
    mkdirSync(this.directory, { recursive: true });
    writeFileSync(path + UNFINISHED, `${head}${events.map((event) => `${formatEvent(event)}\n`).join('')}`, {
      mode: MODE,
    });
    renameSync(path + UNFINISHED, path);
    const all = readdirSync(this.directory).flatMap((found) => incidentOfFile(found) ?? []);
    for (const old of all.sort().slice(0, -INCIDENT_COUNT_MAX))
      rmSync(incidentFile(this.directory, old), { force: true });
    for (const told of this.#watchers) told(name, trigger);
  }
}
