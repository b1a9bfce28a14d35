/**
 * What an operator does to the store of a node directory: measure it, scrub it, remove what no lease keeps.
 *
 * What only reads works beside a running node. The rest claims the node directory and the volume as a node does, so
 * that neither a node nor another of these runs at the same time, and no store but the node's own is touched.
 */
import { mkdir, readdir, statfs, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { CryptoName } from '#core/crypto.js';
import type { Clock, Log } from '#core/environment.js';
import { TahoeError } from '#core/errors.js';
import { systemRandom } from '#core/native-crypto.js';
import { advisoryName, DiskLayout, formatAdvisory } from '#storage/disk-layout.js';
import { attachIndex } from '#storage/index/attach-index.js';
import type { AttachedIndex } from '#storage/index/attach-index.js';
import { ExpiringFiles } from '#storage/index/expired-shares.js';
import { ExpiryCycle } from '#storage/index/expiry-cycle.js';
import type { ExpiryOutcome } from '#storage/index/expiry-cycle.js';
import { findExpired, reportOf } from '#storage/index/expiry-report.js';
import type { ExpiryReport } from '#storage/index/expiry-report.js';
import { OwnFiles } from '#storage/index/own-files.js';
import { Scrub } from '#storage/index/scrub.js';
import type { ScrubFigures } from '#storage/index/scrub-state.js';
import { ShareInventory } from '#storage/index/share-inventory.js';
import type { IndexedShare } from '#storage/index/share-index.js';
import { availableSpace, totalDiskBytes } from '#storage/index/usage.js';
import type { Usage } from '#storage/index/usage.js';
import { walkShares, walkUsage } from '#storage/index/usage-walk.js';
import { KeyedLock } from '#storage/keyed-lock.js';
import { ADVISORY_COUNT_MAX } from '#storage/share-store.js';
import type { SharePlace } from '#storage/store-events.js';
import { StoreEvents } from '#storage/store-events.js';
import { formatTubId, loadCertificate } from './certificate.js';
import { loadConfiguration } from './config/load.js';
import type { EnvironmentVariables } from './config/load.js';
import { createCrypto } from './crypto-choice.js';
import { fileError } from './durable-file.js';
import { identifyNodeType, NodeDirectory } from './node-directory.js';
import { claimPidFile } from './pid-file.js';
import { readSettings } from './settings.js';
import type { StorageSettings } from './settings.js';
import { findStore } from './volume/finding.js';
import { openVolume } from './volume/volume.js';
import type { Volume } from './volume/volume.js';

/** For those who print them. */
export type { ExpiryOutcome } from '#storage/index/expiry-cycle.js';
/** For those who print them. */
export type { ExpiryReport } from '#storage/index/expiry-report.js';

/** Which store, and with what. */
export interface StorageTask {
  /** Absolute path of the node directory. */
  readonly directory: string;
  readonly environment: EnvironmentVariables;
  readonly clock: Clock;
  readonly log: Log;
}

/** How much is stored, and how much more may be. Sizes in bytes. */
export interface StorageUsage {
  readonly usage: Usage;
  readonly diskBytes: number;
  readonly freeBytes: number;
  readonly reservedBytes: number;
  /** undefined for no limit. */
  readonly maximumBytes: number | undefined;
  /** 0 where the store takes no new shares. */
  readonly availableBytes: number;
}

/** What a scrub found. */
export interface ScrubResult {
  readonly figures: ScrubFigures;
  /** Those found for the first time. */
  readonly damaged: readonly (SharePlace & { readonly reason: string })[];
  /** Whether it came to its end. */
  readonly isWhole: boolean;
}

/** Measures a store by walking its disk. @throws ERR_NOT_A_NODE, ERR_CONFIG, ERR_USAGE, ERR_DISK, ERR_FILE. */
export async function measureStore(task: StorageTask): Promise<StorageUsage> {
  const settings = await storageSettings(task);
  await requireShares(task, settings);
  const { layout, inventory } = inventoryOf(settings, task);
  const usage = await walkUsage(inventory);
  const { bavail, bsize } = await statfs(layout.shares).catch((error: unknown) => {
    throw fileError(layout.shares, error);
  });
  const [diskBytes, freeBytes] = [totalDiskBytes(usage), bavail * bsize];
  const { reservedSpaceBytes: reservedBytes, maximumSpaceBytes: maximumBytes } = settings;
  const available = availableSpace({ freeBytes, reservedBytes, usedBytes: diskBytes, maximumBytes });
  const availableBytes = settings.isReadonly ? 0 : available;
  return { usage, diskBytes, freeBytes, reservedBytes, maximumBytes, availableBytes };
}

/** Which shares would go, by walking the disk. @throws as measureStore. */
export async function listExpired(task: StorageTask): Promise<ExpiryReport> {
  const settings = await storageSettings(task);
  await requireShares(task, settings);
  const { policy } = settings.expiry;
  const now = task.clock.nowMs();
  const { inventory } = inventoryOf(settings, task);
  return reportOf(await findExpired(pagesOf(inventory), policy, now), policy, now);
}

/**
 * Runs one cycle of garbage collection on a node that is stopped.
 * @throws ERR_ALREADY_RUNNING while the node runs, ERR_USAGE where nothing is to be removed; as measureStore, and as
 *   openVolume where the store is not the node's.
 */
export async function removeExpired(task: StorageTask, signal: AbortSignal): Promise<ExpiryOutcome> {
  const settings = await storageSettings(task);
  if (!settings.expiry.isEnabled || settings.isReadonly) {
    const option = settings.isReadonly ? '[storage]readonly is true' : '[storage]expire.enabled is false';
    throw new TahoeError('ERR_USAGE', {
      reason: `${option} in tahoe.cfg, so nothing is removed; use --dry-run to list`,
    });
  }
  return withIndex(task, settings, ({ index, inventory }, events) => {
    const { layout } = inventoryOf(settings, task);
    const store = new ExpiringFiles({ layout, inventory, events, lock: new KeyedLock() });
    const files = new OwnFiles(settings.directory);
    return new ExpiryCycle({ ...task, index, store, files, policy: settings.expiry.policy }).run(signal);
  });
}

/**
 * Reads every share of a node that is stopped, as fast as it goes; a pass that was broken off goes on.
 * @throws ERR_ALREADY_RUNNING while the node runs; as measureStore, and as openVolume where the store is not the node's.
 */
export async function scrubStore(task: StorageTask, signal: AbortSignal): Promise<ScrubResult> {
  const settings = await storageSettings(task);
  const crypto = await createCrypto(settings.crypto);
  return withIndex(task, settings, async ({ index, inventory }) => {
    const { layout } = inventoryOf(settings, task);
    const damaged: (SharePlace & { readonly reason: string })[] = [];
    const onDamage = async (place: SharePlace, reason: string): Promise<void> => {
      damaged.push({ ...place, reason });
      await advise(layout, task.clock, place, reason);
    };
    const files = new OwnFiles(settings.directory);
    const bytesPerSecond = Infinity;
    const scrub = new Scrub({ ...task, index, inventory, files, crypto, bytesPerSecond, onDamage });
    const isWhole = await scrub.pass(signal);
    return { figures: scrub.figures, damaged, isWhole };
  });
}

/** The store's settings, and who computes. */
interface TaskSettings extends StorageSettings {
  readonly crypto: CryptoName;
}

async function storageSettings({ directory, environment }: StorageTask): Promise<TaskSettings> {
  const nodeType = await identifyNodeType(directory);
  const configuration = await loadConfiguration(directory, nodeType, environment);
  const settings = nodeType === 'client' ? readSettings(configuration, directory) : undefined;
  if (settings?.storage !== undefined) return { ...settings.storage, crypto: settings.crypto };
  throw new TahoeError('ERR_USAGE', { reason: `the node in '${directory}' stores nothing for others` });
}

function inventoryOf(settings: StorageSettings, { clock }: StorageTask) {
  const layout = new DiskLayout(settings.directory);
  return { layout, inventory: new ShareInventory(layout, clock) };
}

/** A mount that is missing has nothing to measure, and must not be taken for an empty store. */
async function requireShares({ directory }: StorageTask, settings: StorageSettings): Promise<void> {
  const { hasSharesDirectory } = await findStore(new NodeDirectory(directory), settings.directory);
  if (hasSharesDirectory) return;
  const reason = 'it holds no store: the node makes one when it first runs; if it has run, its volume is not mounted';
  throw new TahoeError('ERR_FILE', { file: settings.directory, reason });
}

async function holdVolume({ clock, directory: path, log }: StorageTask, settings: StorageSettings): Promise<Volume> {
  const directory = new NodeDirectory(path);
  await directory.ensurePrivate();
  const node = formatTubId((await loadCertificate(directory, clock)).tubId);
  return openVolume({ directory, storageDirectory: settings.directory, node, clock, random: systemRandom, log });
}

/** Runs `action` with an index that knows the whole disk, while no node can start. */
async function withIndex<Result>(
  task: StorageTask,
  settings: TaskSettings,
  action: (attached: AttachedIndex, events: StoreEvents) => Promise<Result>,
): Promise<Result> {
  const pidFile = await claimPidFile(task.directory);
  try {
    const volume = await holdVolume(task, settings);
    try {
      const events = new StoreEvents();
      const crypto = await createCrypto(settings.crypto);
      const attached = await attachIndex({ ...task, directory: settings.directory, events, crypto });
      try {
        await attached.index.compared();
        return await action(attached, events);
      } finally {
        await attached.close();
      }
    } finally {
      await volume.close();
    }
  } finally {
    await pidFile.release();
  }
}

/** Leaves a report of damage where the store leaves those of clients, as long as there are not too many. */
async function advise(layout: DiskLayout, clock: Clock, place: SharePlace, reason: string): Promise<void> {
  const { storageIndex, shareNumber } = place;
  const path = join(layout.advisories, advisoryName(clock.nowMs(), storageIndex, shareNumber, shareNumber));
  try {
    await mkdir(layout.advisories, { recursive: true, mode: 0o700 });
    if ((await readdir(layout.advisories)).length >= ADVISORY_COUNT_MAX) return;
    await writeFile(path, formatAdvisory(storageIndex, shareNumber, reason), { mode: 0o600 });
  } catch (error) {
    throw fileError(path, error);
  }
}

async function* pagesOf(inventory: ShareInventory): AsyncGenerator<readonly IndexedShare[]> {
  for await (const { shares } of walkShares(inventory)) yield shares;
}
