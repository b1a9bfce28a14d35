/**
 * The log of a node as an object that Foolscap peers call: flogtool, by the furl in private/logport.furl, and gatherers, which
 * are given it. They are told of events and of incidents, and can fetch incidents whole, all of it clean of secrets.
 * @see https://foolscap.readthedocs.io, "Foolscap Logging"
 */
import type { Log } from '#core/environment.js';
import { reasonOf, TahoeError } from '#core/errors.js';
import { RemoteFailure } from '#wire/foolscap/failures.js';
import {
  formatIncident,
  formatLogEvent,
  formatVersions,
  incidentNameShape,
  logInterfaces,
  parseIncidentSubscription,
  parseSubscription,
} from '#wire/foolscap/logport.js';
import type { SubscriptionRequest } from '#wire/foolscap/logport.js';
import { takeArguments, takeSomeArguments } from '#wire/foolscap/shapes.js';
import type { CallArguments, PeerConnection, RemoteObject } from '#wire/foolscap/tub.js';
import { violation } from '#wire/foolscap/value-builders.js';
import { Dict } from '#wire/foolscap/values.js';
import type { Value } from '#wire/foolscap/values.js';
import { listIncidents, readIncident, readTrigger } from '../../logs/incident-files.js';
import type { KeptLogs } from '../../logs/keep-logs.js';
import { applicationVersion } from '../../version.js';
import { EventFeed, IncidentFeed } from './feeds.js';
import { Subscription } from './subscription.js';
import type { Feed } from './subscription.js';

/** Subscriptions of all peers at a time. */
export const SUBSCRIPTION_COUNT_MAX = 32;

/** What of the logs is published. */
export type LogSource = Pick<KeptLogs, 'lines' | 'incidents'>;

/** Must be closed. */
export class LogPublisher implements RemoteObject {
  readonly interfaceName = logInterfaces.publisher;
  readonly #source: LogSource;
  readonly #log: Log;
  readonly #subscriptions = new Set<Subscription>();
  /** What each peer reads of files: one thing after the other, so that its answers do not pile up. */
  readonly #reading = new WeakMap<PeerConnection, Promise<unknown>>();

  constructor(source: LogSource, log: Log) {
    this.#source = source;
    this.#log = log;
  }

  /** Who is told of anything now. */
  get subscriptionCount(): number {
    return this.#subscriptions.size;
  }

  async call(method: string, given: CallArguments, peer: PeerConnection): Promise<Value> {
    switch (method) {
      case 'get_versions':
        return formatVersions({ tallac: applicationVersion });
      case 'get_pid':
        return process.pid;
      case 'subscribe_to_all':
        return this.#subscribeToAll(parseSubscription(given));
      case 'subscribe_to_incidents':
        return this.#subscribeToIncidents(parseIncidentSubscription(given));
      case 'unsubscribe':
        return unsubscribe(given);
      case 'enumerate_logfiles':
        return [];
      case 'list_incidents':
        return this.#inTurn(peer, () => this.#listIncidents(given));
      case 'get_incident':
        return this.#inTurn(peer, () => this.#getIncident(given));
      default:
        throw violation(`there is no method ${method.slice(0, 64)}`);
    }
  }

  /** Tells nobody any more. */
  close(): void {
    for (const subscription of [...this.#subscriptions]) subscription.end();
  }

  #subscribeToAll({ catchUp, observer }: SubscriptionRequest): Subscription {
    return this.#subscribe(observer, new EventFeed(this.#source.lines, catchUp));
  }

  #subscribeToIncidents({ catchUp, observer, since }: SubscriptionRequest): Subscription {
    return this.#subscribe(observer, new IncidentFeed(this.#source.incidents, catchUp ? since : undefined));
  }

  #subscribe(observer: SubscriptionRequest['observer'], feed: Feed): Subscription {
    if (this.#subscriptions.size >= SUBSCRIPTION_COUNT_MAX) {
      throw new TahoeError('ERR_BUSY', { what: 'places for observers of the log', limit: SUBSCRIPTION_COUNT_MAX });
    }
    const peer = observer.peer.tubId.slice(0, 8);
    const subscription = new Subscription(observer, feed, (reason) => {
      this.#subscriptions.delete(subscription);
      if (![...this.#subscriptions].some((other) => other.observer === observer)) observer.release();
      if (reason !== undefined && observer.connected) {
        this.#log.info('observer of the log dropped', { peer, reason: reasonOf(reason) });
      }
    });
    this.#subscriptions.add(subscription);
    subscription.start();
    return subscription;
  }

  async #listIncidents(given: CallArguments): Promise<Dict> {
    const { directory } = this.#source.incidents;
    const [since = null] = takeSomeArguments(given, 0, 'since');
    const names = await listIncidents(directory, since === null ? '' : incidentNameShape(since, 'since'));
    const entries: [string, Value][] = [];
    for (const name of names) {
      const trigger = await readTrigger(directory, name);
      if (trigger !== undefined) entries.push([name, formatLogEvent(trigger)]);
    }
    return new Dict(entries);
  }

  async #getIncident(given: CallArguments): Promise<Value> {
    const [name = null] = takeArguments(given, 'incident_name');
    const incident = await readIncident(this.#source.incidents.directory, incidentNameShape(name, 'incident_name'));
    if (incident === undefined) throw new RemoteFailure('builtins.KeyError', 'there is no incident of that name here');
    return formatIncident(incident, incident.events);
  }

  /** Runs `action` when all that the peer asked for before has been answered and mostly read. */
  #inTurn<Result>(peer: PeerConnection, action: () => Promise<Result>): Promise<Result> {
    const before = this.#reading.get(peer) ?? Promise.resolve();
    const turn = before.then(() => peer.room()).then(action);
    const done = turn.then(
      () => undefined,
      () => undefined,
    );
    this.#reading.set(peer, done);
    return turn;
  }
}

/** The way of old. */
function unsubscribe(given: CallArguments): null {
  const [subscription = null] = takeArguments(given, 'subscription');
  if (!(subscription instanceof Subscription)) throw violation('the subscription is none');
  subscription.end();
  return null;
}
