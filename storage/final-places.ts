/**
 * What stands in the final places of a storage index: shares of either type, damaged ones, and things that are no
 * files. Damage is told the first time that it is found, and stays where it is until its number is needed.
 */
import { formatBase32 } from '#core/base32.js';
import type { Clock, Log } from '#core/environment.js';
import { isTahoeError, reasonOf, TahoeError } from '#core/errors.js';
import { decodeContainerShape, isMutableContainer } from './container.js';
import type { ContainerShape } from './container.js';
import { CONTENT_PIECE_SIZE } from './content.js';
import { advisoryName } from './disk-layout.js';
import { MUTABLE_HEAD_SIZE, MutableShare } from './mutable-share.js';
import type { ShareFile, ShareFiles } from './share-files.js';
import type { StoreEvents } from './store-events.js';

/** Damaged shares that are remembered, lest they be told again and again. */
const KNOWN_DAMAGE_COUNT_MAX = 10_000;

/** What stands in a final place. */
export type Occupant =
  | { readonly kind: 'absent' }
  /** Nothing that can be opened as a file: not ours to read or to replace. */
  | { readonly kind: 'foreign' }
  | { readonly kind: 'damaged'; readonly error: TahoeError }
  | { readonly kind: 'immutable'; readonly shape: ContainerShape; readonly file: ShareFile }
  | { readonly kind: 'mutable'; readonly share: MutableShare };

/** What stands at a storage index, by share number. */
export type Occupants = ReadonlyMap<number, Occupant['kind']>;

/** What the places are looked at with. */
export interface FinalPlacesOptions {
  readonly files: ShareFiles;
  readonly clock: Clock;
  readonly log: Log;
  readonly events?: StoreEvents | undefined;
}

/** The final places of a store. */
export class FinalPlaces {
  readonly #options: FinalPlacesOptions;
  /** What tells files apart that were put into quarantine in one millisecond. */
  #quarantineCount = -1;
  readonly #knownDamage = new Set<string>();

  constructor(options: FinalPlacesOptions) {
    this.#options = options;
  }

  /** What stands in a place; a share's file is open, for the caller to close. @throws ERR_DISK. */
  async open(storageIndex: Uint8Array, shareNumber: number, access: 'read' | 'update'): Promise<Occupant> {
    const file = await this.#options.files.open(storageIndex, shareNumber, access);
    if (file === 'absent') return { kind: 'absent' };
    if (file === 'unusable') return { kind: 'foreign' };
    const occupant = await examine(file);
    if (occupant.kind === 'damaged') {
      await file.close();
      this.tellDamage(storageIndex, shareNumber, reasonOf(occupant.error));
    }
    return occupant;
  }

  /**
   * Calls `visit` with each sound share, one after the other, and closes it.
   * @param passed - numbers that are left out.
   * @returns what stands at the index.
   */
  async survey(
    storageIndex: Uint8Array,
    access: 'read' | 'update',
    passed: { has(shareNumber: number): boolean },
    visit: (occupant: Occupant, shareNumber: number) => Promise<void> = () => Promise.resolve(),
  ): Promise<Occupants> {
    const occupants = new Map<number, Occupant['kind']>();
    for (const shareNumber of await this.#options.files.list(storageIndex)) {
      if (passed.has(shareNumber)) continue;
      const occupant = await this.open(storageIndex, shareNumber, access);
      occupants.set(shareNumber, occupant.kind);
      try {
        await visit(occupant, shareNumber);
      } finally {
        await closeOccupant(occupant);
      }
    }
    return occupants;
  }

  /** Tells the log and whoever listens, once. */
  tellDamage(storageIndex: Uint8Array, shareNumber: number, reason: string): void {
    const key = keyOf(storageIndex, shareNumber);
    if (this.#knownDamage.has(key)) return;
    if (this.#knownDamage.size >= KNOWN_DAMAGE_COUNT_MAX) this.#knownDamage.clear();
    this.#knownDamage.add(key);
    const { events, log } = this.#options;
    log.warn('storage.damaged-share', { storageIndex: formatBase32(storageIndex), shareNumber, reason });
    events?.tell({ kind: 'damaged', storageIndex, shareNumber, reason });
  }

  /**
   * Moves a damaged share out of the way: its number is free. It is looked at once more before: one that the disk
   * failed to give only once stays where it is.
   * @throws ERR_DISK, ERR_NO_SPACE.
   */
  async quarantine(storageIndex: Uint8Array, shareNumber: number): Promise<void> {
    if (await this.#isSound(storageIndex, shareNumber)) {
      throw new TahoeError('ERR_DISK', { what: 'reading a share', reason: 'it failed only once, try again' });
    }
    await this.setAside(storageIndex, shareNumber);
  }

  /** Moves a share out of the way that may make sense and was proven wrong. @throws ERR_DISK, ERR_NO_SPACE. */
  async setAside(storageIndex: Uint8Array, shareNumber: number): Promise<void> {
    const { clock, events, files, log } = this.#options;
    this.#quarantineCount += 1;
    await files.quarantine(
      storageIndex,
      shareNumber,
      advisoryName(clock.nowMs(), storageIndex, shareNumber, this.#quarantineCount),
    );
    this.#knownDamage.delete(keyOf(storageIndex, shareNumber));
    log.warn('storage.quarantined-share', { storageIndex: formatBase32(storageIndex), shareNumber });
    events?.tell({ kind: 'removed', storageIndex, shareNumber });
  }

  /** Whether a share makes sense and can be read to its end. */
  async #isSound(storageIndex: Uint8Array, shareNumber: number): Promise<boolean> {
    const occupant = await this.open(storageIndex, shareNumber, 'read');
    if (occupant.kind !== 'immutable' && occupant.kind !== 'mutable') return false;
    const file = occupant.kind === 'mutable' ? occupant.share.file : occupant.file;
    try {
      for (let offset = 0; offset < file.size; offset += CONTENT_PIECE_SIZE) {
        const wanted = Math.min(CONTENT_PIECE_SIZE, file.size - offset);
        if ((await file.read(offset, wanted)).length < wanted) return false;
      }
      return true;
    } catch (error) {
      if (isTahoeError(error, 'ERR_DISK')) return false;
      throw error;
    } finally {
      await file.close();
    }
  }
}

/** Closes the file of a share, if it is one. */
export async function closeOccupant(occupant: Occupant): Promise<void> {
  if (occupant.kind === 'immutable') await occupant.file.close();
  if (occupant.kind === 'mutable') await occupant.share.close();
}

/** The numbers of the occupants of one kind. */
export function numbersOf(occupants: Occupants, kind: Occupant['kind']): Set<number> {
  return new Set([...occupants].filter(([, found]) => found === kind).map(([shareNumber]) => shareNumber));
}

async function examine(file: ShareFile): Promise<Occupant> {
  try {
    const head = await file.read(0, Math.min(MUTABLE_HEAD_SIZE, file.size));
    if (isMutableContainer(head)) return { kind: 'mutable', share: new MutableShare(file, head) };
    return { kind: 'immutable', shape: decodeContainerShape(head, file.size), file };
  } catch (error) {
    // An unreadable share is as damaged as a garbled one.
    if (isTahoeError(error, 'ERR_CONTAINER', 'ERR_DISK')) return { kind: 'damaged', error };
    await file.close();
    throw error;
  }
}

function keyOf(storageIndex: Uint8Array, shareNumber: number): string {
  return `${formatBase32(storageIndex)}/${String(shareNumber)}`;
}
