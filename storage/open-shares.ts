/**
 * Shares that were read lately, still open: most of what a small read costs is opening the file, looking what it is
 * and closing it again.
 *
 * A share may be held by several readers; it is closed when nobody holds it and it is too old, forgotten, or one too
 * many. Whoever changes or removes a share has it forgotten, and the next reader opens it anew. What others do to the
 * file behind the store's back is seen after MAX_AGE_MS at the latest.
 */
import { formatBase32 } from '#core/base32.js';
import type { Clock } from '#core/environment.js';
import type { OpenShare } from './share-store.js';

/** How many shares are kept open that nobody reads. */
export const KEPT_SHARE_COUNT_MAX = 256;
/** How long a share may be handed out again, counted from its opening, in milliseconds. */
export const KEPT_SHARE_AGE_MAX_MS = 5_000;

interface KeptShare {
  readonly key: string;
  readonly share: OpenShare;
  readonly openedMs: number;
  holderCount: number;
  /** Whether it may still be handed out. */
  current: boolean;
}

/** Opens shares through itself. It must be closed. */
export class OpenShares {
  readonly #clock: Clock;
  /** Those that may be handed out, the longest unused first. */
  readonly #kept = new Map<string, KeptShare>();
  /** Counts up when something is forgotten, so that an opening under way at that time is not kept. */
  #forgottenCount = 0;
  #cancelTimer: (() => void) | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * The share, opened by `open` unless it still is; the caller closes what it gets.
   * @throws what `open` throws.
   */
  async open(
    storageIndex: Uint8Array,
    shareNumber: number,
    open: () => Promise<OpenShare | undefined>,
  ): Promise<OpenShare | undefined> {
    const key = keyOf(storageIndex, shareNumber);
    const kept = this.#kept.get(key);
    if (kept !== undefined && this.#clock.monotonicMs() - kept.openedMs < KEPT_SHARE_AGE_MAX_MS) {
      return this.#lend(kept);
    }
    const { forgottenCount, openedMs } = { forgottenCount: this.#forgottenCount, openedMs: this.#clock.monotonicMs() };
    const share = await open();
    if (share === undefined || this.#forgottenCount !== forgottenCount) return share;
    this.#drop(key);
    return this.#lend({ key, share, openedMs, holderCount: 0, current: true });
  }

  /** The share is changed or gone: the next reader must open it anew. */
  forget(storageIndex: Uint8Array, shareNumber: number): void {
    this.#forgottenCount += 1;
    this.#drop(keyOf(storageIndex, shareNumber));
  }

  /** Closes what nobody holds; what is held is closed by its holders. */
  close(): void {
    this.#forgottenCount += 1;
    for (const key of [...this.#kept.keys()]) this.#drop(key);
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
  }

  #lend(kept: KeptShare): OpenShare {
    kept.holderCount += 1;
    this.#kept.delete(kept.key);
    this.#kept.set(kept.key, kept);
    this.#evict();
    return new LentShare(kept.share, () => this.#giveBack(kept));
  }

  async #giveBack(kept: KeptShare): Promise<void> {
    kept.holderCount -= 1;
    if (kept.holderCount > 0) return;
    if (!kept.current) await kept.share.close();
    else this.#closeLater();
  }

  #evict(): void {
    for (const { key } of this.#kept.values()) {
      if (this.#kept.size <= KEPT_SHARE_COUNT_MAX) return;
      this.#drop(key);
    }
  }

  /** One timer for all: what is too old by then is closed. */
  #closeLater(): void {
    this.#cancelTimer ??= this.#clock.schedule(KEPT_SHARE_AGE_MAX_MS, () => {
      this.#cancelTimer = undefined;
      const nowMs = this.#clock.monotonicMs();
      for (const { key, openedMs } of [...this.#kept.values()]) {
        if (nowMs - openedMs >= KEPT_SHARE_AGE_MAX_MS) this.#drop(key);
      }
      if (this.#kept.size > 0) this.#closeLater();
    });
  }

  #drop(key: string): void {
    const kept = this.#kept.get(key);
    if (kept === undefined) return;
    this.#kept.delete(key);
    kept.current = false;
    // Nothing was written through it, so nothing can be lost by its closing.
    if (kept.holderCount === 0) void kept.share.close().catch(() => undefined);
  }
}

/** A share as one of its holders has it. */
class LentShare implements OpenShare {
  readonly size: number;
  readonly #share: OpenShare;
  #giveBack: (() => Promise<void>) | undefined;

  constructor(share: OpenShare, giveBack: () => Promise<void>) {
    this.size = share.size;
    this.#share = share;
    this.#giveBack = giveBack;
  }

  read(offset: number, size: number, room?: Uint8Array): Promise<Uint8Array> {
    return this.#share.read(offset, size, room);
  }

  readNow(offset: number, size: number): Uint8Array | undefined {
    return this.#share.readNow?.(offset, size);
  }

  async close(): Promise<void> {
    const giveBack = this.#giveBack;
    this.#giveBack = undefined;
    await giveBack?.();
  }
}

function keyOf(storageIndex: Uint8Array, shareNumber: number): string {
  return `${formatBase32(storageIndex)}/${String(shareNumber)}`;
}
