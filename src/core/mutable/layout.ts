/**
 * Where things lie in a mutable share, in both formats. Big-endian.
 *
 *     SDMF, one segment                        MDMF, segments of up to 128 KiB
 *     0    1  version 0                        0    1  version 1
 *     1    8  sequence number                  1    8  sequence number
 *     9   32  root of the share hash tree      9   32  root of the share hash tree
 *     41  16  salt (also called IV)            41   2  needed, total
 *     57   2  needed, total                    43   8  segment size
 *     59   8  segment size                     51   8  data size
 *     67   8  data size                        59  64  eight offsets of 8 bytes: encrypted private key,
 *     75  32  offsets: signature, share                share hashes, signature, public key and its end,
 *             hashes, block hashes, blocks             blocks, block hashes, end
 *             (4 bytes each), encrypted        123     encrypted private key, share hashes, signature,
 *             private key, end (8 each)                public key; later the blocks, each behind its
 *     107     public key, then the above               salt of 16 bytes, and the block hashes
 *
 * What is read is not believed yet: the signature covers all in front of the offsets, and the hashes the rest.
 * @see Tahoe-LAFS docs/specifications/mutable.rst, src/allmydata/mutable/layout.py (the fields)
 */
import { ByteReader } from '../bytes.js';
import type { MutableFormat } from '../capability/types.js';
import { TahoeError } from '../errors.js';
import { NODE_SIZE } from '../merkle.js';

/** Where an SDMF share's header ends and its public key begins. */
export const SDMF_HEADER_SIZE = 107;
/** The longer header of the two. Who reads so many bytes first has all of either. */
export const MUTABLE_HEADER_SIZE_MAX = 123;
/** The first bytes of a share, which tell its version from every other: what writers compare. */
export const CHECKSTRING_SIZE: Readonly<Record<MutableFormat, number>> = { sdmf: 57, mdmf: 41 };
/** The first bytes of a share, which its signature covers. */
export const SIGNED_SIZE: Readonly<Record<MutableFormat, number>> = { sdmf: 75, mdmf: 59 };
/** The salt of a segment, in bytes. */
export const SALT_SIZE = 16;

/** From `begin` up to, and without, `end`; in bytes from the start of the share. */
export interface Section {
  readonly begin: number;
  readonly end: number;
}

/** The parts of a share, in either format. */
export interface MutableSections {
  /** DER, as SubjectPublicKeyInfo. */
  readonly publicKey: Section;
  readonly signature: Section;
  /** Records of a node number (2 bytes) and a hash (32 bytes). */
  readonly shareHashes: Section;
  /** All nodes of the block hash tree, 32 bytes each. */
  readonly blockHashes: Section;
  /** In MDMF each block follows its salt. */
  readonly blocks: Section;
  readonly encryptedPrivateKey: Section;
}

/** What a share says of itself. Byte strings are views of what was decoded. */
export interface MutableHeader {
  readonly format: MutableFormat;
  readonly sequenceNumber: number;
  /** 32 bytes. */
  readonly rootHash: Uint8Array;
  /** 16 bytes; undefined in MDMF, where every segment has its own. */
  readonly salt: Uint8Array | undefined;
  readonly needed: number;
  readonly total: number;
  /** Bytes; 0 in SDMF when the file is empty. */
  readonly segmentSize: number;
  /** The file's, in bytes. */
  readonly dataSize: number;
  readonly sections: MutableSections;
  /** Where the share ends. */
  readonly end: number;
}

/**
 * Reads a header.
 * @param bytes - the share's first 123 bytes, or fewer where the share is shorter.
 * @throws ERR_SHARE_LAYOUT for an unknown version, a header cut short, numbers that make no file, sections that
 *   overlap or run backwards, and an offset of 2^53 and more. Whether the share is as long as it says is not known here.
 */
export function decodeMutableHeader(bytes: Uint8Array): MutableHeader {
  const version = bytes[0];
  if (version !== 0 && version !== 1) throw layoutError(`its version is ${String(version ?? 'missing')}`);
  try {
    const header = version === 0 ? decodeSdmf(new ByteReader(bytes)) : decodeMdmf(new ByteReader(bytes));
    checkNumbers(header);
    return header;
  } catch (error) {
    if (!(error instanceof TahoeError) || error.code !== 'ERR_TRUNCATED') throw error;
    throw new TahoeError('ERR_SHARE_LAYOUT', { reason: 'it is too short for a header' }, { cause: error });
  }
}

