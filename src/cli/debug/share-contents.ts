/**
 * A share file taken apart: container, leases, and of the share itself what describes it, without its blocks.
 */
import { ByteReader } from '#core/bytes.js';
import { TahoeError } from '#core/errors.js';
import {
  SHARE_HASHES_SIZE_MAX,
  SHARE_HEADER_SIZE_MAX,
  decodeShareHashes,
  decodeShareHeader,
} from '#core/immutable/layout.js';
import type { ShareLayout } from '#core/immutable/layout.js';
import { UEB_SIZE_MAX } from '#core/immutable/ueb.js';
import { MUTABLE_HEADER_SIZE_MAX, decodeMutableHeader } from '#core/mutable/layout.js';
import type { MutableHeader, Section } from '#core/mutable/layout.js';
import {
  CONTAINER_HEAD_SIZE,
  IMMUTABLE_DATA_OFFSET,
  MUTABLE_DATA_OFFSET,
  MUTABLE_SLOTS_RANGE,
  decodeContainer,
  decodeExtraLeaseCount,
  decodeImmutableLeases,
  decodeMutableLeases,
  extraLeaseRange,
  immutableLeaseRange,
} from './container.js';
import type { ImmutableContainer, MutableContainer, StoredLease } from './container.js';
import type { LocalShare } from './local-share.js';

/** The longest public key that is read, in bytes. */
const PUBLIC_KEY_SIZE_MAX = 16_384;

/** An immutable share's description. */
export interface ImmutableContents {
  readonly container: ImmutableContainer;
  readonly layout: ShareLayout;
  /** The URI extension block. */
  readonly ueb: Uint8Array;
}

/** A mutable slot: its frame, and what it holds if that is known. */
export interface MutableSlot {
  readonly container: MutableContainer;
  readonly extraLeaseCount: number;
  readonly leases: readonly StoredLease[];
  readonly shareType: 'SDMF' | 'MDMF' | 'unknown';
}

/** A mutable share's description. */
export interface MutableContents {
  readonly header: MutableHeader;
  readonly publicKey: Uint8Array;
  /** The numbers of the nodes in the share hash chain, in their order. */
  readonly shareHashNumbers: readonly number[];
}

/** @returns undefined for a file that is no share container. @throws ERR_FILE, ERR_CONTAINER. */
export async function readContainer(share: LocalShare): Promise<ImmutableContainer | MutableContainer | undefined> {
  return decodeContainer(await share.read(0, CONTAINER_HEAD_SIZE), share.size);
}

/** @throws ERR_FILE, ERR_CONTAINER. */
export async function readImmutableLeases(
  share: LocalShare,
  container: ImmutableContainer,
): Promise<readonly StoredLease[]> {
  return decodeImmutableLeases(await share.read(...immutableLeaseRange(container)));
}

/** Where the sections of an immutable share lie. @throws ERR_FILE, ERR_SHARE_LAYOUT. */
export async function readShareLayout(share: LocalShare, container: ImmutableContainer): Promise<ShareLayout> {
  return decodeShareHeader(await readData(share, container, 0, SHARE_HEADER_SIZE_MAX));
}

/** @throws ERR_FILE, ERR_SHARE_LAYOUT, and ERR_UEB when there is none. */
export async function readImmutable(share: LocalShare, container: ImmutableContainer): Promise<ImmutableContents> {
  const layout = await readShareLayout(share, container);
  const { fieldSize, offsets } = layout;
  const reader = new ByteReader(await readData(share, container, offsets.uriExtension, fieldSize));
  if (reader.left < fieldSize) throw new TahoeError('ERR_UEB', { reason: 'the share ends before it' });
  const uebSize = fieldSize === 4 ? reader.uint32() : reader.uint64();
  if (uebSize > UEB_SIZE_MAX) throw new TahoeError('ERR_UEB', { reason: `it claims ${String(uebSize)} bytes` });
  const ueb = await readData(share, container, offsets.uriExtension + fieldSize, uebSize);
  return { container, layout, ueb };
}

/** Bytes of the share's data, fewer where it ends. */
function readData(
  share: LocalShare,
  { leaseOffset }: ImmutableContainer,
  offset: number,
  size: number,
): Promise<Uint8Array> {
  const begin = IMMUTABLE_DATA_OFFSET + offset;
  return share.read(begin, Math.max(0, Math.min(size, leaseOffset - begin)));
}

/** @throws ERR_FILE, ERR_CONTAINER. */
export async function readSlot(share: LocalShare, container: MutableContainer): Promise<MutableSlot> {
  const extraLeaseCount = decodeExtraLeaseCount(await share.read(container.extraLeaseOffset, 4));
  const slots = decodeMutableLeases(await share.read(...MUTABLE_SLOTS_RANGE));
  const extra = decodeMutableLeases(await share.read(...extraLeaseRange(container, extraLeaseCount)));
  // The four slots come first, also where some of them are free.
  const leases = [...slots, ...extra.map((lease) => ({ ...lease, place: lease.place + 4 }))];
  const [version] = await share.read(MUTABLE_DATA_OFFSET, 1);
  const shareType = version === 0 ? 'SDMF' : version === 1 ? 'MDMF' : 'unknown';
  return { container, extraLeaseCount, leases, shareType };
}

/** Where the sections of a mutable share lie. @throws ERR_FILE, ERR_SHARE_LAYOUT. */
export async function readMutableHeader(share: LocalShare, { dataSize }: MutableContainer): Promise<MutableHeader> {
  const header = decodeMutableHeader(
    await share.read(MUTABLE_DATA_OFFSET, Math.min(dataSize, MUTABLE_HEADER_SIZE_MAX)),
  );
  if (header.end <= dataSize) return header;
  const reason = `it is cut short: ${String(dataSize)} of ${String(header.end)} bytes are there`;
  throw new TahoeError('ERR_SHARE_LAYOUT', { reason });
}

/** @throws ERR_FILE, ERR_SHARE_LAYOUT. */
export async function readMutable(share: LocalShare, container: MutableContainer): Promise<MutableContents> {
  const header = await readMutableHeader(share, container);
  const { publicKey, shareHashes } = header.sections;
  const chain = decodeShareHashes(await readSection(share, 'share hashes', shareHashes, SHARE_HASHES_SIZE_MAX));
  return {
    header,
    publicKey: await readSection(share, 'public key', publicKey, PUBLIC_KEY_SIZE_MAX),
    shareHashNumbers: [...chain.keys()],
  };
}

async function readSection(
  share: LocalShare,
  name: string,
  { begin, end }: Section,
  sizeMax: number,
): Promise<Uint8Array> {
  if (end - begin <= sizeMax) return share.read(MUTABLE_DATA_OFFSET + begin, end - begin);
  const reason = `its ${name} would have ${String(end - begin)} bytes`;
  throw new TahoeError('ERR_SHARE_LAYOUT', { reason });
}
