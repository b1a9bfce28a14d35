/** What an upload is begun with, and what it needs of the table that it is in. */
import type { CryptoProvider } from '#core/crypto.js';
import type { Clock } from '#core/environment.js';
import type { BatchPool } from './gather.js';
import type { Upload } from './upload.js';
import type { UploadRecord } from './upload-record.js';

/** What an upload needs of the table it is in. */
export interface UploadOwner {
  readonly clock: Clock;
  readonly crypto: CryptoProvider;
  /** Counts one body more. @throws ERR_TOO_MANY. @returns what counts it off. */
  beginWrite(): () => void;
  /** How large a batch may be now, in bytes. */
  batchSize(): number;
  readonly batchPool: BatchPool;
  /** Keeps what a restart has to know, where uploads outlast one; else undefined. */
  readonly keep: ((upload: UploadRecord) => Promise<void>) | undefined;
  /** Whether a background sync may begin now; if so, `endBackgroundSync` follows. */
  beginBackgroundSync(): boolean;
  endBackgroundSync(): void;
  /** Makes sure that there is a place for the share, while the file is being synced. */
  makeWay(upload: Upload): Promise<void>;
  /** Makes the synced file a share. */
  publish(upload: Upload): Promise<void>;
  /** Removes the incoming file. Never throws. */
  discard(upload: Upload): Promise<void>;
  /** The upload is over: its number is free. */
  forget(upload: Upload): void;
}

/** Which upload it is, and what opens it. */
export interface UploadIdentity {
  readonly storageIndex: Uint8Array;
  readonly shareNumber: number;
  readonly allocatedSize: number;
  /** 32 bytes: BLAKE2b-256 of what later writes must show. */
  readonly secretHash: Uint8Array;
  /** The address of whoever asked for it, where that is known. */
  readonly client?: string | undefined;
  /** What stands in front of the data in the file, and behind them. */
  readonly head: Uint8Array;
  readonly lease: Uint8Array;
}
