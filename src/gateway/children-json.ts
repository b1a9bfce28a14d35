/**
 * Children that a program gives as JSON, in the form in which directories are printed: `{NAME: [TYPE, {rw_uri, ro_uri,
 * metadata}]}`. The type is not looked at: the capability says what it is.
 * @see Tahoe-LAFS docs/frontends/webapi.rst, "Creating a New Directory"
 */
import { childOfText } from '#core/directory/child.js';
import type { Child } from '#core/directory/child.js';
import { METADATA_VALUES_MAX } from '#core/directory/entries.js';
import { parsePythonJson } from '#core/directory/json-parse.js';
import { isJsonObject } from '#core/directory/json-value.js';
import type { JsonObject, JsonValue } from '#core/directory/json-value.js';
import type { Metadata } from '#core/directory/metadata.js';
import { normalizeName } from '#core/directory/names.js';
import { TahoeError, isTahoeError } from '#core/errors.js';

/** The longest such JSON, in bytes. */
export const CHILDREN_SIZE_MAX = 67_108_864;

/** One child as it was given. */
export interface GivenChild {
  readonly name: string;
  readonly child: Child;
  readonly metadata: Metadata | undefined;
}

/**
 * The children that `body` names; none when it is empty.
 * @throws ERR_USAGE when it is no such JSON, ERR_CHILD_CAPABILITY, ERR_CHILD_NAME
 */
export function parseChildren(body: Uint8Array): GivenChild[] {
  if (body.length === 0) return [];
  const children = parsed(body);
  if (!isJsonObject(children)) throw unusable('it is no object');
  return [...children].map(([name, value]) => givenChild(name, value));
}

/** The child that a capability is, written as text. @throws ERR_CHILD_CAPABILITY */
export function childOfGiven(name: string, text: { readonly write?: string; readonly read?: string }): Child {
  const child = childOfText(text, { deepImmutable: false });
  if (child.kind === 'refused') throw new TahoeError('ERR_CHILD_CAPABILITY', { name, reason: child.reason });
  return child;
}

function parsed(body: Uint8Array): JsonValue {
  try {
    return parsePythonJson(body, { valuesLeft: METADATA_VALUES_MAX });
  } catch (error) {
    if (!isTahoeError(error, 'ERR_JSON')) throw error;
    throw unusable(error.facts.reason, error);
  }
}

function givenChild(name: string, value: JsonValue): GivenChild {
  const fields = Array.isArray(value) ? (value as readonly JsonValue[])[1] : undefined;
  const what = JSON.stringify(name);
  if (!isJsonObject(fields)) throw unusable(`${what} is not [TYPE, {…}]`);
  const metadata = fields.get('metadata') ?? undefined;
  if (metadata !== undefined && !isJsonObject(metadata)) throw unusable(`the metadata of ${what} are no object`);
  const [write, read] = [textIn(fields, 'rw_uri', what), textIn(fields, 'ro_uri', what)];
  const text = { ...(write === undefined ? {} : { write }), ...(read === undefined ? {} : { read }) };
  return { name: normalizeName(name), child: childOfGiven(name, text), metadata };
}

function textIn(fields: JsonObject, key: string, what: string): string | undefined {
  const value = fields.get(key) ?? undefined;
  if (value === undefined || typeof value === 'string') return value;
  throw unusable(`${key} of ${what} is no string`);
}

function unusable(reason: string, cause?: unknown): TahoeError {
  return new TahoeError('ERR_USAGE', { reason: `this is not the JSON of children: ${reason}` }, { cause });
}
