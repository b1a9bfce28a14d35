/** What the gateway's JSON says of a file or a directory, as far as commands need it. */
import { utf8 } from '#core/bytes.js';
import { parsePythonJson } from '#core/directory/json-parse.js';
import { isJsonObject } from '#core/directory/json-value.js';
import type { JsonObject, JsonValue } from '#core/directory/json-value.js';
import { isTahoeError, TahoeError } from '#core/errors.js';
import type { GatewayClient } from './gateway-client.js';
import { addressOf } from './remote-path.js';
import type { RemotePath } from './remote-path.js';

const JSON_VALUES_MAX = 10_000_000;
/** The longest listing that is kept whole, in bytes: the largest directory has some 150 000 entries. */
export const LISTING_SIZE_MAX = 268_435_456;

/** A file, a directory, or what a later version made. Capabilities are secrets. */
export interface GridNode {
  readonly type: 'filenode' | 'dirnode' | 'unknown';
  readonly write: string | undefined;
  readonly read: string | undefined;
  readonly isMutable: boolean;
  /** In bytes, where it is known. */
  readonly size: number | undefined;
  /** Those of a directory by their names, where they were asked for. */
  readonly children: ReadonlyMap<string, GridNode>;
}

/** Asks for it. @throws ERR_GATEWAY_REPLY with the gateway's status; ERR_GATEWAY, ERR_TIMEOUT. */
export async function readNode(client: GatewayClient, place: RemotePath, signal: AbortSignal): Promise<GridNode> {
  const options = { signal, replySizeMax: LISTING_SIZE_MAX };
  return parseNode((await client.call('GET', `${addressOf(place)}?t=json`, options)).text);
}

/** The same; undefined where there is nothing. */
export async function findNode(
  client: GatewayClient,
  place: RemotePath,
  signal: AbortSignal,
): Promise<GridNode | undefined> {
  try {
    return await readNode(client, place, signal);
  } catch (error) {
    if (isTahoeError(error, 'ERR_GATEWAY_REPLY') && error.facts.status === 404) return undefined;
    throw error;
  }
}

/** Reads the JSON. @throws ERR_GATEWAY_REPLY when it is not that of a file or a directory. */
export function parseNode(text: string): GridNode {
  try {
    return nodeOf(parsePythonJson(utf8(text), { valuesLeft: JSON_VALUES_MAX }));
  } catch (error) {
    if (!isTahoeError(error, 'ERR_JSON')) throw error;
    throw unexpected();
  }
}

function nodeOf(value: JsonValue): GridNode {
  const [type, fields] = Array.isArray(value) ? (value as readonly JsonValue[]) : [];
  if (!isJsonObject(fields)) throw unexpected();
  const size = fields.get('size');
  const children = fields.get('children');
  return {
    type: type === 'filenode' || type === 'dirnode' ? type : 'unknown',
    write: textIn(fields, 'rw_uri'),
    read: textIn(fields, 'ro_uri'),
    isMutable: fields.get('mutable') === true,
    size: typeof size === 'bigint' ? Number(size) : undefined,
    children: new Map(isJsonObject(children) ? [...children].map(([name, child]) => [name, nodeOf(child)]) : []),
  };
}

function textIn(fields: JsonObject, key: string): string | undefined {
  const value = fields.get(key);
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function unexpected(): TahoeError {
  return new TahoeError('ERR_GATEWAY_REPLY', { status: 200, reason: 'this is not the JSON of a file or a directory' });
}
