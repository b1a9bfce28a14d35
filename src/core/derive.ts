/**
 * Every tagged hash of Tahoe-LAFS: all tags, and each key derivation as one function.
 *
 *     TH(tag, value, n)    = the first n bytes of SHA256d(netstring(tag) ++ value)
 *     TPH(tag, a, b, n)    = the first n bytes of SHA256d(netstring(tag) ++ netstring(a) ++ netstring(b))
 *     SHA256d(x)           = SHA-256(SHA-256(x))
 *
 * A tag keeps hashes of one purpose apart from those of every other. All inputs and outputs are bytes.
 * @see Tahoe-LAFS docs/specifications/file-encoding.rst; lease-secret derivation in derive_renewal_secret.py
 */
import { concat, utf8 } from './bytes.js';
import type { BulkCrypto, Hasher } from './crypto.js';
import { encodeNetstring } from './netstring.js';

const HASH_SIZE = 32;
const KEY_SIZE = 16;
/** Of the secret under which room is reserved for a share, in bytes. */
export const UPLOAD_SECRET_SIZE = 20;

const tags = {
  backupDirectory: 'allmydata_backupdb_dirhash_v1',
  block: 'allmydata_encoded_subshare_v1',
  bucketCancelSecret: 'allmydata_bucket_cancel_secret_v1',
  bucketRenewSecret: 'allmydata_bucket_renewal_secret_v1',
  clientCancelSecret: 'allmydata_client_cancel_secret_v1',
  clientRenewSecret: 'allmydata_client_renewal_secret_v1',
  convergence: 'allmydata_immutable_content_to_key_with_added_secret_v1+',
  crypttext: 'allmydata_crypttext_v1',
  crypttextSegment: 'allmydata_crypttext_segment_v1',
  directoryChildKey: 'allmydata_mutable_writekey_and_salt_to_dirnode_child_capkey_v1',
  directoryChildSalt: 'allmydata_dirnode_child_rwcap_to_salt_v1',
  fileCancelSecret: 'allmydata_file_cancel_secret_v1',
  fileRenewSecret: 'allmydata_file_renewal_secret_v1',
  immutableStorageIndex: 'allmydata_immutable_key_to_storage_index_v1',
  merkleEmptyLeaf: 'Merkle tree empty leaf',
  merkleNode: 'Merkle tree internal node',
  mutableDataKey: 'allmydata_mutable_readkey_to_datakey_v1',
  mutableFingerprint: 'allmydata_mutable_pubkey_to_fingerprint_v1',
  mutableReadKey: 'allmydata_mutable_writekey_to_readkey_v1',
  mutableStorageIndex: 'allmydata_mutable_readkey_to_storage_index_v1',
  mutableWriteKey: 'allmydata_mutable_privkey_to_writekey_v1',
  ueb: 'allmydata_uri_extension_v1',
  uploadSecret: 'tallac_upload_secret_v1',
  writeEnabler: 'allmydata_mutable_write_enabler_master_and_nodeid_to_write_enabler_v1',
  writeEnablerMaster: 'allmydata_mutable_writekey_to_write_enabler_master_v1',
} as const;

const framedTags = new Map<string, Uint8Array>(
  Object.values(tags).map((tag) => [tag, encodeNetstring(utf8(tag))] as const),
);

/** A tagged hash that is fed piece by piece; `digest` ends it with `size` bytes. */
export class TaggedHasher {
  readonly #crypto: BulkCrypto;
  readonly #inner: Hasher;

  constructor(crypto: BulkCrypto, tag: Uint8Array) {
    this.#crypto = crypto;
    this.#inner = crypto.sha256Hasher().update(encodeNetstring(tag));
  }

  update(bytes: Uint8Array): this {
    this.#inner.update(bytes);
    return this;
  }

  digest(size = HASH_SIZE): Uint8Array {
    return this.#crypto.sha256(this.#inner.digest()).subarray(0, size);
  }
}

/** TH with any tag. Large values are hashed without being copied. */
export function taggedHash(crypto: BulkCrypto, tag: Uint8Array, value: Uint8Array, size = HASH_SIZE): Uint8Array {
  return new TaggedHasher(crypto, tag).update(value).digest(size);
}

/** TPH with any tag. */
export function taggedPairHash(
  crypto: BulkCrypto,
  tag: Uint8Array,
  a: Uint8Array,
  b: Uint8Array,
  size = HASH_SIZE,
): Uint8Array {
  return taggedHash(crypto, tag, concat(encodeNetstring(a), encodeNetstring(b)), size);
}

function known(crypto: BulkCrypto, tag: string, value: Uint8Array, size = HASH_SIZE): Uint8Array {
  const hasher = crypto.sha256Hasher().update(framedTags.get(tag) ?? encodeNetstring(utf8(tag)));
  return crypto.sha256(hasher.update(value).digest()).subarray(0, size);
}

