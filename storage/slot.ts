/**
 * One read-test-write on the mutable shares of a storage index, in the reference's order: the write enabler against
 * every share, all tests, all reads, then all writes or none.
 *
 * Whoever calls holds the lock of the index, so that what was tested is what is written on. A share is written as a
 * whole new file beside the old one, which is then replaced: who has the old one open reads on in it. Leases are
 * part of the file and so change with the data or not at all.
 * @see Tahoe-LAFS docs/specifications/http-storage-node-protocol.rst, "Mutable"
 */
import { formatBase32 } from '#core/base32.js';
import type { CryptoProvider } from '#core/crypto.js';
import { isTahoeError, reasonOf, TahoeError } from '#core/errors.js';
import type { ReadTestWriteReply, ShareVectors } from '#wire/storage-mutable.js';
import type { Content } from './content.js';
import { editBytes, editFile } from './edit-file.js';
import { closeOccupant } from './final-places.js';
import type { FinalPlaces, Occupant } from './final-places.js';
import type { KeptShare, KeptSlots } from './kept-slots.js';
import { ADDED_OWNER, createLease } from './leases.js';
import {
  EXTRA_COUNT_SIZE,
  encodeMutableContainer,
  MUTABLE_DATA_OFFSET,
  LEASE_SLOT_COUNT,
} from './mutable-container.js';
import { MutablePlan } from './mutable-plan.js';
import { MutableShare } from './mutable-share.js';
import { SMALL_SHARE_SIZE_MAX, SMALL_SHARES_SIZE_MAX } from './share-files.js';
import type { PreparedShare, ShareChange, ShareFile, ShareFiles, SmallShare } from './share-files.js';
import { GAP_SIZE_MAX, MUTABLE_DATA_SIZE_MAX, READ_REPLY_SIZE_MAX } from './share-store.js';
import type { SlotRequest } from './share-store.js';
import type { StoreEvents } from './store-events.js';

/** A file up to this size is made in memory and written at once, in bytes. */
const SMALL_FILE_SIZE = 256 * 1024;

/** What a slot stands on. */
export interface SlotOptions {
  readonly crypto: CryptoProvider;
  readonly files: ShareFiles;
  readonly places: FinalPlaces;
  readonly events?: StoreEvents | undefined;
  readonly kept: KeptSlots;
  /** 20 bytes: who this server is, beside each write enabler and lease that it records. */
  readonly nodeId: Uint8Array;
  /** When a lease made now ends, in Unix seconds. */
  readonly leaseExpiry: number;
  /** The numbers of uploads in progress at this index. */
  readonly uploading: { has(shareNumber: number): boolean; readonly size: number };
  /** Sets room aside while `action` runs. @throws ERR_NO_SPACE where files may not grow so much, in bytes. */
  readonly withRoom: <Result>(growth: number, action: () => Promise<Result>) => Promise<Result>;
}

