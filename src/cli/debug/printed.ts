/** Values as the debug commands print them, which is as the reference does. */
import { basename, dirname } from 'node:path';
import { parseBase32 } from '#core/base32.js';
import { fromUtf8 } from '#core/bytes.js';
import { quotePath } from '#node/quoted-path.js';

const DAY_SECONDS = 86_400;
const HOUR_SECONDS = 3_600;
const STORAGE_INDEX_SIZE = 16;

/** The time until a lease ends: `90000s (1 days)`. */
export function formatRemaining(expirySeconds: number, nowMs: number): string {
  const remaining = expirySeconds - nowMs / 1000;
  const seconds = `${String(Math.trunc(remaining))}s`;
  if (remaining > DAY_SECONDS) return `${seconds} (${String(Math.floor(remaining / DAY_SECONDS))} days)`;
  if (remaining > HOUR_SECONDS) return `${seconds} (${String(Math.floor(remaining / HOUR_SECONDS))} hours)`;
  return seconds;
}

/** A path in a list of paths: without quotes unless it holds what could be taken for something else. */
export function formatListedPath(path: string): string {
  const quoted = quotePath(path);
  return quoted === `'${path}'` && !path.startsWith('"') ? path : quoted;
}

/** Bytes that may be text: quoted as a path is, or with a `b` and every byte beyond ASCII escaped. */
export function quoteBytes(bytes: Uint8Array): string {
  try {
    return quotePath(fromUtf8(bytes));
  } catch {
    const characters = Array.from(bytes, (byte) => {
      const character = String.fromCharCode(byte);
      if ('"$`\\'.includes(character)) return `\\${character}`;
      return byte < 0x20 || byte > 0x7e ? `\\x${byte.toString(16).padStart(2, '0')}` : character;
    });
    return `b"${characters.join('')}"`;
  }
}

/** A label in a column of 20 characters, and its value. */
export function formatField(label: string, value: string | number): string {
  return `${label.padStart(20)}: ${String(value)}`;
}

/** An offset in a table: decimal, then hexadecimal. */
export function formatOffset(label: string, offset: number): string {
  return `${label}: ${String(offset)}   (0x${offset.toString(16)})`;
}

/**
 * The storage index of a share, which only the name of its directory tells.
 * @returns undefined when the directory is not named after one.
 */
export function storageIndexOfPath(path: string): Uint8Array | undefined {
  const name = basename(dirname(path));
  try {
    const storageIndex = parseBase32(name);
    return storageIndex.length === STORAGE_INDEX_SIZE ? storageIndex : undefined;
  } catch {
    return undefined;
  }
}
