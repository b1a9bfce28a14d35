/**
 * The accounts file: who may log in, with which key, to which directory. One line an account, `#` begins a comment.
 *
 *     NAME KEYTYPE BASE64 [COMMENT] ROOTCAP
 *
 * The last account of a name counts. There are no passwords.
 * @see Tahoe-LAFS docs/frontends/FTP-and-SFTP.rst
 */
import { requireCapability } from '#core/capability/parse.js';
import type { DirectoryCapability } from '#core/capability/types.js';
import { reasonOf, TahoeError } from '#core/errors.js';

/** Somebody who may log in. */
export interface Account {
  readonly name: string;
  /** The public key as OpenSSH writes it, without its comment: `ssh-ed25519 AAAA…`. */
  readonly publicKey: string;
  readonly root: DirectoryCapability;
  /** Where it stands in the file, counted from 1. */
  readonly line: number;
}

const KEY_TYPES = ['ssh-ed25519', 'ssh-rsa', 'ecdsa-sha2-nistp256', 'ecdsa-sha2-nistp384', 'ecdsa-sha2-nistp521'];

/**
 * The accounts of a file, by name.
 * @param file - its name, for messages.
 * @throws ERR_CONFIG with the first line that is wrong; it repeats neither key nor capability.
 */
export function parseAccounts(text: string, file: string): ReadonlyMap<string, Account> {
  const accounts = new Map<string, Account>();
  for (const [i, line] of text.split('\n').entries()) {
    const trimmed = line.trim();
    if (trimmed === '' || trimmed.startsWith('#')) continue;
    const account = parseLine(trimmed, i + 1, file);
    accounts.set(account.name, account);
  }
  return accounts;
}

/** @throws ERR_CONFIG */
export function accountError(file: string, line: number, reason: string, cause?: unknown): TahoeError<'ERR_CONFIG'> {
  return new TahoeError('ERR_CONFIG', { file, reason: `line ${String(line)}: ${reason}` }, { cause });
}

function parseLine(text: string, line: number, file: string): Account {
  const [name = '', type = '', base64 = '', ...rest] = text.split(/\s+/);
  if (type !== '' && !type.startsWith('ssh-') && !KEY_TYPES.includes(type)) {
    const reason = 'Password-based authentication is not supported; configure key-based authentication instead.';
    throw accountError(file, line, reason);
  }
  const capability = rest[rest.length - 1];
  if (capability === undefined) throw accountError(file, line, 'NAME KEYTYPE BASE64 ROOTCAP is expected');
  if (!KEY_TYPES.includes(type)) {
    throw accountError(file, line, `keys of type ${type} are not taken; make one with ssh-keygen -t ed25519`);
  }
  return { name, publicKey: `${type} ${base64}`, root: rootOf(capability, line, file), line };
}

function rootOf(text: string, line: number, file: string): DirectoryCapability {
  try {
    const capability = requireCapability(text);
    if (capability.kind === 'directory') return capability;
  } catch (error) {
    throw accountError(file, line, `the last word is no root capability: ${reasonOf(error)}`, error);
  }
  throw accountError(file, line, 'the last word must be the capability of a directory');
}
