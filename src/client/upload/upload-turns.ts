/**
 * Uploads of one file take turns within a node: who comes second finds the shares of the first, or what it left is given
 * back. And each has the secrets under which it reserves room: who comes back with one goes on with the reservation.
 *
 * The first upload of a file in a run of the node derives its secrets from the node's own. So when a node died in the
 * middle of an upload, the same upload in its next run is given what servers hold of it, where they would refuse
 * anybody else for half an hour. Any later one in the same run has secrets of chance: what the first gave up may still
 * be on its way to a slow server, and must not be another's.
 */
import { toHex } from '#core/bytes.js';
import type { CryptoProvider } from '#core/crypto.js';
import { deriveUploadSecret, UPLOAD_SECRET_SIZE } from '#core/derive.js';
import type { Random } from '#core/environment.js';
import { WriterQueue } from '../mutable/writer-queue.js';
import type { StorageServer } from '../storage-server.js';

/** Files that are remembered as uploaded; the one from longest ago is forgotten first. */
const REMEMBERED_COUNT_MAX = 10_000;

/** The secret under which room is reserved on a server, 20 bytes. */
export type UploadSecretFor = (server: Pick<StorageServer, 'tubId'>) => Uint8Array;

/** What the secrets are made of. */
export interface UploadTurnsOptions {
  readonly crypto: CryptoProvider;
  readonly random: Random;
  /** 32 bytes, the node's private/secret. */
  readonly leaseSecret: Uint8Array;
}

/** Of one run of a node. */
export class UploadTurns {
  readonly #options: UploadTurnsOptions;
  readonly #queue = new WriterQueue();
  readonly #begun = new Set<string>();

  constructor(options: UploadTurnsOptions) {
    this.#options = options;
  }

  /**
   * Runs `upload` when all uploads of that file before it have ended.
   * @param storageIndex - 16 bytes.
   * @throws ERR_BUSY when too many wait, ERR_CANCELLED when the signal ends the wait, and what `upload` throws.
   */
  run<Result>(
    storageIndex: Uint8Array,
    signal: AbortSignal,
    upload: (secretFor: UploadSecretFor) => Promise<Result>,
  ): Promise<Result> {
    return this.#queue.run(storageIndex, signal, () => upload(this.#secretsFor(storageIndex)));
  }

  #secretsFor(storageIndex: Uint8Array): UploadSecretFor {
    const { crypto, leaseSecret, random } = this.#options;
    const key = toHex(storageIndex);
    if (this.#begun.has(key)) return chanceSecrets(random);
    this.#begun.add(key);
    const [oldest] = this.#begun;
    if (this.#begun.size > REMEMBERED_COUNT_MAX && oldest !== undefined) this.#begun.delete(oldest);
    return ({ tubId }) => deriveUploadSecret(crypto, leaseSecret, storageIndex, tubId);
  }
}

/** Secrets that nobody can come back with. */
export function chanceSecrets(random: Random): UploadSecretFor {
  return () => random.bytes(UPLOAD_SECRET_SIZE);
}
