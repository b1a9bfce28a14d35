/**
 * What a capability to a mutable file gives: where its shares are, what proves them, and the keys that its holder has.
 * @see Tahoe-LAFS docs/specifications/mutable.rst
 */
import type {
  MutableFormat,
  MutableReadCapability,
  MutableVerifyCapability,
  MutableWriteCapability,
} from '../capability/types.js';
import type { BulkCrypto } from '../crypto.js';
import { deriveMutableReadKey, deriveMutableStorageIndex } from '../derive.js';

/** A capability of any strength to a mutable file. */
export type MutableCapability = MutableWriteCapability | MutableReadCapability | MutableVerifyCapability;

/** Its parts, and what follows from them. */
export interface MutableAccess {
  readonly format: MutableFormat;
  /** 16 bytes. */
  readonly storageIndex: Uint8Array;
  /** 32 bytes. */
  readonly fingerprint: Uint8Array;
  /** 16 bytes; undefined to who may only verify. */
  readonly readKey: Uint8Array | undefined;
  /** 16 bytes; undefined to who may not write. */
  readonly writeKey: Uint8Array | undefined;
}

/** What the capability gives. */
export function accessOf(crypto: BulkCrypto, capability: MutableCapability): MutableAccess {
  const { format, fingerprint } = capability;
  if (capability.kind === 'ssk-verify') {
    return { format, fingerprint, storageIndex: capability.storageIndex, readKey: undefined, writeKey: undefined };
  }
  const writeKey = capability.kind === 'ssk' ? capability.writeKey : undefined;
  const readKey = capability.kind === 'ssk' ? deriveMutableReadKey(crypto, capability.writeKey) : capability.readKey;
  return { format, fingerprint, storageIndex: deriveMutableStorageIndex(crypto, readKey), readKey, writeKey };
}
