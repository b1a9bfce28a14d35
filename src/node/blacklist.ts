/**
 * access.blacklist of a node directory: what the owner of a gateway does not want to be fetched through it.
 *
 *     # comment
 *     STORAGEINDEX reason, to the end of the line
 *
 * The file is looked at whenever something is asked for, and read again when it has changed. Without it nothing is
 * prohibited; one that cannot be understood prohibits everything until it is mended.
 * @see Tahoe-LAFS docs/configuration.rst, "Access Blacklist"
 */
import { readFileSync, statSync } from 'node:fs';
import { formatBase32 } from '#core/base32.js';
import { TahoeError } from '#core/errors.js';

/** 16 bytes: 25 characters, and one that stands for their last three bits. */
const STORAGE_INDEX = /^[a-z2-7]{25}[aeimquy4]$/;

/** The prohibitions of one node. */
export class Blacklist {
  readonly #path: string;
  #mtimeMs: number | undefined;
  #reasons: ReadonlyMap<string, string> = new Map();
  #fault: string | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  /** @param storageIndex - 16 bytes. @throws ERR_PROHIBITED */
  check(storageIndex: Uint8Array): void {
    this.#refresh();
    const reason = this.#fault ?? this.#reasons.get(formatBase32(storageIndex));
    if (reason !== undefined) throw new TahoeError('ERR_PROHIBITED', { reason });
  }

  #refresh(): void {
    try {
      const { mtimeMs } = statSync(this.#path);
      if (mtimeMs === this.#mtimeMs) return;
      this.#reasons = parseBlacklist(readFileSync(this.#path, 'utf8'));
      this.#mtimeMs = mtimeMs;
      this.#fault = undefined;
    } catch (error) {
      this.#mtimeMs = undefined;
      this.#reasons = new Map();
      this.#fault = error instanceof TahoeError ? error.message : undefined;
    }
  }
}

/** Reasons by storage index. @throws ERR_CONFIG */
export function parseBlacklist(text: string): ReadonlyMap<string, string> {
  const lines = text.split('\n').map((line, i) => ({ line: line.trim(), number: i + 1 }));
  const entries = lines.filter(({ line }) => line !== '' && !line.startsWith('#'));
  return new Map(entries.map(({ line, number }) => parseEntry(line, number)));
}

function parseEntry(line: string, number: number): [storageIndex: string, reason: string] {
  const [, storageIndex = '', reason = ''] = /^(\S+)\s+(.*)$/.exec(line) ?? [];
  if (STORAGE_INDEX.test(storageIndex)) return [storageIndex, reason];
  const problem = `line ${String(number)} is not a storage index and a reason`;
  throw new TahoeError('ERR_CONFIG', { file: 'access.blacklist', reason: problem });
}
