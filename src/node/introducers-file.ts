/**
 * Which introducers a node knows: private/introducers.yaml, and [client]introducer.furl by the name `default`.
 *
 *     introducers:
 *       NAME:
 *         furl: pb://<tub id>@…/…         as the reference has it; here also a NURL, pb://…#v=1
 *         nurl: pb://…#v=1                goes before the furl here; the reference does not look at it
 *
 * @see Tahoe-LAFS docs/configuration.rst, "Introducer Definitions"
 */
import { parse } from 'yaml';
import { reasonOf, TahoeError } from '#core/errors.js';
import { parseNurl } from '#wire/nurl.js';
import type { Nurl } from '#wire/nurl.js';
import { parseFurl } from './furl.js';
import type { NodeDirectory } from './node-directory.js';

/** Introducers of one node. */
export const INTRODUCERS_MAX = 64;
const FILE_LENGTH_MAX = 1 << 20;
const FILE = 'introducers.yaml';
const DEFAULT_NAME = 'default';

/** One introducer: how it is called, and how it is reached. */
export interface KnownIntroducer {
  readonly name: string;
  /** Over HTTPS. */
  readonly nurl: Nurl | undefined;
  /** Over Foolscap. Secret. */
  readonly furl: string | undefined;
}

/**
 * Reads them.
 * @param option - [client]introducer.furl.
 * @throws ERR_YAML when the file is none or one entry is no introducer: a node that misses one quietly would be alone.
 */
export async function loadIntroducers(directory: NodeDirectory, option?: string): Promise<readonly KnownIntroducer[]> {
  const file = directory.privateFile(FILE);
  const text = (await directory.read(`private/${FILE}`)) ?? '';
  const introducers = parseIntroducers(text, file);
  if (option === undefined) return introducers;
  if (introducers.some(({ name }) => name === DEFAULT_NAME)) {
    const reason = `it names the introducer '${DEFAULT_NAME}', and so does [client]introducer.furl; keep one of the two`;
    throw new TahoeError('ERR_YAML', { file, reason });
  }
  return [introducerOf(DEFAULT_NAME, { furl: option }, '[client]introducer.furl'), ...introducers];
}

/** @throws ERR_YAML. @param file - what errors call it. */
export function parseIntroducers(text: string, file: string): readonly KnownIntroducer[] {
  const fail = (reason: string): TahoeError => new TahoeError('ERR_YAML', { file, reason });
  if (text.length > FILE_LENGTH_MAX) throw fail('it is too large');
  const root = parseYaml(text, fail);
  if (root === null || root === undefined) return [];
  const listed = root instanceof Map ? (root.get('introducers') as unknown) : undefined;
  if (listed === null) return [];
  if (!(listed instanceof Map)) throw fail('a map "introducers" is expected');
  if (listed.size > INTRODUCERS_MAX) throw fail(`it names more than ${String(INTRODUCERS_MAX)} introducers`);
  return [...listed].map(([name, entry]: [unknown, unknown]) => {
    if (!(entry instanceof Map)) throw fail(`the introducer '${String(name)}' is no map`);
    return introducerOf(String(name), Object.fromEntries(entry) as Record<string, unknown>, file);
  });
}

function parseYaml(text: string, fail: (reason: string) => TahoeError): unknown {
  try {
    return parse(text, { version: '1.1', mapAsMap: true, maxAliasCount: 16, logLevel: 'error' }) as unknown;
  } catch {
    // The error of the parser repeats the text.
    throw fail('it is not YAML');
  }
}

function introducerOf(name: string, { furl, nurl }: Readonly<Record<string, unknown>>, file: string): KnownIntroducer {
  const fail = (reason: string): TahoeError =>
    new TahoeError('ERR_YAML', { file, reason: `the introducer '${name}': ${reason}` });
  if (!/^[^/\\\0]{1,64}$/.test(name) || name.startsWith('.'))
    throw fail('its name cannot be part of the name of a file');
  const addresses = [nurl, furl].filter((address) => typeof address === 'string').map((address) => address.trim());
  const overHttps = addresses.find((address) => address.endsWith('#v=1'));
  const overFoolscap = addresses.find((address) => parseFurl(address) !== undefined && !address.endsWith('#v=1'));
  if (overHttps === undefined && overFoolscap === undefined) throw fail('a furl or a NURL is expected, pb://…');
  try {
    return { name, nurl: overHttps === undefined ? undefined : parseNurl(overHttps), furl: overFoolscap };
  } catch (error) {
    throw fail(reasonOf(error));
  }
}
