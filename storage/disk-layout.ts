/**
 * Where things are in a storage directory, as the reference lays it out. Pure.
 *
 *     shares/<first 2 characters>/<storage index, 26 characters of base32>/<share number>
 *     shares/incoming/<storage index>.<share number>     uploads in progress; the reference makes directories there,
 *                                                        and removes everything at its start
 *     corruption-advisories/<UTC time>--<storage index>-<share number>
 *     tallac/uploads/<storage index>.<share number>      ours: what a restart has to know of them (upload-record.ts)
 *     tallac/writing/          ours: files on their way into final places, emptied at start
 *     tallac/journal.0, .1     ours: small mutable writes that are not in their places for good yet
 *     tallac/quarantine/<UTC time>--<storage index>-<share number>     ours: damaged shares whose numbers were needed
 */
import { dirname, join, resolve, sep } from 'node:path';
import { formatBase32 } from '#core/base32.js';

const SHARES = 'shares';
const INCOMING = 'incoming';
const ADVISORIES = 'corruption-advisories';
const OURS = 'tallac';
const PREFIX_LENGTH = 2;

/** The paths of one storage directory. */
export class DiskLayout {
  readonly directory: string;
  readonly shares: string;
  readonly incoming: string;
  readonly advisories: string;
  readonly writing: string;
  readonly uploads: string;
  readonly quarantine: string;
  readonly journals: readonly [string, string];

  constructor(directory: string) {
    this.directory = resolve(directory);
    this.shares = join(this.directory, SHARES);
    this.incoming = join(this.shares, INCOMING);
    this.advisories = join(this.directory, ADVISORIES);
    this.writing = join(this.directory, OURS, 'writing');
    this.uploads = join(this.directory, OURS, 'uploads');
    this.quarantine = join(this.directory, OURS, 'quarantine');
    this.journals = [join(this.directory, OURS, 'journal.0'), join(this.directory, OURS, 'journal.1')];
  }

  /** The directory of the directories of all indexes that begin alike. */
  prefixDirectory(storageIndex: Uint8Array): string {
    return this.#prefixDirectory(formatBase32(storageIndex));
  }

  indexDirectory(storageIndex: Uint8Array): string {
    const index = formatBase32(storageIndex);
    return this.#prefixDirectory(index) + sep + index;
  }

  share(storageIndex: Uint8Array, shareNumber: number): string {
    return this.indexDirectory(storageIndex) + sep + String(shareNumber);
  }

  /** Joined by hand: each write asks for some of these, and `join` looks at every character. */
  #prefixDirectory(index: string): string {
    return this.shares + sep + index.slice(0, PREFIX_LENGTH);
  }

  /** All in one directory: making two for each upload costs more than writing a small share. */
  incomingShare(storageIndex: Uint8Array, shareNumber: number): string {
    return join(this.incoming, `${formatBase32(storageIndex)}.${String(shareNumber)}`);
  }
}

/** `path` and its parents, up to the parent of the topmost directory that was `created`. */
export function pathsUpTo(path: string, created: string | undefined): string[] {
  const topmost = dirname(created ?? path);
  const paths = [path];
  for (let parent = dirname(path); paths.at(-1) !== topmost; parent = dirname(parent)) paths.push(parent);
  return paths;
}

/** The share number that a directory entry is named after, or undefined for any other entry. */
export function shareNumberOfEntry(name: string): number | undefined {
  if (!/^(0|[1-9][0-9]{0,2})$/.test(name)) return undefined;
  const shareNumber = Number(name);
  return shareNumber < 256 ? shareNumber : undefined;
}

/**
 * The name of an advisory made at `nowMs` (Unix milliseconds): the reference's, which has no colons.
 * @param serial - counts advisories, so that no two of one millisecond have one name; it stands for microseconds.
 */
export function advisoryName(nowMs: number, storageIndex: Uint8Array, shareNumber: number, serial: number): string {
  const microseconds = String(serial % 1000).padStart(3, '0');
  const time = new Date(nowMs).toISOString().replaceAll(':', '').replace(/Z$/, microseconds);
  return `${time}--${formatBase32(storageIndex)}-${String(shareNumber)}`;
}

/** The text of an advisory, as the reference writes it. */
export function formatAdvisory(
  storageIndex: Uint8Array,
  shareNumber: number,
  reason: string,
  type: 'immutable' | 'mutable' = 'immutable',
): string {
  return [
    'report: Share Corruption',
    `type: ${type}`,
    `storage_index: ${formatBase32(storageIndex)}`,
    `share_number: ${String(shareNumber)}`,
    '',
    reason,
    '',
    '',
  ].join('\n');
}
