/**
 * The volume under a store: found to be this node's, tried, locked against every other node, and watched.
 *
 * Nothing is written before it is clear that the volume is this node's. What is ours in it lies in
 * `<storage_dir>/tallac/`, which the reference never looks at; `lost+found` and the like are left alone.
 */
import { join } from 'node:path';
import type { Clock, Log, Random } from '#core/environment.js';
import { removeUnfinished } from '../durable-file.js';
import type { NodeDirectory } from '../node-directory.js';
import { ownIdentity } from '../process-identity.js';
import { findStore, requireUsable } from './finding.js';
import type { StoreFinding } from './finding.js';
import { Heartbeat } from './heartbeat.js';
import type { VolumeHealth } from './heartbeat.js';
import { OWN_DIRECTORY, createMarker, rememberVolume, writeMarker } from './marker.js';
import type { VolumeMarker } from './marker.js';
import { takeOwnerLock } from './owner-lock.js';
import { probeVolume } from './probe.js';

/** What a volume is opened with. */
export interface VolumeOptions {
  readonly directory: NodeDirectory;
  /** Absolute path of the storage directory. */
  readonly storageDirectory: string;
  /** The tub id of the node, 32 characters. */
  readonly node: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/** A volume that this process owns. */
export interface Volume {
  /** Higher than that of every owner before. */
  readonly epoch: number;
  /** Whether there were shares before this start. */
  readonly hasShares: boolean;
  /** Why the store is not ours any more; undefined as long as nothing says so. */
  readonly lost: string | undefined;
  /**
   * To be called before anything is acknowledged; it costs nothing as long as the heart beats.
   * @throws ERR_STORE_READONLY when another node has taken the store; ERR_FILE, ERR_NO_SPACE when the volume fails.
   */
  assertOwner(): Promise<void>;
  /** How the volume is, without waiting for it. */
  health(): Promise<VolumeHealth>;
  /** Lets go of the store. Call it once, when nothing writes to it any more. */
  close(): Promise<void>;
}

/**
 * Opens the volume of a node; a new one is marked as the node's.
 * @throws ERR_VOLUME_FOREIGN when it is empty and the node has had a store, or when it is another's.
 * @throws ERR_VOLUME_IN_USE when another process owns it.
 * @throws ERR_VOLUME, ERR_TIMEOUT when the volume cannot do what a store needs.
 * @throws ERR_FILE, ERR_NO_SPACE when a file of ours cannot be read or written.
 */
export async function openVolume(options: VolumeOptions): Promise<Volume> {
  const { directory, storageDirectory, node, random } = options;
  requireUsable(await findStore(directory, storageDirectory), node, directory);
  return holdVolume(options, (finding) => {
    // Again: until the lock was held another node could make it its own.
    requireUsable(finding, node, directory);
    return finding.marker ?? createMarker(node, random);
  });
}

/**
 * Makes the volume this node's, whatever it was: the operator's word.
 * @returns what was found before.
 * @throws ERR_VOLUME_IN_USE while any node runs on it; ERR_VOLUME, ERR_TIMEOUT, ERR_FILE, ERR_NO_SPACE as openVolume.
 */
export async function adoptVolume(options: VolumeOptions): Promise<StoreFinding> {
  const { directory, storageDirectory, node, random } = options;
  const before = await findStore(directory, storageDirectory);
  const volume = await holdVolume(options, ({ marker }) =>
    marker?.node === node ? marker : createMarker(node, random),
  );
  await volume.close();
  return before;
}

/**
 * Tries and locks the volume, and has both sides know of each other.
 * @param judge - gives the marker that the volume is to have, or refuses it.
 */
async function holdVolume(options: VolumeOptions, judge: (finding: StoreFinding) => VolumeMarker): Promise<Volume> {
  const { directory, storageDirectory, node, clock, log } = options;
  const ownDirectory = join(storageDirectory, OWN_DIRECTORY);
  const { isFull } = await probeVolume(ownDirectory, clock);
  if (isFull) log.warn('storage.volume-full', { directory: storageDirectory });
  const lock = await takeOwnerLock({
    directory: join(ownDirectory, 'owner'),
    node,
    process: await ownIdentity(),
    clock,
    onWait: (owner) => log.warn('storage.owner-awaited', { directory: storageDirectory, owner }),
  });
  const heartbeat = new Heartbeat(lock, storageDirectory, clock, log);
  try {
    const finding = await findStore(directory, storageDirectory);
    const marker = judge(finding);
    await removeUnfinished(ownDirectory);
    if (marker !== finding.marker) await writeMarker(storageDirectory, marker);
    // Last: a node that remembers a volume without a marker would refuse it.
    await rememberVolume(directory, marker.volume);
    heartbeat.start();
    return volumeOf(lock.epoch, finding.hasShares, heartbeat);
  } catch (error) {
    await heartbeat.stop();
    throw error;
  }
}

function volumeOf(epoch: number, hasShares: boolean, heartbeat: Heartbeat): Volume {
  return {
    epoch,
    hasShares,
    get lost() {
      return heartbeat.lost;
    },
    assertOwner: () => heartbeat.assertOwner(),
    health: () => Promise.resolve(heartbeat.health()),
    close: () => heartbeat.stop(),
  };
}
