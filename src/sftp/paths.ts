/**
 * Paths as SFTP has them: names with slashes between, from the user's own root, or from any capability at `/uri/CAP`.
 * `.` and `..` mean what they do elsewhere; nothing leads above the root.
 */
import { fromUtf8, utf8 } from '#core/bytes.js';
import { parseCapability } from '#core/capability/parse.js';
import type { Capability } from '#core/capability/types.js';
import { refusal } from './status.js';

/** A path, taken apart. */
export interface SftpPath {
  /** Undefined for the user's own root. */
  readonly root: Capability | undefined;
  readonly names: readonly string[];
  /** The path as it was, normalised. Perhaps with a capability in it: a secret. */
  readonly whole: string;
}

/** @throws ERR_SFTP when it is not UTF-8, or names no capability behind `/uri`. */
export function parsePath(bytes: Uint8Array): SftpPath {
  const all = normalNames(textOf(bytes));
  const whole = formatPath(all);
  if (all[0] !== 'uri') return { root: undefined, names: all, whole };
  const [, text, ...names] = all;
  if (text === undefined) throw refusal('noSuchFile', 'a capability must follow: /uri/CAP');
  return { root: parseCapability(text), names, whole };
}

/** The path as the server understands it, which need lead nowhere. @throws ERR_SFTP when it is not UTF-8. */
export function realPath(bytes: Uint8Array): Uint8Array {
  return utf8(formatPath(normalNames(textOf(bytes))));
}

function formatPath(names: readonly string[]): string {
  return `/${names.join('/')}`;
}

function normalNames(text: string): string[] {
  const trimmed = text.replace(/^\/+|\/+$/g, '');
  const names: string[] = [];
  for (const name of trimmed === '' ? [] : trimmed.split('/')) {
    if (name === '..') names.pop();
    else if (name !== '.' && name !== '') names.push(name);
  }
  return names;
}

function textOf(bytes: Uint8Array): string {
  try {
    return fromUtf8(bytes);
  } catch (cause) {
    throw refusal('noSuchFile', 'the path is not UTF-8', cause);
  }
}
