/**
 * What readers get of complete shares: which there are, and their bytes. What an upload is still writing is not there.
 *
 * A list is made of what the disk says at that moment. Only what a share was found to be is remembered, for as long as the
 * same file stands there: to open it takes the way to another thread and back, to look at it a few microseconds.
 */
import { formatBase32 } from '#core/base32.js';
import type { Clock } from '#core/environment.js';
import { isTahoeError } from '#core/errors.js';
import { closeOccupant, numbersOf } from './final-places.js';
import type { FinalPlaces, Occupant } from './final-places.js';
import { toOpenShare } from './immutable-share.js';
import { OpenShares } from './open-shares.js';
import type { ShareFiles } from './share-files.js';
import type { OpenShare, ShareType, ShareVisit } from './share-store.js';
import type { SharePlace } from './store-events.js';
import type { UploadTable } from './upload-table.js';

/** How many shares are remembered. */
export const FOUND_SHARE_COUNT_MAX = 10_000;

/** What is read from. */
export interface ShareReadingOptions {
  readonly clock: Clock;
  readonly files: ShareFiles;
  readonly places: FinalPlaces;
  readonly uploads: UploadTable;
}

/** What a sound share was found to be. */
interface FoundShare {
  /** What tells its file from any other. */
  readonly mark: string;
  readonly type: ShareType;
}

/** The complete shares of a store. It must be closed. */
export class ShareReading {
  readonly #options: ShareReadingOptions;
  readonly #opened: Readonly<Record<ShareType, OpenShares>>;
  /** The longest unlisted first. */
  readonly #found = new Map<string, FoundShare>();

  constructor(options: ShareReadingOptions) {
    this.#options = options;
    this.#opened = { immutable: new OpenShares(options.clock), mutable: new OpenShares(options.clock) };
  }

  /** The numbers of the sound shares of one type. @throws ERR_DISK, ERR_STORE_GONE. */
  async list(storageIndex: Uint8Array, type: ShareType): Promise<ReadonlySet<number>> {
    const { files, uploads } = this.#options;
    const uploading = uploads.of(storageIndex);
    const numbers = new Set<number>();
    for (const shareNumber of await files.list(storageIndex)) {
      if (uploading.has(shareNumber)) continue;
      if ((await this.#typeOf(storageIndex, shareNumber)) === type) numbers.add(shareNumber);
    }
    return this.#checked(numbers);
  }

  /** Undefined for what is no sound share. */
  async #typeOf(storageIndex: Uint8Array, shareNumber: number): Promise<ShareType | undefined> {
    const { files, places } = this.#options;
    const key = `${formatBase32(storageIndex)}/${String(shareNumber)}`;
    // Taken first: whatever happens to the file after that makes it another one.
    const mark = await files.markOf(storageIndex, shareNumber).catch(passDiskError);
    const found = this.#found.get(key);
    this.#found.delete(key);
    if (mark !== undefined && found?.mark === mark) return this.#remember(key, found);
    const occupant = await places.open(storageIndex, shareNumber, 'read');
    await closeOccupant(occupant);
    if (occupant.kind !== 'immutable' && occupant.kind !== 'mutable') return undefined;
    return mark === undefined ? occupant.kind : this.#remember(key, { mark, type: occupant.kind });
  }

  #remember(key: string, found: FoundShare): ShareType {
    this.#found.set(key, found);
    for (const oldest of this.#found.keys()) {
      if (this.#found.size <= FOUND_SHARE_COUNT_MAX) break;
      this.#found.delete(oldest);
    }
    return found.type;
  }

  /** @see ShareStore */
  async visit(storageIndex: Uint8Array, type: ShareType, visit: ShareVisit): Promise<void> {
    const { places, uploads } = this.#options;
    const uploading = uploads.of(storageIndex);
    const occupants = await places.survey(storageIndex, 'read', uploading, async (occupant, shareNumber) => {
      const share = shareOf(occupant, type);
      if (share !== undefined) await visit(share, shareNumber);
    });
    await this.#checked(numbersOf(occupants, type));
  }

  /** @returns undefined where there is none of that type. @throws ERR_CONTAINER, ERR_DISK, ERR_STORE_GONE. */
  async open(storageIndex: Uint8Array, shareNumber: number, type: ShareType): Promise<OpenShare | undefined> {
    return this.#opened[type].open(storageIndex, shareNumber, async () =>
      ofType(await this.#occupant(storageIndex, shareNumber), type),
    );
  }

  /** What stands in a place that is no upload's. @throws ERR_CONTAINER, ERR_DISK where it is damaged. */
  async #occupant(storageIndex: Uint8Array, shareNumber: number): Promise<Occupant> {
    const { files, places, uploads } = this.#options;
    if (uploads.of(storageIndex).has(shareNumber)) return { kind: 'absent' };
    const occupant = await places.open(storageIndex, shareNumber, 'read');
    if (occupant.kind === 'damaged') throw occupant.error;
    if (occupant.kind === 'absent') await files.requireThere?.();
    return occupant;
  }

  /** Where the volume is gone, nobody knows what there is. */
  async #checked(shareNumbers: ReadonlySet<number>): Promise<ReadonlySet<number>> {
    if (shareNumbers.size === 0) await this.#options.files.requireThere?.();
    return shareNumbers;
  }

  /** A share is changed or gone. */
  forget({ shareNumber, storageIndex }: SharePlace): void {
    for (const opened of Object.values(this.#opened)) opened.forget(storageIndex, shareNumber);
  }

  /** Closes what nobody reads. */
  close(): void {
    for (const opened of Object.values(this.#opened)) opened.close();
  }
}

/** What readers get of a share of that type; undefined for anything else, which is closed. */
async function ofType(occupant: Occupant, type: ShareType): Promise<OpenShare | undefined> {
  const share = shareOf(occupant, type);
  if (share === undefined) await closeOccupant(occupant);
  return share;
}

/** What cannot be looked at may still be opened, or else is told of then. */
function passDiskError(error: unknown): undefined {
  if (!isTahoeError(error, 'ERR_DISK')) throw error;
}

function shareOf(occupant: Occupant, type: ShareType): OpenShare | undefined {
  if (occupant.kind !== type) return undefined;
  return occupant.kind === 'mutable' ? occupant.share : toOpenShare(occupant.file, occupant.shape);
}