function knownPair(crypto: BulkCrypto, tag: string, a: Uint8Array, b: Uint8Array): Uint8Array {
  return known(crypto, tag, concat(encodeNetstring(a), encodeNetstring(b)));
}

// ---- Merkle trees ------------------------------------------------------------------------------------------

/** The hash of the empty leaf at `index`, which fills a tree up to a power of two. 32 bytes. */
export function deriveEmptyLeaf(crypto: BulkCrypto, index: number): Uint8Array {
  return known(crypto, tags.merkleEmptyLeaf, utf8(String(index)));
}

/** The hash of an inner node over its two children, 32 bytes each. 32 bytes. */
export function deriveMerkleNode(crypto: BulkCrypto, left: Uint8Array, right: Uint8Array): Uint8Array {
  return knownPair(crypto, tags.merkleNode, left, right);
}

// ---- immutable files ---------------------------------------------------------------------------------------

/**
 * Hashes a file's plaintext into its convergent key: equal files with equal parameters under one secret get
 * one key, and nobody without the secret can test a guess. `digest(16)` gives the read key.
 * @param secret - the convergence secret, any length (a node's has 32 bytes).
 * @param segmentSize - the size rounded up to a multiple of `needed`, not the configured maximum.
 */
export function convergenceHasher(
  crypto: BulkCrypto,
  secret: Uint8Array,
  parameters: { readonly needed: number; readonly total: number; readonly segmentSize: number },
): TaggedHasher {
  const { needed, total, segmentSize } = parameters;
  const text = `${String(needed)},${String(total)},${String(segmentSize)}`;
  return new TaggedHasher(crypto, concat(utf8(tags.convergence), encodeNetstring(secret), encodeNetstring(utf8(text))));
}

/**
 * The storage index of an immutable file: what servers file its shares under.
 * One-way: a server that knows the index learns nothing of the key.
 * @param readKey - 16 bytes, the AES-128 key of the file's ciphertext.
 * @returns 16 bytes.
 */
export function deriveImmutableStorageIndex(crypto: BulkCrypto, readKey: Uint8Array): Uint8Array {
  return known(crypto, tags.immutableStorageIndex, readKey, KEY_SIZE);
}

/** The hash of one block of one share. 32 bytes. */
export function deriveBlockHash(crypto: BulkCrypto, block: Uint8Array): Uint8Array {
  return known(crypto, tags.block, block);
}

/** The same, fed piece by piece. */
export function blockHasher(crypto: BulkCrypto): TaggedHasher {
  return new TaggedHasher(crypto, utf8(tags.block));
}

/** The hash of one segment's ciphertext, without padding. 32 bytes. */
export function deriveCrypttextSegmentHash(crypto: BulkCrypto, segment: Uint8Array): Uint8Array {
  return known(crypto, tags.crypttextSegment, segment);
}

/** The same, fed piece by piece. */
export function crypttextSegmentHasher(crypto: BulkCrypto): TaggedHasher {
  return new TaggedHasher(crypto, utf8(tags.crypttextSegment));
}

/** Hashes a file's whole ciphertext. */
export function crypttextHasher(crypto: BulkCrypto): TaggedHasher {
  return new TaggedHasher(crypto, utf8(tags.crypttext));
}

/** The hash of a URI extension block, which the capability carries. 32 bytes. */
export function deriveUebHash(crypto: BulkCrypto, ueb: Uint8Array): Uint8Array {
  return known(crypto, tags.ueb, ueb);
}

// ---- mutable files -----------------------------------------------------------------------------------------

/**
 * The write key of a mutable file.
 * @param privateKey - PKCS#8 DER, these very bytes: the same key written otherwise gives another file.
 * @returns 16 bytes.
 */
export function deriveMutableWriteKey(crypto: BulkCrypto, privateKey: Uint8Array): Uint8Array {
  return known(crypto, tags.mutableWriteKey, privateKey, KEY_SIZE);
}

/** What encrypts the data under one salt. @param salt - 16 bytes. @param readKey - 16 bytes. @returns 16 bytes. */
export function deriveMutableDataKey(crypto: BulkCrypto, salt: Uint8Array, readKey: Uint8Array): Uint8Array {
  return knownPair(crypto, tags.mutableDataKey, salt, readKey).subarray(0, KEY_SIZE);
}

/** The read key of a mutable file. @param writeKey - 16 bytes. @returns 16 bytes. */
export function deriveMutableReadKey(crypto: BulkCrypto, writeKey: Uint8Array): Uint8Array {
  return known(crypto, tags.mutableReadKey, writeKey, KEY_SIZE);
}

/** The storage index of a mutable file. @param readKey - 16 bytes. @returns 16 bytes. */
export function deriveMutableStorageIndex(crypto: BulkCrypto, readKey: Uint8Array): Uint8Array {
  return known(crypto, tags.mutableStorageIndex, readKey, KEY_SIZE);
}

