/**
 * config.json of a grid manager: its key, and the storage servers that it knows by names of its own.
 *
 *     {"grid_manager_config_version": 0, "private_key": "priv-v0-…",
 *      "storage_servers": {NAME: {"public_key": "pub-v0-…"}}}
 *
 * @see Tahoe-LAFS src/allmydata/grid_manager.py
 */
import { TahoeError } from '#core/errors.js';
import { dangerouslyFormatPrivateKey, parsePrivateKey, parsePublicKey } from './signing-key.js';

/** A grid manager. */
export interface GridManagerConfig {
  /** The Ed25519 seed, 32 bytes. Secret. */
  readonly seed: Uint8Array;
  /** `pub-v0-…` by name, in the order in which they were added. */
  readonly servers: ReadonlyMap<string, string>;
}

/** @throws ERR_FILE when the text is not such a file. @param file - what errors call it. */
export function parseGridManagerConfig(text: string, file: string): GridManagerConfig {
  const config = asRecord(parseJson(text, file), file, 'it is no JSON object');
  if (config.get('grid_manager_config_version') !== 0) {
    throw unusable(file, 'its grid_manager_config_version is not 0');
  }
  const key = config.get('private_key');
  const seed = typeof key === 'string' ? parsePrivateKey(key) : undefined;
  if (seed === undefined) throw unusable(file, 'its private_key is not priv-v0- and 52 characters of base32');
  const listed = asRecord(config.get('storage_servers') ?? {}, file, 'its storage_servers are no object');
  const servers = new Map<string, string>();
  for (const [name, entry] of listed) servers.set(name, publicKeyOf(entry, name, file));
  return { seed, servers };
}

/** The file's text. Secret. */
export function dangerouslyFormatGridManagerConfig({ seed, servers }: GridManagerConfig): string {
  const listed = [...servers].map(([name, publicKey]) => [name, { public_key: publicKey }] as const);
  const config = {
    grid_manager_config_version: 0,
    private_key: dangerouslyFormatPrivateKey(seed),
    ...(listed.length === 0 ? {} : { storage_servers: Object.fromEntries(listed) }),
  };
  return `${JSON.stringify(config, null, 4)}\n`;
}

function publicKeyOf(entry: unknown, name: string, file: string): string {
  const key = asRecord(entry, file, `storage server '${name}' is no object`).get('public_key');
  if (typeof key === 'string' && parsePublicKey(key) !== undefined) return key;
  throw unusable(file, `the public_key of storage server '${name}' is not pub-v0- and 52 characters of base32`);
}

function parseJson(text: string, file: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The error of JSON.parse repeats the text, which holds the key.
    throw unusable(file, 'it is not JSON');
  }
}

function asRecord(value: unknown, file: string, reason: string): ReadonlyMap<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw unusable(file, reason);
  return new Map<string, unknown>(Object.entries(value));
}

function unusable(file: string, reason: string): TahoeError {
  return new TahoeError('ERR_FILE', { file, reason });
}
