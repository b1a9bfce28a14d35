/**
 * What `debug dump-share` prints of a mutable slot and the share in it: among it the write enabler and the lease
 * secrets as the container holds them, which is as the reference prints them.
 */
import { formatBase32 } from '#core/base32.js';
import { dangerouslyFormatCapability } from '#core/capability/format.js';
import type { CryptoProvider } from '#core/crypto.js';
import { deriveFingerprint } from '#core/derive.js';
import { TahoeError } from '#core/errors.js';
import { NODE_SIZE } from '#core/merkle.js';
import type { MutableHeader, Section } from '#core/mutable/layout.js';
import { MUTABLE_DATA_OFFSET, MUTABLE_LEASES_OFFSET } from './container.js';
import type { MutableContainer, StoredLease } from './container.js';
import { formatOffset, formatRemaining } from './printed.js';
import type { MutableContents, MutableSlot } from './share-contents.js';

const SEQUENCE_NUMBER_OFFSET = 1;
const ROOT_HASH_OFFSET = 9;
const EXTRA_COUNT_SIZE = 4;

/** The slot: the container and its leases. @param nowMs - Unix milliseconds. */
export function linesOfSlot({ container, extraLeaseCount, leases, shareType }: MutableSlot, nowMs: number): string[] {
  const { version, nodeId, writeEnabler, dataSize, extraLeaseOffset } = container;
  return [
    '',
    'Mutable slot found:',
    ` share_type: ${shareType}`,
    ` write_enabler: ${formatBase32(writeEnabler)}`,
    ` WE for nodeid: ${formatBase32(nodeId)}`,
    ` num_extra_leases: ${String(extraLeaseCount)}`,
    ` container_size: ${String(extraLeaseOffset - MUTABLE_DATA_OFFSET)}`,
    ` data_length: ${String(dataSize)}`,
    ...(leases.length === 0 ? ['No leases.'] : leases.flatMap((lease) => linesOfLease(lease, version, nowMs))),
    '',
  ];
}

function linesOfLease(lease: StoredLease, version: 1 | 2, nowMs: number): string[] {
  const secret = (bytes: Uint8Array): string => `${version === 2 ? 'hash:' : ''}${formatBase32(bytes)}`;
  return [
    '',
    ` Lease #${String(lease.place)}:`,
    `  ownerid: ${String(lease.ownerNumber)}`,
    `  expires in ${formatRemaining(lease.expirySeconds, nowMs)}`,
    `  renew_secret: ${secret(lease.renewSecret)}`,
    `  cancel_secret: ${secret(lease.cancelSecret)}`,
    `  secrets are for nodeid: ${formatBase32(lease.nodeId)}`,
  ];
}

/**
 * The share in a slot.
 * @param storageIndex - 16 bytes, when it is known; without it there is no verify capability to print.
 * @param withOffsets - whether to print where the sections lie.
 * @throws ERR_SHARE_LAYOUT when the block hashes are not whole.
 */
export function linesOfMutable(
  crypto: CryptoProvider,
  contents: MutableContents,
  container: MutableContainer,
  storageIndex: Uint8Array | undefined,
  withOffsets: boolean,
): string[] {
  const { header, publicKey } = contents;
  const { format } = header;
  const fingerprint = deriveFingerprint(crypto, publicKey);
  const verifyCapability =
    storageIndex && dangerouslyFormatCapability({ kind: 'ssk-verify', format, storageIndex, fingerprint });
  return [
    ...linesOfHeader(contents),
    ...(verifyCapability === undefined ? [] : [`  verify-cap: ${verifyCapability}`]),
    ...(withOffsets ? ['', ' Section Offsets:', ...offsetLines(header, container.extraLeaseOffset)] : []),
    '',
  ];
}

function linesOfHeader({ header, shareHashNumbers }: MutableContents): string[] {
  const { format, salt, sections } = header;
  const blockHashCount = sizeOf(sections.blockHashes) / NODE_SIZE;
  if (!Number.isInteger(blockHashCount)) {
    throw new TahoeError('ERR_SHARE_LAYOUT', { reason: 'its block hashes are not whole nodes' });
  }
  // The reference sorts them as texts in one format, as numbers in the other.
  const chain = format === 'sdmf' ? shareHashNumbers.map(String).sort() : shareHashNumbers.toSorted((a, b) => a - b);
  return [
    ` ${format.toUpperCase()} contents:`,
    `  seqnum: ${String(header.sequenceNumber)}`,
    `  root_hash: ${formatBase32(header.rootHash)}`,
    ...(salt === undefined ? [] : [`  IV: ${formatBase32(salt)}`]),
    `  required_shares: ${String(header.needed)}`,
    `  total_shares: ${String(header.total)}`,
    `  segsize: ${String(header.segmentSize)}`,
    `  datalen: ${String(header.dataSize)}`,
    `  enc_privkey: ${String(sizeOf(sections.encryptedPrivateKey))} bytes`,
    `  pubkey: ${String(sizeOf(sections.publicKey))} bytes`,
    `  signature: ${String(sizeOf(sections.signature))} bytes`,
    `  share_hash_chain: ${chain.join(',')}`,
    `  block_hash_tree: ${String(blockHashCount)} nodes`,
  ];
}

/** The table of the reference, whose columns differ between the formats. */
function offsetLines({ format, sections, end }: MutableHeader, extraLeaseOffset: number): string[] {
  const outer = (label: string): string => (format === 'sdmf' ? label.padStart(20) : `  ${label}`);
  const inner = (label: string): string => (format === 'sdmf' ? `  ${label.padStart(20)}` : `    ${label}`);
  const table: [label: string, offset: number][] =
    format === 'sdmf'
      ? [
          ['signature', sections.signature.begin],
          ['share_hash_chain', sections.shareHashes.begin],
          ['block_hash_tree', sections.blockHashes.begin],
          ['block data', sections.blocks.begin],
          ['enc_privkey', sections.encryptedPrivateKey.begin],
          ['end of share data', end],
        ]
      : [
          ['enc_privkey', sections.encryptedPrivateKey.begin],
          ['share_hash_chain', sections.shareHashes.begin],
          ['signature', sections.signature.begin],
          ['pubkey', sections.publicKey.begin],
          ['end of pubkey', sections.publicKey.end],
          ['block data', sections.blocks.begin],
          ['block_hash_tree', sections.blockHashes.begin],
          ['end of share data', end],
        ];
  const rows: typeof table = [['seqnum', SEQUENCE_NUMBER_OFFSET], ['root_hash', ROOT_HASH_OFFSET], ...table];
  return [
    formatOffset(outer('first lease'), MUTABLE_LEASES_OFFSET),
    formatOffset(outer('share data'), MUTABLE_DATA_OFFSET),
    ...rows.map(([label, offset]) => formatOffset(inner(label), MUTABLE_DATA_OFFSET + offset)),
    formatOffset(outer('extra leases'), extraLeaseOffset + EXTRA_COUNT_SIZE),
  ];
}

function sizeOf({ begin, end }: Section): number {
  return end - begin;
}
