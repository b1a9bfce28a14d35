/** The two things that observers of a log are told: its events, and its incidents. */
import { utf8 } from '#core/bytes.js';
import { formatLogEvent } from '#wire/foolscap/logport.js';
import type { LogEvent } from '#wire/foolscap/logport.js';
import type { RemoteReference } from '#wire/foolscap/tub.js';
import { eventOfLogLine } from '../../logs/flogfile.js';
import { INCIDENT_COUNT_MAX, listIncidents, readTrigger } from '../../logs/incident-files.js';
import type { IncidentKeeper } from '../../logs/incidents.js';
import type { RecentLines } from '../../logs/recent-lines.js';
import { OBSERVER_TIMEOUT_MS } from './subscription.js';
import type { Feed } from './subscription.js';

/** Events that one observer has not answered yet. */
export const EVENTS_IN_FLIGHT_MAX = 10;

const inTime = { timeoutMs: OBSERVER_TIMEOUT_MS };

/** The lines of a log as events. A reader who is slower than the log misses the oldest. */
export class EventFeed implements Feed {
  readonly inFlightMax = EVENTS_IN_FLIGHT_MAX;
  readonly #lines: RecentLines;
  #nextNumber: number;

  /** @param catchUp - whether with the lines that are there already. */
  constructor(lines: RecentLines, catchUp: boolean) {
    this.#lines = lines;
    this.#nextNumber = catchUp ? lines.firstNumber : lines.endNumber;
  }

  tellNext(observer: RemoteReference): Promise<unknown> | undefined {
    this.#nextNumber = Math.max(this.#nextNumber, this.#lines.firstNumber);
    for (;;) {
      const line = this.#lines.line(this.#nextNumber);
      if (line === undefined) return undefined;
      this.#nextNumber += 1;
      const event = eventOfLogLine(line);
      if (event !== undefined) return observer.call('msg', [formatLogEvent(event)], undefined, inTime);
    }
  }

  watch(told: () => void): () => void {
    return this.#lines.watch(told);
  }
}

/** What waits to be told. */
type Item =
  | { readonly kind: 'all since'; readonly since: string }
  | { readonly kind: 'incident'; readonly name: string; readonly trigger?: LogEvent }
  | { readonly kind: 'end of those' };

/** Incidents by their names and what made them, one after the other. */
export class IncidentFeed implements Feed {
  readonly inFlightMax = 1;
  readonly #incidents: IncidentKeeper;
  readonly #waiting: Item[] = [];

  /** @param since - whether to begin with those that are there, after which name; undefined for none of them. */
  constructor(incidents: IncidentKeeper, since: string | undefined) {
    this.#incidents = incidents;
    if (since !== undefined) this.#waiting.push({ kind: 'all since', since });
  }

  tellNext(observer: RemoteReference): Promise<unknown> | undefined {
    const next = this.#waiting.shift();
    return next && this.#tell(observer, next);
  }

  watch(told: () => void): () => void {
    return this.#incidents.watch((name, trigger) => {
      // Their files go as well.
      if (this.#waiting.length > INCIDENT_COUNT_MAX) this.#waiting.shift();
      this.#waiting.push({ kind: 'incident', name, trigger });
      told();
    });
  }

  async #tell(observer: RemoteReference, item: Item): Promise<void> {
    switch (item.kind) {
      case 'all since':
        await this.#addEarlier(item.since);
        return;
      case 'incident': {
        const trigger = item.trigger ?? (await readTrigger(this.#incidents.directory, item.name));
        if (trigger === undefined) return;
        await observer.call('new_incident', [utf8(item.name), formatLogEvent(trigger)], undefined, inTime);
        return;
      }
      case 'end of those':
        await observer.call('done_with_incident_catchup', [], undefined, inTime);
    }
  }

  /** What has come meanwhile waits already, and is told behind them. */
  async #addEarlier(since: string): Promise<void> {
    const names = await listIncidents(this.#incidents.directory, since);
    const heard = new Set(this.#waiting.map((item) => (item.kind === 'incident' ? item.name : '')));
    const earlier = names.filter((name) => !heard.has(name)).map((name): Item => ({ kind: 'incident', name }));
    this.#waiting.unshift(...earlier, { kind: 'end of those' });
  }
}
