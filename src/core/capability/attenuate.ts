/**
 * From a capability to one that grants less: write → read → verify. Never the other way; each step is a hash.
 * @see Tahoe-LAFS docs/architecture.rst, "Capabilities"
 */
import type { CryptoProvider } from '../crypto.js';
import { deriveImmutableStorageIndex, deriveMutableReadKey, deriveMutableStorageIndex } from '../derive.js';
import { concealed } from './types.js';
import type {
  ChkReadCapability,
  ChkVerifyCapability,
  FileCapability,
  KnownCapability,
  MutableReadCapability,
  MutableVerifyCapability,
  MutableWriteCapability,
} from './types.js';

/** The capability to read what this one reads or writes; undefined when it only verifies. */
export function readCapabilityOf(crypto: CryptoProvider, capability: KnownCapability): KnownCapability | undefined {
  if (capability.kind === 'directory') {
    const file = readFileCapability(crypto, capability.file);
    return file && concealed({ kind: 'directory', file });
  }
  return readFileCapability(crypto, capability);
}

/** The capability to verify it; undefined for a literal, which has no shares. */
export function verifyCapabilityOf(crypto: CryptoProvider, capability: KnownCapability): KnownCapability | undefined {
  if (capability.kind === 'directory') {
    const file = verifyFileCapability(crypto, capability.file);
    return file && concealed({ kind: 'directory', file });
  }
  return verifyFileCapability(crypto, capability);
}

/** The 16-byte storage index under which its shares are filed; undefined for a literal. */
export function storageIndexOf(crypto: CryptoProvider, capability: KnownCapability): Uint8Array | undefined {
  const file = capability.kind === 'directory' ? capability.file : capability;
  return verifyFileCapability(crypto, file)?.storageIndex;
}

/** The verify capability of an immutable file. */
export function verifyChk(crypto: CryptoProvider, capability: ChkReadCapability): ChkVerifyCapability {
  const { uebHash, needed, total, size } = capability;
  const storageIndex = deriveImmutableStorageIndex(crypto, capability.readKey);
  return concealed({ kind: 'chk-verify', storageIndex, uebHash, needed, total, size });
}

function readFileCapability(crypto: CryptoProvider, file: FileCapability): FileCapability | undefined {
  switch (file.kind) {
    case 'ssk':
      return readMutable(crypto, file);
    case 'lit':
    case 'chk':
    case 'ssk-ro':
      return file;
    case 'chk-verify':
    case 'ssk-verify':
      return undefined;
  }
}

function verifyFileCapability(
  crypto: CryptoProvider,
  file: FileCapability,
): ChkVerifyCapability | MutableVerifyCapability | undefined {
  switch (file.kind) {
    case 'lit':
      return undefined;
    case 'chk':
      return verifyChk(crypto, file);
    case 'ssk':
      return verifyMutable(crypto, readMutable(crypto, file));
    case 'ssk-ro':
      return verifyMutable(crypto, file);
    case 'chk-verify':
    case 'ssk-verify':
      return file;
  }
}

function readMutable(
  crypto: CryptoProvider,
  { format, writeKey, fingerprint }: MutableWriteCapability,
): MutableReadCapability {
  return concealed({ kind: 'ssk-ro', format, readKey: deriveMutableReadKey(crypto, writeKey), fingerprint });
}

function verifyMutable(
  crypto: CryptoProvider,
  { format, readKey, fingerprint }: MutableReadCapability,
): MutableVerifyCapability {
  const storageIndex = deriveMutableStorageIndex(crypto, readKey);
  return concealed({ kind: 'ssk-verify', format, storageIndex, fingerprint });
}
