/**
 * Files of log events as Foolscap's flogtool reads and writes them, and the lines of our own log as the same events.
 *
 *     # foolscap flogfile v1
 *     {"header": {"type": "incident", "trigger": EVENT, "pid": …, "versions": {…}}}
 *     {"from": "local", "rx_time": SECONDS, "d": EVENT}
 *
 * Pure: lines in, values out.
 */
import { TahoeError } from '#core/errors.js';
import type { LogEvent } from '#wire/foolscap/logport.js';

/** The first line. */
export const FLOG_MAGIC = '# foolscap flogfile v1';

/** One line behind the magic: an event, or something else. */
export interface FlogLine {
  /** Of whom the event is; undefined where there is none. */
  readonly from?: string | undefined;
  readonly event?: LogEvent | undefined;
  /** Of a header: the event that made the incident. */
  readonly trigger?: LogEvent | undefined;
  /** Of a header. */
  readonly pid?: number | undefined;
  /** Of a header. */
  readonly versions?: Readonly<Record<string, string>> | undefined;
  /** As it was read. */
  readonly text: string;
}

/** Foolscap's names of severity. */
export const flogLevels: Readonly<Record<string, number>> = {
  NOISY: 10,
  OPERATIONAL: 20,
  UNUSUAL: 23,
  INFREQUENT: 25,
  CURIOUS: 28,
  WEIRD: 30,
  SCARY: 35,
  BAD: 40,
};
/** Those of our log. */
const ownLevels: Readonly<Record<string, number>> = { debug: 10, info: 20, warn: 25, error: 30 };
/** What is no fact of an event. */
const FRAME = new Set(['message_type', 'log_level', 'task_uuid', 'task_level', 'timestamp']);

/** A line of our log as an event; undefined when it is none. @param line - JSON in the shape of Eliot. */
export function eventOfLogLine(line: string): LogEvent | undefined {
  const parsed = parseObject(line);
  const { log_level: level, message_type: type, task_level: place, task_uuid: task, timestamp: time } = parsed ?? {};
  if (parsed === undefined || typeof type !== 'string' || typeof time !== 'number') return undefined;
  const facts = Object.entries(parsed).filter(([name]) => !FRAME.has(name));
  const message = [type, ...facts.map(([name, value]) => `${name}=${String(value)}`)].join(' ');
  const num = Array.isArray(place) && typeof place[0] === 'number' ? place[0] : 0;
  const facility = 'tallac';
  return { num, time, incarnation: [task ?? '', null], level: ownLevels[String(level)] ?? 20, facility, message };
}

/** The line of an event. */
export function formatEvent(event: LogEvent, from = 'local'): string {
  return JSON.stringify({ from, rx_time: event.time, d: event });
}

/** The lines at the head of an incident. */
export function formatIncidentHead(trigger: LogEvent, pid: number, versions: Readonly<Record<string, string>>): string {
  return `${FLOG_MAGIC}\n${JSON.stringify({ header: { type: 'incident', trigger, pid, versions } })}\n`;
}

/**
 * Reads a whole file: one of Foolscap's, or one of our own log.
 * @throws ERR_USAGE when it is neither.
 */
export function parseFlog(text: string, name: string): readonly FlogLine[] {
  const [first = '', ...rest] = text.split('\n');
  if (first === FLOG_MAGIC) return rest.filter((line) => line !== '').map((line, i) => parseLine(line, name, i + 2));
  const lines = text.split('\n').filter((line) => line !== '');
  return lines.map((line, i) => {
    const event = eventOfLogLine(line);
    if (event === undefined) throw notRead(name, i + 1);
    return { from: 'local', event, text: formatEvent(event) };
  });
}

function parseLine(text: string, name: string, number: number): FlogLine {
  const parsed = parseObject(text);
  if (parsed === undefined) throw notRead(name, number);
  if ('header' in parsed) {
    const { pid, trigger, versions } = isObject(parsed['header']) ? parsed['header'] : {};
    return {
      text,
      trigger: asEvent(trigger),
      pid: typeof pid === 'number' ? pid : undefined,
      versions: isObject(versions)
        ? Object.fromEntries(Object.entries(versions).map(([key, value]) => [key, String(value)]))
        : undefined,
    };
  }
  const { d, from } = parsed;
  return { text, from: typeof from === 'string' ? from : '', event: asEvent(d) };
}

function asEvent(value: unknown): LogEvent | undefined {
  if (!isObject(value) || typeof value['num'] !== 'number' || typeof value['time'] !== 'number') return undefined;
  const { facility, format, incarnation, level, message, num, time } = value;
  return {
    num,
    time,
    incarnation: Array.isArray(incarnation) ? (incarnation as unknown[]) : [],
    level: typeof level === 'number' ? level : 20,
    facility: typeof facility === 'string' ? facility : '',
    message: typeof message === 'string' ? message : typeof format === 'string' ? filled(format, value) : '',
  };
}

/** Python's `%(name)s` and its kin, filled in. */
function filled(format: string, values: Readonly<Record<string, unknown>>): string {
  return format.replaceAll(/%\(([^)]+)\)[-0-9.]*[a-z]/g, (_all, name: string) => {
    const value = values[name];
    return typeof value === 'string' ? value : JSON.stringify(value ?? null);
  });
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function parseObject(line: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function notRead(name: string, line: number): TahoeError {
  const reason = `'${name}' is neither a flogfile nor a log of this program: line ${String(line)} cannot be read`;
  return new TahoeError('ERR_USAGE', { reason });
}