/** A file that was kept in memory, for reading. */
class KeptFile implements ShareFile {
  readonly size: number;
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.size = bytes.length;
    this.#bytes = bytes;
  }

  read(offset: number, size: number): Promise<Uint8Array> {
    return Promise.resolve(this.#bytes.slice(offset, offset + size));
  }

  write(): Promise<void> {
    return this.#refuse();
  }

  sync(): Promise<void> {
    return this.#refuse();
  }

  #refuse(): Promise<void> {
    return Promise.reject(new TypeError('a kept share is only read'));
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

/** A change that is decided on, and not made yet. */
interface PlannedChange {
  readonly shareNumber: number;
  /** The share as it is; undefined for a new one. */
  readonly share: MutableShare | undefined;
  /** What is edited; undefined for a share that is removed. */
  readonly plan: MutablePlan | undefined;
  /** Whether what stands there goes to quarantine first. */
  readonly isDamaged: boolean;
  readonly writesData: boolean;
}

/** One that `replace` can make. */
interface SmallChange extends PlannedChange {
  readonly plan: MutablePlan;
}

/** The mutable shares of one storage index, for one request. */
export class Slot {
  readonly #options: SlotOptions;
  readonly #request: SlotRequest;
  readonly #occupants = new Map<number, Occupant>();
  /** What is known of the shares, by their numbers: those that were kept in memory, and those that the request wrote. */
  readonly #known = new Map<number, KeptShare>();

  constructor(options: SlotOptions, request: SlotRequest) {
    this.#options = options;
    this.#request = request;
  }

  /** @see ShareStore */
  async readTestWrite(): Promise<ReadTestWriteReply> {
    const claim = this.#options.kept.claim(this.#request.storageIndex);
    try {
      await this.#open(claim.shares);
      this.#checkWriteEnabler();
      const success = await this.#test();
      const data = await this.#read();
      const changes = success ? await this.#write() : [];
      // What the events say makes it stale.
      const isKept = this.#isKnown() && !claim.isStale;
      this.#tell(changes);
      if (isKept) claim.keep([...this.#known.values()]);
      return { success, data };
    } finally {
      claim.end();
      // They were only read: what closing them says is of no account.
      await Promise.allSettled([...this.#occupants.values()].map(closeOccupant));
    }
  }

  async #open(kept: readonly KeptShare[]): Promise<void> {
    const { files, places } = this.#options;
    const { storageIndex } = this.#request;
    if (kept.length > 0 && (await this.#areThere(kept))) {
      for (const each of kept) {
        const share = new MutableShare(new KeptFile(each.bytes), each.bytes);
        this.#occupants.set(each.shareNumber, { kind: 'mutable', share });
        this.#known.set(each.shareNumber, each);
      }
      return;
    }
    for (const shareNumber of await files.list(storageIndex)) {
      this.#occupants.set(shareNumber, await places.open(storageIndex, shareNumber, 'read'));
    }
  }

  /** Whether they stand there as they were, and beside several of them no other. */
  async #areThere(kept: readonly KeptShare[]): Promise<boolean> {
    const { files } = this.#options;
    const { storageIndex } = this.#request;
    if (kept.length > 1 && (await files.list(storageIndex)).length !== kept.length) return false;
    for (const { mark, shareNumber } of kept) {
      if ((await files.markOf(storageIndex, shareNumber)) !== mark) return false;
    }
    return true;
  }

  /** Whether all that stands at the index is known. */
  #isKnown(): boolean {
    return this.#known.size > 0 && [...this.#occupants.keys()].every((shareNumber) => this.#known.has(shareNumber));
  }

  #shareOf(shareNumber: number): MutableShare | undefined {
    const occupant = this.#occupants.get(shareNumber);
    return occupant?.kind === 'mutable' ? occupant.share : undefined;
  }

  /** The sound mutable shares in the order of their numbers. */
  #shares(): [number, MutableShare][] {
    const numbers = [...this.#occupants.keys()].sort((a, b) => a - b);
    return numbers.flatMap((shareNumber): [number, MutableShare][] => {
      const share = this.#shareOf(shareNumber);
      return share === undefined ? [] : [[shareNumber, share]];
    });
  }

  #checkWriteEnabler(): void {
    for (const [, { shape }] of this.#shares()) {
      if (this.#options.crypto.equalSecrets(shape.writeEnabler, this.#request.writeEnabler)) continue;
      throw new TahoeError('ERR_WRITE_ENABLER', { nodeId: formatBase32(shape.nodeId) });
    }
  }

  async #test(): Promise<boolean> {
    for (const [shareNumber, { tests }] of this.#request.shares) {
      for (const test of tests) {
        const passes = await this.#onShare(shareNumber, (share) => share.passes(test));
        if (!(passes ?? test.specimen.size === 0)) return false;
      }
    }
    return true;
  }

  /** Runs `action` on a sound share. @returns undefined where there is none, also when it turns out to be damaged. */
  async #onShare<Result>(
    shareNumber: number,
    action: (share: MutableShare) => Promise<Result>,
  ): Promise<Result | undefined> {
    const share = this.#shareOf(shareNumber);
    if (share === undefined) return undefined;
    try {
      return await action(share);
    } catch (error) {
      if (!isTahoeError(error, 'ERR_CONTAINER', 'ERR_DISK')) throw error;
      this.#occupants.set(shareNumber, { kind: 'damaged', error });
      this.#options.places.tellDamage(this.#request.storageIndex, shareNumber, reasonOf(error));
      await share.close();
      return undefined;
    }
  }

  async #read(): Promise<Map<number, Uint8Array[]>> {
    const { admitRead, reads } = this.#request;
    const shares = this.#shares();
    const size = shares.reduce((sum, [, share]) => reads.reduce((s, each) => s + share.clippedSize(each), sum), 0);
    if (size > READ_REPLY_SIZE_MAX) {
      throw new TahoeError('ERR_TOO_LARGE', { what: 'reply', limitBytes: READ_REPLY_SIZE_MAX });
    }
    admitRead?.(size);
    const data = new Map<number, Uint8Array[]>();
    for (const [shareNumber] of shares) {
      const pieces = await this.#onShare(shareNumber, async (share) => {
        const read: Uint8Array[] = [];
        for (const { offset, size: wanted } of reads) read.push(await share.read(offset, wanted));
        return read;
      });
      if (pieces !== undefined) data.set(shareNumber, pieces);
    }
    return data;
  }

  async #write(): Promise<PlannedChange[]> {
    const changes: PlannedChange[] = [];
    for (const [shareNumber, vectors] of this.#request.shares) {
      const change = await this.#plan(shareNumber, vectors);
      if (change !== undefined) changes.push(change);
    }
    if (changes.length === 0) return changes;
    const growth = changes.reduce((sum, { plan, share }) => sum + growthOf(plan, share), 0);
    await this.#options.withRoom(growth, () => this.#commit(changes));
    return changes;
  }

  /** @returns undefined when there is nothing to change. */
  async #plan(shareNumber: number, vectors: ShareVectors<Content>): Promise<PlannedChange | undefined> {
    const { crypto, leaseExpiry, nodeId, uploading } = this.#options;
    const share = this.#shareOf(shareNumber);
    const kind = this.#occupants.get(shareNumber)?.kind ?? 'absent';
    const writesData = vectors.writes.length > 0 || vectors.newLength !== undefined;
    if (kind === 'immutable' || kind === 'foreign' || uploading.has(shareNumber)) {
      throw new TahoeError('ERR_SHARE_KIND', { shareNumber });
    }
    const isDamaged = kind === 'damaged';
    if (vectors.newLength === 0) {
      return kind === 'absent' ? undefined : { shareNumber, share, plan: undefined, isDamaged, writesData };
    }
    checkBounds(vectors, share?.size ?? 0);
    const plan = new MutablePlan((await share?.state()) ?? emptyState);
    plan.write(vectors.writes, vectors.newLength);
    const lease = createLease(crypto, share?.shape.version ?? 2, ADDED_OWNER, this.#request, leaseExpiry);
    plan.keepLease(crypto, { ...lease, nodeId });
    if (share !== undefined && plan.edits.length === 0) return undefined;
    return { shareNumber, share, plan, isDamaged, writesData };
  }

  async #commit(changes: readonly PlannedChange[]): Promise<void> {
    const { files, places, uploading } = this.#options;
    const { storageIndex } = this.#request;
    if (areSmall(changes)) return this.#replace(changes);
    this.#known.clear();
    const prepared: ShareChange[] = [];
    try {
      for (const change of changes) {
        const { isDamaged, plan, shareNumber } = change;
        // What goes to quarantine needs no removing.
        if (plan === undefined && isDamaged) continue;
        prepared.push({ shareNumber, prepared: plan && (await this.#prepare(change, plan)) });
      }
      for (const { isDamaged, shareNumber } of changes) {
        if (isDamaged) await places.quarantine(storageIndex, shareNumber);
      }
    } catch (error) {
      for (const { prepared: file } of prepared) if (file !== undefined) await files.discard(file);
      throw error;
    }
    if (prepared.length > 0) await files.commit(storageIndex, prepared, uploading.size > 0);
  }

  /** Writes small shares as wholes. */
  async #replace(changes: readonly SmallChange[]): Promise<void> {
    const shares: SmallShare[] = [];
    for (const change of changes) {
      const { plan, share, shareNumber } = change;
      shares.push({ shareNumber, bytes: await this.#bytesOf(change, plan), isNew: share === undefined });
    }
    const marks = await this.#options.files.replace(this.#request.storageIndex, shares);
    for (const [i, { bytes, shareNumber }] of shares.entries()) {
      this.#known.set(shareNumber, { shareNumber, bytes, mark: marks[i] ?? '' });
    }
  }

  /** Makes the new file: in memory where it is small, else as a copy that is edited. */
  async #prepare(change: PlannedChange, plan: MutablePlan): Promise<PreparedShare> {
    const { share, shareNumber } = change;
    const { files } = this.#options;
    const { storageIndex } = this.#request;
    const isSmall = plan.fileSize <= SMALL_FILE_SIZE;
    const prepared = await files.prepare(storageIndex, isSmall || share === undefined ? undefined : shareNumber);
    try {
      if (isSmall) {
        await prepared.file.write([await this.#bytesOf(change, plan)], 0);
      } else {
        if (share === undefined) await prepared.file.write([this.#newContainer()], 0);
        for (const edit of plan.edits) await editFile(prepared.file, edit);
      }
      return prepared;
    } catch (error) {
      await files.discard(prepared);
      throw error;
    }
  }

  /** The whole new file of a small share. */
  async #bytesOf({ share }: PlannedChange, plan: MutablePlan): Promise<Uint8Array> {
    const bytes = new Uint8Array(plan.fileSize);
    bytes.set(share === undefined ? this.#newContainer() : await share.whole());
    for (const edit of plan.edits) await editBytes(bytes, edit);
    return bytes;
  }

  #newContainer(): Uint8Array {
    return encodeMutableContainer(this.#options.nodeId, this.#request.writeEnabler);
  }

  #tell(changes: readonly PlannedChange[]): void {
    const { events } = this.#options;
    const { storageIndex } = this.#request;
    for (const { isDamaged, plan, share, shareNumber, writesData } of changes) {
      const place = { storageIndex, shareNumber };
      if (plan === undefined && isDamaged) continue;
      if (plan === undefined) events?.tell({ ...place, kind: 'removed' });
      else if (share === undefined) events?.tell({ ...place, kind: 'added', type: 'mutable' });
      else events?.tell({ ...place, kind: writesData ? 'written' : 'leased' });
    }
  }
}

/** A container without data and leases. */
const emptyState = {
  fileSize: MUTABLE_DATA_OFFSET + EXTRA_COUNT_SIZE,
  dataLength: 0,
  extraOffset: MUTABLE_DATA_OFFSET,
  extraLeases: new Uint8Array(EXTRA_COUNT_SIZE),
  leases: Array.from({ length: LEASE_SLOT_COUNT }, () => undefined),
};

/** Whether all are small, and none removes anything or comes to stand where something damaged is. */
function areSmall(changes: readonly PlannedChange[]): changes is readonly SmallChange[] {
  const sizes = changes.map(({ isDamaged, plan }) => (isDamaged ? Infinity : (plan?.fileSize ?? Infinity)));
  return (
    Math.max(...sizes) <= SMALL_SHARE_SIZE_MAX && sizes.reduce((sum, size) => sum + size, 0) <= SMALL_SHARES_SIZE_MAX
  );
}

function growthOf(plan: MutablePlan | undefined, share: MutableShare | undefined): number {
  return Math.max(0, (plan?.fileSize ?? 0) - (share?.file.size ?? 0));
}

/** Refuses what lies too far out, or too far beyond what is there, before anything is spent on it. */
function checkBounds({ writes }: ShareVectors<Content>, dataLength: number): void {
  const end = writes.reduce((max, { data, offset }) => Math.max(max, offset + data.size), 0);
  if (end > MUTABLE_DATA_SIZE_MAX) {
    throw new TahoeError('ERR_TOO_LARGE', { what: 'mutable share', limitBytes: MUTABLE_DATA_SIZE_MAX });
  }
  const written = writes.reduce((sum, { data }) => sum + data.size, 0);
  if (end - dataLength > written + GAP_SIZE_MAX) {
    throw new TahoeError('ERR_TOO_LARGE', { what: 'gap in front of a write', limitBytes: GAP_SIZE_MAX });
  }
}