/** What a mutable capability holds of the public key. @param publicKey - DER. @returns 32 bytes. */
export function deriveFingerprint(crypto: BulkCrypto, publicKey: Uint8Array): Uint8Array {
  return known(crypto, tags.mutableFingerprint, publicKey);
}

/**
 * What a server asks of who writes to a slot, another on each server.
 * @param writeKey - 16 bytes.
 * @param tubId - 20 bytes, the server's.
 * @returns 32 bytes.
 */
export function deriveWriteEnabler(crypto: BulkCrypto, writeKey: Uint8Array, tubId: Uint8Array): Uint8Array {
  return knownPair(crypto, tags.writeEnabler, known(crypto, tags.writeEnablerMaster, writeKey), tubId);
}

// ---- directories -------------------------------------------------------------------------------------------

/** What salts the key of a child's write capability: the same for equal ones. @returns 16 bytes. */
export function deriveChildSalt(crypto: BulkCrypto, writeCapability: Uint8Array): Uint8Array {
  return known(crypto, tags.directoryChildSalt, writeCapability, KEY_SIZE);
}

/**
 * The key that a child's write capability is encrypted with.
 * @param salt - 16 bytes.
 * @param writeKey - 16 bytes, the directory's.
 * @returns 16 bytes.
 */
export function deriveChildKey(crypto: BulkCrypto, salt: Uint8Array, writeKey: Uint8Array): Uint8Array {
  return knownPair(crypto, tags.directoryChildKey, salt, writeKey).subarray(0, KEY_SIZE);
}

// ---- lease secrets -----------------------------------------------------------------------------------------

/** Which of a lease's two secrets. */
export type LeaseSecretKind = 'renew' | 'cancel';

const leaseTags = {
  renew: { client: tags.clientRenewSecret, file: tags.fileRenewSecret, bucket: tags.bucketRenewSecret },
  cancel: { client: tags.clientCancelSecret, file: tags.fileCancelSecret, bucket: tags.bucketCancelSecret },
} as const;

/** The three steps to a lease secret, 32 bytes each. */
export interface LeaseSecretSteps {
  /** Of all files of one client. */
  readonly client: Uint8Array;
  /** Of one file. */
  readonly file: Uint8Array;
  /** Of one file on one server; undefined when no server was named. */
  readonly bucket: Uint8Array | undefined;
}

/**
 * The steps from a node's secret to the lease secret of one file.
 * The first hashes the tag's text under the node's secret as tag: the reference swaps the two there.
 * @param leaseSecret - 32 bytes, the node's private/secret.
 * @param storageIndex - 16 bytes.
 * @param tubId - 20 bytes, the server's.
 */
export function deriveLeaseSecretSteps(
  crypto: BulkCrypto,
  kind: LeaseSecretKind,
  leaseSecret: Uint8Array,
  storageIndex: Uint8Array,
  tubId: Uint8Array | undefined,
): LeaseSecretSteps {
  const tag = leaseTags[kind];
  const client = taggedHash(crypto, leaseSecret, utf8(tag.client));
  const file = knownPair(crypto, tag.file, client, storageIndex);
  return { client, file, bucket: tubId && knownPair(crypto, tag.bucket, file, tubId) };
}

/**
 * A lease secret for one file on one server, so that no server can use it on another.
 * @param leaseSecret - 32 bytes, the node's private/secret.
 * @param storageIndex - 16 bytes.
 * @param tubId - 20 bytes, the server's.
 * @returns 32 bytes.
 */
export function deriveLeaseSecret(
  crypto: BulkCrypto,
  kind: LeaseSecretKind,
  leaseSecret: Uint8Array,
  storageIndex: Uint8Array,
  tubId: Uint8Array,
): Uint8Array {
  const { file } = deriveLeaseSecretSteps(crypto, kind, leaseSecret, storageIndex, undefined);
  return knownPair(crypto, leaseTags[kind].bucket, file, tubId);
}

/**
 * The secret under which a node reserves room for one file on one server, so that its next run can go on with it. Our
 * own: the reference takes any bytes.
 * @param leaseSecret - 32 bytes, the node's private/secret.
 * @param storageIndex - 16 bytes.
 * @param tubId - 20 bytes, the server's.
 * @returns 20 bytes.
 */
export function deriveUploadSecret(
  crypto: BulkCrypto,
  leaseSecret: Uint8Array,
  storageIndex: Uint8Array,
  tubId: Uint8Array,
): Uint8Array {
  return known(crypto, tags.uploadSecret, concat(leaseSecret, storageIndex, tubId), UPLOAD_SECRET_SIZE);
}

// ---- backups -----------------------------------------------------------------------------------------------

/**
 * What the database of backups files a directory under. 32 bytes.
 * @param entries - netstrings of name and capability, by turns, in the order of the names' UTF-8.
 */
export function deriveBackupDirectoryHash(crypto: BulkCrypto, entries: Uint8Array): Uint8Array {
  return known(crypto, tags.backupDirectory, entries);
}
