/**
 * Checks the files of a LevelDB before it is opened. Pure: bytes in, yes or no out.
 *
 * LevelDB does not verify its own checksums when it reads, and where damage makes it meet the impossible it ends
 * the whole process; a node would do so at each of its starts. All that it writes is covered by CRC-32C:
 *
 *     log, manifest   blocks of 32 KiB; records of checksum 4, size 2, type 1 (whole, first, middle, last), payload
 *     table           blocks, each with type 1 and checksum 4 behind it; a footer of 48 bytes: where the meta block
 *                     and the index block are, padding, magic 8. The index block says where every other one is
 *
 * Little-endian. Blocks are written uncompressed, or they could not be walked here.
 * @see LevelDB doc/log_format.md, doc/table_format.md
 */

const LOG_BLOCK_SIZE = 32_768;
const LOG_HEADER_SIZE = 7;
const LOG_TYPE_MAX = 4;
const TRAILER_SIZE = 5;
const FOOTER_SIZE = 48;
const TABLE_MAGIC = 0xdb47_7524_8b80_fb57n;
const CRC_POLYNOMIAL = 0x82f6_3b78;
const CRC_MASK = 0xa282_ead8;
const UNCOMPRESSED = 0;

const crcTable = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ ((crc & 1) * CRC_POLYNOMIAL);
  return crc >>> 0;
});

/** CRC-32C of the bytes, as LevelDB stores it: turned and shifted, so that a checksum of checksums is none. */
export function maskedCrc(bytes: Uint8Array): number {
  let crc = 0xffff_ffff;
  for (const byte of bytes) crc = (crcTable[(crc ^ byte) & 0xff] ?? 0) ^ (crc >>> 8);
  crc = ~crc >>> 0;
  return (((crc >>> 15) | (crc << 17)) + CRC_MASK) >>> 0;
}

/** Whether every record of a log is as it was written. Its end may be missing, as a crash leaves it. */
export function isSoundLog(file: Uint8Array): boolean {
  for (let start = 0; start < file.length; start += LOG_BLOCK_SIZE) {
    const block = file.subarray(start, start + LOG_BLOCK_SIZE);
    if (!isSoundLogBlock(block, start + block.length === file.length)) return false;
  }
  return true;
}

function isSoundLogBlock(block: Uint8Array, isLast: boolean): boolean {
  const view = viewOf(block);
  let offset = 0;
  while (offset + LOG_HEADER_SIZE <= block.length) {
    const end = offset + LOG_HEADER_SIZE + view.getUint16(offset + 4, true);
    const type = view.getUint8(offset + 6);
    if (end > block.length) return isLast && block.length < LOG_BLOCK_SIZE;
    if (type === 0 || type > LOG_TYPE_MAX) return false;
    if (view.getUint32(offset, true) !== maskedCrc(block.subarray(offset + 6, end))) return false;
    offset = end;
  }
  return block.length < LOG_BLOCK_SIZE || block.subarray(offset).every((byte) => byte === 0);
}

/** Whether every block of a table is as it was written. */
export function isSoundTable(file: Uint8Array): boolean {
  const footer = file.subarray(Math.max(0, file.length - FOOTER_SIZE));
  if (footer.length < FOOTER_SIZE || viewOf(footer).getBigUint64(FOOTER_SIZE - 8, true) !== TABLE_MAGIC) return false;
  const meta = readHandle(footer, 0);
  const index = meta === undefined ? undefined : readHandle(footer, meta.end);
  if (meta === undefined || index === undefined) return false;
  const blocks = [meta, index].map((handle) => soundBlock(file, handle));
  const handles = blocks.map((block) => (block === undefined ? undefined : handlesOf(block)));
  return handles.every((found) => found?.every((handle) => soundBlock(file, handle) !== undefined) === true);
}

/** Where a block is, and where the next field behind its handle begins. */
interface Handle {
  readonly offset: number;
  readonly size: number;
  readonly end: number;
}

/** The content of a block; undefined where it is not as it was written. */
function soundBlock(file: Uint8Array, { offset, size }: Handle): Uint8Array | undefined {
  const end = offset + size;
  if (end + TRAILER_SIZE > file.length || file[end] !== UNCOMPRESSED) return undefined;
  const isSound = viewOf(file).getUint32(end + 1, true) === maskedCrc(file.subarray(offset, end + 1));
  return isSound ? file.subarray(offset, end) : undefined;
}

/** The handles that an index block holds; undefined where it is none. */
function handlesOf(block: Uint8Array): Handle[] | undefined {
  if (block.length < 4) return undefined;
  const end = block.length - 4 - 4 * viewOf(block).getUint32(block.length - 4, true);
  const handles: Handle[] = [];
  for (let offset = 0; offset < end;) {
    const shared = readVarint(block, offset);
    const unshared = shared === undefined ? undefined : readVarint(block, shared.end);
    const valueSize = unshared === undefined ? undefined : readVarint(block, unshared.end);
    if (unshared === undefined || valueSize === undefined) return undefined;
    const value = valueSize.end + unshared.value;
    const handle = readHandle(block.subarray(0, value + valueSize.value), value);
    if (handle === undefined) return undefined;
    handles.push(handle);
    offset = value + valueSize.value;
  }
  return handles;
}

function readHandle(bytes: Uint8Array, at: number): Handle | undefined {
  const offset = readVarint(bytes, at);
  const size = offset === undefined ? undefined : readVarint(bytes, offset.end);
  return offset === undefined || size === undefined
    ? undefined
    : { offset: offset.value, size: size.value, end: size.end };
}

/** Seven bits a byte, the lowest first; numbers of up to 2^49 are enough for offsets. */
function readVarint(bytes: Uint8Array, at: number): { readonly value: number; readonly end: number } | undefined {
  let value = 0;
  for (let i = 0; i < 7; i++) {
    const byte = bytes[at + i];
    if (byte === undefined) return undefined;
    value += (byte & 0x7f) * 2 ** (7 * i);
    if (byte < 0x80) return { value, end: at + i + 1 };
  }
  return undefined;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
