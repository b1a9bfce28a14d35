/**
 * Makes the list that a grid manager publishes, from what its servers would announce of themselves. The number of the
 * last list is kept beside the manager's configuration, in `published-number`, so that each is higher than the last.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { CryptoProvider } from '#core/crypto.js';
import { TahoeError } from '#core/errors.js';
import { readServersYaml } from '#wire/announcement.js';
import { readCertificate } from '#wire/grid-certificate.js';
import type { GridCertificate } from '#wire/grid-certificate.js';
import type { GridManagerConfig } from '#wire/grid-manager-config.js';
import { dangerouslyFormatServerList } from '#wire/server-list.js';
import { fileError, replaceFile, systemCode } from './durable-file.js';
import type { GridManagerDirectory } from './grid-manager.js';
import { PRIVATE_MODE } from './node-directory.js';

const NUMBER_FILE = 'published-number';
/** What of an announcement goes into a list. */
const FIELDS = ['nickname', 'anonymous-storage-FURL', 'anonymous-storage-NURLs', 'permutation-seed-base32'];

/** Of what a list is made. */
export interface ListPlan {
  readonly manager: GridManagerConfig;
  /** Undefined where the configuration came from standard input. */
  readonly directory: GridManagerDirectory | undefined;
  readonly crypto: CryptoProvider;
  /** The texts of announcement.yaml files. */
  readonly announcements: readonly { readonly file: string; readonly text: string }[];
  /** Undefined for one more than the last. */
  readonly number: number | undefined;
  readonly issuedMs: number;
  readonly expiresMs: number;
}

/** The document, and what whoever publishes it should know. */
export interface MadeList {
  readonly document: string;
  readonly warnings: readonly string[];
}

/**
 * Makes and signs it.
 * @throws ERR_USAGE when a server is not one of the manager's, or the number is not higher than the last;
 *   ERR_YAML, ERR_FILE, ERR_CERTIFICATE when a file cannot be read.
 */
export async function makeServerList(plan: ListPlan): Promise<MadeList> {
  const { manager, directory, crypto, issuedMs, expiresMs } = plan;
  const names = new Map([...manager.servers].map(([name, publicKey]) => [publicKey.replace(/^pub-/, ''), name]));
  const servers = new Map<string, Readonly<Record<string, unknown>>>();
  const warnings: string[] = [];
  for (const { file, text } of plan.announcements) {
    for (const [serverId, fields] of fieldsOf(file, text)) {
      const name = names.get(serverId);
      if (name === undefined)
        throw usage(`${file}: server ${serverId} is not one of this grid manager's; add it first`);
      const certificates = (await directory?.certificates(name)) ?? [];
      const valid = certificates.filter((certificate) => isValid(certificate, issuedMs));
      if (valid.length === 0 && directory !== undefined) warnings.push(`'${name}' has no valid certificate; sign one`);
      servers.set(serverId, { ...fields, 'grid-manager-certificates': valid });
    }
  }
  const missing = [...names].filter(([serverId]) => !servers.has(serverId)).map(([, name]) => `'${name}'`);
  if (missing.length > 0) warnings.push(`not in the list, and given up by who reads it: ${missing.join(', ')}`);
  const number = await nextNumber(plan);
  return {
    document: dangerouslyFormatServerList({ number, issuedMs, expiresMs, servers }, manager.seed, crypto),
    warnings,
  };
}

function fieldsOf(file: string, text: string): [string, Record<string, unknown>][] {
  const entries = readServersYaml(text, file, () => undefined);
  return [...entries].map(([serverId, entry]) => {
    const announced: unknown = entry instanceof Map ? entry.get('ann') : undefined;
    if (typeof serverId !== 'string' || !(announced instanceof Map)) {
      throw new TahoeError('ERR_YAML', { file, reason: 'it is not the announcement.yaml of a storage node' });
    }
    const named = FIELDS.map((field) => [field, announced.get(field) as unknown] as const);
    return [serverId, Object.fromEntries(named.filter(([, value]) => value !== undefined))];
  });
}

function isValid({ certificate }: GridCertificate, nowMs: number): boolean {
  return (readCertificate(certificate)?.expiresMs ?? 0) > nowMs;
}

/** Durable before the list is seen by anybody. */
async function nextNumber({ directory, number }: ListPlan): Promise<number> {
  if (directory === undefined) {
    if (number === undefined) throw usage('--number is needed where the configuration comes from standard input');
    return number;
  }
  const path = join(directory.path, NUMBER_FILE);
  const last = await lastNumber(path);
  const next = number ?? last + 1;
  if (next <= last) throw usage(`number ${String(next)} is not higher than that of the last list, ${String(last)}`);
  await replaceFile(path, `${String(next)}\n`, PRIVATE_MODE);
  return next;
}

async function lastNumber(path: string): Promise<number> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    if (systemCode(error) === 'ENOENT') return '0';
    throw fileError(path, error);
  });
  const number = /^[0-9]{1,15}$/.test(text.trim()) ? Number(text) : Number.NaN;
  if (Number.isSafeInteger(number)) return number;
  throw new TahoeError('ERR_FILE', { file: path, reason: 'it is no number; write that of the last list into it' });
}

function usage(reason: string): TahoeError {
  return new TahoeError('ERR_USAGE', { reason });
}
