/**
 * The log: one JSON line an event on standard output, written by pino.
 *
 * Facts should hold no secret. In case one does, every text passes a redactor that recognises capabilities,
 * the swissnums of furls and NURLs, private keys and Authorization values, plain or percent-encoded, and
 * blots out what opens them.
 */
import { randomUUID } from 'node:crypto';
import { pino } from 'pino';
import type { DestinationStream } from 'pino';
import type { Log, LogFacts } from '#core/environment.js';

/** The least important events that are written. */
export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

/** One character, plain or percent-encoded once or more often. */
const encoded = (plain: string, code: string): string => `(?:${plain}|%(?:25)*${code})`;
const COLON = encoded(':', '3[Aa]');
const SLASH = encoded('/', '2[Ff]');
const AT = encoded('@', '40');

/** What is recognised; the first group stays, the rest is blotted out. */
const SECRETS = [
  new RegExp(`(URI${COLON}[A-Za-z0-9-]+${COLON})[^\\s"'<>,;/?&]+`, 'g'),
  new RegExp(`(pb(?:\\+[a-z0-9]+)?${COLON}${SLASH}{2}[A-Za-z0-9_-]+${AT})[^\\s"'<>]+`, 'g'),
  /(priv-v0-)[a-z2-7]+/g,
  /((?:Tahoe-LAFS|tahoe-lafs|Bearer|Basic) )[A-Za-z0-9+/_=-]{8,}/g,
];
const BLOT = '[hidden]';
/** All lines of one process belong to one task. */
const TASK = randomUUID();

/** `text` with everything blotted out that looks like a secret. */
export function redact(text: string): string {
  return SECRETS.reduce((clean, secret) => clean.replaceAll(secret, `$1${BLOT}`), text);
}

function redactFacts(facts: LogFacts): LogFacts {
  return Object.fromEntries(
    Object.entries(facts).map(([name, value]) => [name, typeof value === 'string' ? redact(value) : value]),
  );
}

/** Is told each line as JSON, and how important it is. */
export type LogListener = (line: string, level: LogLevel) => void;

/** A log that must be flushed at the end. */
export interface NodeLog extends Log {
  /** Has every line told that is written, as JSON of the reference's shape. @returns what ends it. */
  follow(told: LogListener): () => void;
  /** From now on, the least important events that are written. */
  setLevel(level: LogLevel): void;
  /** Writes out what is still held back. */
  close(): void;
}

/**
 * Opens the log.
 * @param level - the least important events to write.
 * @param destination - where the lines go; standard output when left out. A reader that goes away is no failure.
 */
export function createLog(level: LogLevel, destination: DestinationStream = standardOutput()): NodeLog {
  const format = {
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    messageKey: 'event',
    formatters: { level: (label: string) => ({ level: label }) },
  };
  const logger = pino({ level, ...format }, destination);
  const followers = new Followers();
  const write =
    (at: LogLevel) =>
    (event: string, facts: LogFacts = {}): void => {
      const [cleanFacts, cleanEvent] = [redactFacts(facts), redact(event)];
      logger[at](cleanFacts, cleanEvent);
      if (logger.isLevelEnabled(at)) followers.tell(at, cleanEvent, cleanFacts);
    };
  return {
    debug: write('debug'),
    info: write('info'),
    warn: write('warn'),
    error: write('error'),
    follow: (told) => followers.add(told),
    setLevel: (to) => {
      logger.level = to;
    },
    close: () => {
      logger.flush();
    },
  };
}

function standardOutput(): DestinationStream {
  const stream = pino.destination({ fd: 1, sync: true });
  // A closed pipe must not end the node: whoever started it may have stopped reading.
  stream.on('error', () => undefined);
  return stream;
}

/** Those who read the log while it is written. */
class Followers {
  readonly #all = new Set<LogListener>();
  #count = 0;

  add(told: LogListener): () => void {
    this.#all.add(told);
    return () => {
      this.#all.delete(told);
    };
  }

  /** In the shape of Eliot, which readers of the reference's log know. */
  tell(level: LogLevel, event: string, facts: LogFacts): void {
    if (this.#all.size === 0) return;
    const place = { task_uuid: TASK, task_level: [++this.#count], timestamp: Date.now() / 1000 };
    const line = JSON.stringify({ ...facts, ...place, message_type: event, log_level: level });
    for (const told of this.#all) told(line, level);
  }
}
