/**
 * The remote interfaces of logs: what a node offers whoever follows its log, and what it asks of a gatherer.
 *
 *     RILogPublisher   get_versions  get_pid  enumerate_logfiles  list_incidents(since)  get_incident(name)
 *                      subscribe_to_all(observer, catch_up)  subscribe_to_incidents(observer, catch_up, since)
 *                      unsubscribe(subscription)
 *     RISubscription   unsubscribe
 *     RILogObserver    msg(event)  new_incident(name, trigger)  done_with_incident_catchup
 *     RILogGatherer    logport(nodeid, publisher)
 *
 * An event is a dict with text for keys, for its receivers write it down as JSON.
 * @see https://foolscap.readthedocs.io, "Foolscap Logging"
 */
import { fromUtf8, utf8 } from '#core/bytes.js';
import { booleanShape, optional, referenceTo, takeSomeArguments } from './shapes.js';
import type { Shape } from './shapes.js';
import type { CallArguments, RemoteReference } from './tub.js';
import { violation } from './value-builders.js';
import { Dict, Float, Tuple } from './values.js';
import type { Value } from './values.js';

/** The names of the interfaces on the wire. */
export const logInterfaces = {
  publisher: 'RILogPublisher.foolscap.lothar.com',
  subscription: 'RISubscription.foolscap.lothar.com',
  observer: 'RILogObserver.foolscap.lothar.com',
} as const;

/** The longest name of an incident, in characters. */
const NAME_LENGTH_MAX = 200;

/** One event, as it is logged. */
export interface LogEvent {
  readonly num: number;
  /** Unix seconds. */
  readonly time: number;
  /** Which process it is of: numbers start again with each. */
  readonly incarnation: readonly unknown[];
  /** 10 noisy, 20 operational, 30 weird, 40 bad. */
  readonly level: number;
  readonly facility: string;
  readonly message: string;
}

/** What stands at the head of an incident. */
export interface IncidentHead {
  readonly trigger: LogEvent;
  readonly pid: number;
  readonly versions: Readonly<Record<string, string>>;
}

/** Who wants to hear of what. */
export interface SubscriptionRequest {
  readonly observer: RemoteReference;
  /** Whether of what has been already, too. */
  readonly catchUp: boolean;
  /** Of incidents whose names come after this. */
  readonly since: string;
}

/** An event. What is no whole number where one belongs is 0: files of others may hold anything. */
export function formatLogEvent({ facility, incarnation, level, message, num, time }: LogEvent): Dict {
  const whole = (value: number): number => (Number.isSafeInteger(value) ? value : 0);
  return new Dict([
    ['num', whole(num)],
    ['time', new Float(time)],
    ['incarnation', new Tuple(...incarnation.map((part) => (typeof part === 'string' ? part : null)))],
    ['level', whole(level)],
    ['facility', facility],
    ['message', message],
  ]);
}

/** What get_incident answers. */
export function formatIncident({ pid, trigger, versions }: IncidentHead, events: readonly LogEvent[]): Tuple {
  const head = new Dict([
    ['type', 'incident'],
    ['trigger', formatLogEvent(trigger)],
    ['pid', pid],
    ['versions', new Dict(Object.entries(versions))],
  ]);
  return new Tuple(head, events.map(formatLogEvent));
}

/** What get_versions answers. */
export function formatVersions(versions: Readonly<Record<string, string>>): Dict {
  return new Dict(Object.entries(versions).map(([name, version]) => [utf8(name), utf8(version)]));
}

/** The name of an incident, be it bytes or text. */
export const incidentNameShape: Shape<string> = (value, what) => {
  const text = value instanceof Uint8Array ? decoded(value) : value;
  if (typeof text === 'string' && text.length <= NAME_LENGTH_MAX) return text;
  throw violation(`${what} is not the name of an incident`);
};

/** The arguments of subscribe_to_all. @throws ERR_VIOLATION. */
export function parseSubscription(given: CallArguments): SubscriptionRequest {
  return subscriptionOf(takeSomeArguments(given, 1, 'observer', 'catch_up'));
}

/** The arguments of subscribe_to_incidents. @throws ERR_VIOLATION. */
export function parseIncidentSubscription(given: CallArguments): SubscriptionRequest {
  return subscriptionOf(takeSomeArguments(given, 1, 'observer', 'catch_up', 'since'));
}

function subscriptionOf([observer = null, catchUp = null, since = null]: readonly Value[]): SubscriptionRequest {
  return {
    observer: referenceTo(logInterfaces.observer)(observer, 'the observer'),
    catchUp: optional(booleanShape)(catchUp, 'catch_up') ?? false,
    since: optional(incidentNameShape)(since, 'since') ?? '',
  };
}

function decoded(bytes: Uint8Array): string | undefined {
  try {
    return bytes.length > NAME_LENGTH_MAX ? undefined : fromUtf8(bytes);
  } catch {
    return undefined;
  }
}