/** The nodes of a block hash tree. @throws ERR_SHARE_LAYOUT when the bytes are not whole nodes. */
export function decodeBlockHashes(bytes: Uint8Array): readonly Uint8Array[] {
  if (bytes.length % NODE_SIZE !== 0) throw layoutError('its block hashes are not whole nodes');
  return Array.from({ length: bytes.length / NODE_SIZE }, (_, i) => bytes.subarray(i * NODE_SIZE, (i + 1) * NODE_SIZE));
}

function decodeSdmf(reader: ByteReader): MutableHeader {
  reader.bytes(1);
  const [sequenceNumber, rootHash, salt] = [reader.uint64(), reader.bytes(NODE_SIZE), reader.bytes(SALT_SIZE)];
  const [needed, total, segmentSize, dataSize] = [reader.uint8(), reader.uint8(), reader.uint64(), reader.uint64()];
  const [signature, shareHashes, blockHashes, blocks] = [
    reader.uint32(),
    reader.uint32(),
    reader.uint32(),
    reader.uint32(),
  ];
  const [encryptedPrivateKey, end] = [reader.uint64(), reader.uint64()];
  const sections = {
    publicKey: section('public key', SDMF_HEADER_SIZE, signature),
    signature: section('signature', signature, shareHashes),
    shareHashes: section('share hashes', shareHashes, blockHashes),
    blockHashes: section('block hashes', blockHashes, blocks),
    blocks: section('blocks', blocks, encryptedPrivateKey),
    encryptedPrivateKey: section('encrypted private key', encryptedPrivateKey, end),
  };
  return { format: 'sdmf', sequenceNumber, rootHash, salt, needed, total, segmentSize, dataSize, sections, end };
}

function decodeMdmf(reader: ByteReader): MutableHeader {
  reader.bytes(1);
  const [sequenceNumber, rootHash] = [reader.uint64(), reader.bytes(NODE_SIZE)];
  const [needed, total, segmentSize, dataSize] = [reader.uint8(), reader.uint8(), reader.uint64(), reader.uint64()];
  const [encryptedPrivateKey, shareHashes, signature, publicKey] = [
    reader.uint64(),
    reader.uint64(),
    reader.uint64(),
    reader.uint64(),
  ];
  const [publicKeyEnd, blocks, blockHashes, end] = [reader.uint64(), reader.uint64(), reader.uint64(), reader.uint64()];
  section('header', MUTABLE_HEADER_SIZE_MAX, encryptedPrivateKey);
  // Between the public key and the blocks there may be room, for keys that turn out longer.
  section('room for keys', publicKeyEnd, blocks);
  const sections = {
    encryptedPrivateKey: section('encrypted private key', encryptedPrivateKey, shareHashes),
    shareHashes: section('share hashes', shareHashes, signature),
    signature: section('signature', signature, publicKey),
    publicKey: section('public key', publicKey, publicKeyEnd),
    blocks: section('blocks', blocks, blockHashes),
    blockHashes: section('block hashes', blockHashes, end),
  };
  const salt = undefined;
  return { format: 'mdmf', sequenceNumber, rootHash, salt, needed, total, segmentSize, dataSize, sections, end };
}

function section(name: string, begin: number, end: number): Section {
  if (begin > end) throw layoutError(`its ${name} would end at ${String(end)}, before it begins at ${String(begin)}`);
  return { begin, end };
}

function checkNumbers({ format, needed, total, segmentSize, dataSize }: MutableHeader): void {
  if (needed < 1 || needed > total) throw layoutError(`it is ${String(needed)} of ${String(total)} shares`);
  const isWhole = segmentSize % needed === 0;
  const isEnough = format === 'sdmf' ? segmentSize >= dataSize : segmentSize > 0 || dataSize === 0;
  if (isWhole && isEnough) return;
  const [segment, data] = [String(segmentSize), String(dataSize)];
  throw layoutError(`segments of ${segment} bytes do not make ${data} bytes, ${String(needed)} blocks each`);
}

function layoutError(reason: string): TahoeError {
  return new TahoeError('ERR_SHARE_LAYOUT', { reason });
}
