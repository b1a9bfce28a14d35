/**
 * What everything that is done with mutable files stands on.
 */
import type { CryptoProvider } from '#core/crypto.js';
import type { Clock, Log, Random } from '#core/environment.js';
import type { StorageServer } from '../storage-server.js';
import type { KnownVersions } from './known-versions.js';
import type { TakerContext } from '../upload-permission.js';
import type { SeenVersions } from './seen-versions.js';
import type { WriterQueue } from './writer-queue.js';

/** How new files are encoded, and over how many servers they must be spread. */
export interface MutableEncoding {
  readonly needed: number;
  readonly happy: number;
  readonly total: number;
}

/** A node's means to work with mutable files. */
export interface MutableContext extends TakerContext {
  readonly crypto: CryptoProvider;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly encoding: MutableEncoding;
  /** 32 bytes. */
  readonly leaseSecret: Uint8Array;
  /** Connected servers in permuted order. */
  serversFor(storageIndex: Uint8Array): readonly StorageServer[];
  readonly seen: SeenVersions;
  readonly writers: WriterQueue;
  /** What need not be fetched again; without it everything is. */
  readonly known?: KnownVersions;
  /** Gives a new RSA key as PKCS#8 DER, from a pool; without it each is made when it is wanted. */
  readonly takeKey?: (signal: AbortSignal) => Promise<Uint8Array>;
  /** Of MDMF segments, in bytes, where it is not the usual one. */
  readonly mdmfSegmentSize?: number;
}

/** A signal that nothing ends. */
export function endless(): AbortSignal {
  return new AbortController().signal;
}
