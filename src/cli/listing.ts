/** A listing as `ls` prints it: from the web API's JSON to lines in columns. */
import { utf8 } from '#core/bytes.js';
import { parsePythonJson } from '#core/directory/json-parse.js';
import { isJsonObject } from '#core/directory/json-value.js';
import type { JsonObject, JsonValue } from '#core/directory/json-value.js';
import { compareNames } from '#core/directory/names.js';
import { isTahoeError, TahoeError } from '#core/errors.js';

const JSON_VALUES_MAX = 10_000_000;
/** What was linked longer ago is shown with its year. */
const RECENT_SECONDS = 6 * 30 * 24 * 60 * 60;
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** One entry. */
export interface ListedEntry {
  readonly name: string;
  readonly type: 'filenode' | 'dirnode' | 'unknown';
  /** In bytes; undefined when it is not known. */
  readonly size: bigint | undefined;
  readonly write: string | undefined;
  readonly read: string | undefined;
  /** When it was first linked, in seconds since 1970. */
  readonly linkedAt: number | undefined;
}

/** What is to be shown. */
export interface ListingChoice {
  readonly long?: boolean;
  readonly uri?: boolean;
  readonly readonlyUri?: boolean;
  readonly classify?: boolean;
}

/**
 * The entries that the JSON of a directory holds, in the order of their names; those of a file are itself.
 * @param name - of what was asked for, should it be a file.
 * @throws ERR_GATEWAY_REPLY when it is no such JSON.
 */
export function parseListing(text: string, name: string): ListedEntry[] {
  const value = parsed(text);
  const [type, fields] = pair(value);
  if (type !== 'dirnode') return [entryOf(name, value)];
  const children = fields.get('children');
  if (!isJsonObject(children)) throw unexpected();
  return [...children].map(([child, what]) => entryOf(child, what)).sort((a, b) => compareNames(a.name, b.name));
}

/** The lines, in columns. @param nowMs - Unix milliseconds. */
export function listingLines(entries: readonly ListedEntry[], choice: ListingChoice, nowMs: number): string[] {
  const rows = entries.map((entry) => cellsOf(entry, choice, nowMs / 1000));
  const columns = (rows[0] ?? []).map((_cell, i) => rows.map((row) => row[i] ?? ''));
  const widths = columns.map((cells) => cells.reduce((width, cell) => Math.max(width, lengthOf(cell)), 0));
  const isLeft = columns.map((cells) => columns.length === 1 || cells.some((cell) => cell.startsWith('URI')));
  return rows.map((row) =>
    row
      .map((cell, i) => {
        const blanks = ' '.repeat((widths[i] ?? 0) - lengthOf(cell));
        return isLeft[i] === true ? cell + blanks : blanks + cell;
      })
      .join(' ')
      .trimEnd(),
  );
}

function cellsOf(entry: ListedEntry, choice: ListingChoice, nowSeconds: number): string[] {
  const { name, type, size, read, write, linkedAt } = entry;
  const isDirectory = type === 'dirnode';
  const kind = isDirectory ? 'd' : type === 'filenode' ? '-' : '?';
  const grants = `${read === undefined ? '-' : 'r'}${write === undefined ? '-' : 'w'}${isDirectory ? 'x' : '-'}`;
  const mark = isDirectory ? '/' : type === 'unknown' ? '?' : write === undefined ? '' : '*';
  return [
    ...(choice.long === true
      ? [kind + grants, isDirectory ? '-' : String(size ?? '?'), timeText(linkedAt, nowSeconds)]
      : []),
    `${printable(name)}${choice.classify === true ? mark : ''}`,
    ...(choice.uri === true ? [printable(write ?? read ?? '-')] : []),
    ...(choice.readonlyUri === true ? [printable(read ?? '-')] : []),
  ];
}

/** In the zone of whoever reads it, as `ls` of Unix has it. */
function timeText(seconds: number | undefined, nowSeconds: number): string {
  const date = new Date((seconds ?? Number.NaN) * 1000);
  if (seconds === undefined || Number.isNaN(date.getTime())) return '-';
  const two = (number: number): string => String(number).padStart(2, '0');
  const day = `${MONTHS[date.getMonth()] ?? ''} ${two(date.getDate())}`;
  if (nowSeconds - seconds > RECENT_SECONDS) return `${day}  ${String(date.getFullYear())}`;
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}`;
}

/** In code points, as Python counts. */
function lengthOf(cell: string): number {
  return Array.from(cell).length;
}

/** Names are anybody's words: what would steer a terminal is shown, not sent. */
function printable(text: string): string {
  return text.replaceAll(/\p{Cc}/gu, (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`);
}

function entryOf(name: string, value: JsonValue): ListedEntry {
  const [type, fields] = pair(value);
  const text = (key: string): string | undefined => {
    const field = fields.get(key);
    return typeof field === 'string' && field !== '' ? field : undefined;
  };
  const size = fields.get('size');
  return {
    name,
    type: type === 'filenode' || type === 'dirnode' ? type : 'unknown',
    size: typeof size === 'bigint' ? size : undefined,
    write: text('rw_uri'),
    read: text('ro_uri'),
    linkedAt: linkedAt(fields.get('metadata')),
  };
}

function linkedAt(metadata: JsonValue | undefined): number | undefined {
  if (!isJsonObject(metadata)) return undefined;
  const system = metadata.get('tahoe');
  const created = isJsonObject(system) ? system.get('linkcrtime') : undefined;
  const isTime = (value: JsonValue | undefined): value is number | bigint =>
    (typeof value === 'number' || typeof value === 'bigint') && Number(value) !== 0;
  const time = isTime(created) ? created : metadata.get('ctime');
  return isTime(time) ? Number(time) : undefined;
}

function pair(value: JsonValue): readonly [type: JsonValue, fields: JsonObject] {
  if (!Array.isArray(value)) throw unexpected();
  const [type = null, fields] = value as readonly JsonValue[];
  if (!isJsonObject(fields)) throw unexpected();
  return [type, fields];
}

function parsed(text: string): JsonValue {
  try {
    return parsePythonJson(utf8(text), { valuesLeft: JSON_VALUES_MAX });
  } catch (error) {
    if (!isTahoeError(error)) throw error;
    throw unexpected();
  }
}

function unexpected(): TahoeError {
  return new TahoeError('ERR_GATEWAY_REPLY', { status: 200, reason: 'this is not the JSON of a file or a directory' });
}
