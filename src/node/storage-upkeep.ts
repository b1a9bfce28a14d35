/**
 * What a storage node does for its store while nobody asks: it keeps the index, scrubs, and removes what no lease
 * keeps. Two steps, for the store asks the index how much room is left: the index first, then the store, then this.
 */
import type { CryptoProvider } from '#core/crypto.js';
import type { Clock, Log } from '#core/environment.js';
import type { AttachedIndex } from '#storage/index/attach-index.js';
import { ExpiryCycle } from '#storage/index/expiry-cycle.js';
import type { ExpiringStore } from '#storage/index/expired-shares.js';
import { OwnFiles } from '#storage/index/own-files.js';
import { startRecurring } from '#storage/index/recurring.js';
import { Scrub } from '#storage/index/scrub.js';
import type { DamageHook } from '#storage/index/scrub.js';
import type { ScrubFigures } from '#storage/index/scrub-state.js';
import type { Closers } from './closers.js';
import type { StorageSettings } from './settings.js';

/** How long a node runs before it looks for shares to remove, and before it scrubs. */
export const UPKEEP_DELAY_MS = 6 * 60_000;
/** How often it looks. */
export const UPKEEP_PAUSE_MS = 3_600_000;

/** What is looked after. */
export interface UpkeepOptions {
  readonly settings: StorageSettings;
  readonly attached: AttachedIndex;
  readonly store: ExpiringStore;
  readonly onDamage: DamageHook;
  readonly crypto: CryptoProvider;
  readonly clock: Clock;
  readonly log: Log;
  readonly closers: Closers;
}

/** What may be asked of it. */
export interface Upkeep {
  /** Of the scrub's pass under way or the last one; undefined where there is no scrub. */
  scrubFigures(): ScrubFigures | undefined;
}

/** Begins. What it begins is added to `closers`. A read-only store is scrubbed, and nothing is removed from it. */
export function startUpkeep(options: UpkeepOptions): Upkeep {
  const { settings, attached, store, onDamage, crypto, clock, log, closers } = options;
  const { index, inventory } = attached;
  const files = new OwnFiles(settings.directory);
  const times = { firstDelayMs: UPKEEP_DELAY_MS, pauseMs: UPKEEP_PAUSE_MS, clock, log };
  if (settings.expiry.isEnabled && !settings.isReadonly) {
    const cycle = new ExpiryCycle({ index, store, policy: settings.expiry.policy, files, clock, log });
    const expiry = startRecurring({ ...times, name: 'expiry', action: (signal) => cycle.run(signal) });
    closers.add('the expiry', () => expiry.close());
  }
  const bytesPerSecond = settings.scrubBytesPerSecond;
  if (bytesPerSecond === 0) return { scrubFigures: () => undefined };
  const scrub = new Scrub({ index, inventory, files, crypto, clock, log, bytesPerSecond, onDamage });
  const scrubbing = startRecurring({ ...times, name: 'scrub', action: (signal) => scrub.passWhenDue(signal) });
  closers.add('the scrub', () => scrubbing.close());
  return { scrubFigures: () => scrub.figures };
}
