/**
 * The operator's word that what is mounted at a node's storage directory is that node's store from now on: the work
 * of `tallac storage adopt`.
 */
import type { Clock, Log } from '#core/environment.js';
import { TahoeError } from '#core/errors.js';
import { systemRandom } from '#core/native-crypto.js';
import { formatTubId, loadCertificate } from '../certificate.js';
import { loadConfiguration } from '../config/load.js';
import type { EnvironmentVariables } from '../config/load.js';
import { NodeDirectory, identifyNodeType } from '../node-directory.js';
import { claimPidFile } from '../pid-file.js';
import { readSettings } from '../settings.js';
import { countIndexes } from './finding.js';
import { adoptVolume } from './volume.js';

/** What adoption is done with. */
export interface AdoptOptions {
  /** Absolute path of the node directory. */
  readonly directory: string;
  readonly environment: EnvironmentVariables;
  readonly clock: Clock;
  readonly log: Log;
}

/** What was adopted. */
export interface Adoption {
  readonly storageDirectory: string;
  /** The tub id of the node. */
  readonly node: string;
  /** The tub id of the node that it belonged to; undefined when nothing said. */
  readonly formerNode: string | undefined;
  /** How many storage indexes it holds shares of. */
  readonly indexCount: number;
}

/**
 * Adopts the store of a node that does not run.
 * @throws ERR_NOT_A_NODE, ERR_CONFIG, ERR_ALREADY_RUNNING; ERR_USAGE when the node stores nothing for others.
 * @throws ERR_VOLUME_IN_USE while any node runs on it; ERR_VOLUME, ERR_TIMEOUT, ERR_FILE, ERR_NO_SPACE.
 */
export async function adoptStore({ directory: path, environment, clock, log }: AdoptOptions): Promise<Adoption> {
  const nodeType = await identifyNodeType(path);
  const { storage } = readSettings(await loadConfiguration(path, nodeType, environment), path);
  if (storage === undefined) {
    const reason = `the node in '${path}' stores nothing for others, so it has no store: see [storage]enabled in its tahoe.cfg`;
    throw new TahoeError('ERR_USAGE', { reason });
  }
  const pidFile = await claimPidFile(path);
  try {
    const directory = new NodeDirectory(path);
    await directory.ensurePrivate();
    const node = formatTubId((await loadCertificate(directory, clock)).tubId);
    const storageDirectory = storage.directory;
    const { marker } = await adoptVolume({ directory, storageDirectory, node, clock, random: systemRandom, log });
    const indexCount = await countIndexes(storageDirectory);
    return { storageDirectory, node, formerNode: marker?.node, indexCount };
  } finally {
    await pidFile.release();
  }
}
