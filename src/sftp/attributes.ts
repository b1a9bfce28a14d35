/**
 * What SFTP tells of a file, and asks to be changed of it.
 *
 *     attributes   uint32 flags, [uint64 size], [uint32 uid, uint32 gid], [uint32 permissions], [uint32 atime, uint32 mtime],
 *                  [uint32 count, count × (string type, string data)]
 *
 * Only what the grid knows is told: directories have no size, nobody owns anything, and the times are those of the link.
 * @see draft-ietf-secsh-filexfer-02, section 5
 */
import type { ByteReader, ByteWriter } from '#core/bytes.js';
import { authorityOf, isMutable } from '#core/capability/types.js';
import type { Child } from '#core/directory/child.js';
import { isJsonObject } from '#core/directory/json-value.js';
import type { JsonValue } from '#core/directory/json-value.js';
import { forbidsWriting } from '#core/directory/metadata.js';
import type { Metadata } from '#core/directory/metadata.js';
import { readLargeNumber } from './large-number.js';

/** Attributes; what is undefined is not said. */
export interface Attributes {
  /** In bytes. */
  readonly size?: number | undefined;
  /** Kind and permissions, as `st_mode`. */
  readonly mode?: number | undefined;
  /** Seconds since 1970, for both times. */
  readonly mtime?: number | undefined;
}

const FLAGS = { size: 1, owner: 2, permissions: 4, times: 8, extended: 0x8000_0000 } as const;
const DIRECTORY_MODE = 0o040_777;
const FILE_MODE = 0o100_666;
const WRITE_BITS = 0o222;
const OWNER_WRITES = 0o200;

/** @throws ERR_TRUNCATED */
export function readAttributes(reader: ByteReader): Attributes {
  const flags = reader.uint32();
  const has = (flag: number): boolean => (flags & flag) !== 0;
  const size = has(FLAGS.size) ? readLargeNumber(reader) : undefined;
  if (has(FLAGS.owner)) reader.bytes(8);
  const mode = has(FLAGS.permissions) ? reader.uint32() : undefined;
  if (has(FLAGS.times)) reader.uint32();
  const mtime = has(FLAGS.times) ? reader.uint32() : undefined;
  // Extensions are of no meaning here and end the packet.
  return { size, mode, mtime };
}

/** Appends attributes. */
export function writeAttributes(writer: ByteWriter, { mode, mtime, size }: Attributes): void {
  const given = (value: number | undefined, flag: number): number => (value === undefined ? 0 : flag);
  writer.uint32(given(size, FLAGS.size) | given(mode, FLAGS.permissions) | given(mtime, FLAGS.times));
  if (size !== undefined) writer.uint64(size);
  if (mode !== undefined) writer.uint32(mode);
  if (mtime !== undefined) writer.uint32(mtime).uint32(mtime);
}

/** Where something stands, as far as that decides who may write to it. */
export interface Standing {
  readonly isParentReadOnly: boolean;
  readonly metadata: Metadata | undefined;
}

/** Whether it can only be read from there: what is immutable is replaced, which its directory must allow. */
export function isReadOnly(child: Child, { isParentReadOnly, metadata }: Standing): boolean {
  if (child.kind === 'unknown') return true;
  if (isMutable(child)) return authorityOf(child) !== 'write';
  if (isParentReadOnly || child.kind === 'directory') return true;
  return metadata !== undefined && forbidsWriting(metadata);
}

/**
 * The attributes of what is there.
 * @param size - of a mutable file, where it is known.
 */
export function attributesOf(child: Child, standing: Standing, size: number | undefined = sizeOf(child)): Attributes {
  const mask = isReadOnly(child, standing) ? ~WRITE_BITS : ~0;
  const mtime = linkTime(standing.metadata);
  if (child.kind === 'unknown') return { mode: 0, mtime };
  if (child.kind === 'directory') return { mode: DIRECTORY_MODE & mask, mtime };
  return { size, mode: FILE_MODE & mask, mtime };
}

/** The attributes of a file that is being written. */
export function attributesOfWritten(size: number, metadata: Metadata): Attributes {
  const mode = forbidsWriting(metadata) ? FILE_MODE & ~WRITE_BITS : FILE_MODE;
  return { size, mode, mtime: linkTime(metadata) };
}

/** The metadata of a link once these attributes are set: permissions become `no-write`, a time `mtime`. */
export function metadataWith(old: Metadata, { mode, mtime }: Attributes): Metadata {
  const metadata = new Map(old);
  if (mtime !== undefined) metadata.set('mtime', mtime);
  if (mode !== undefined) {
    if ((mode & OWNER_WRITES) === 0) metadata.set('no-write', true);
    else metadata.delete('no-write');
  }
  return metadata;
}

/** Whether the attributes ask for something that nobody may write to. */
export function forbidWriting({ mode }: Attributes): boolean {
  return mode !== undefined && (mode & OWNER_WRITES) === 0;
}

/** The size that the capability itself tells. */
export function sizeOf(child: Child): number | undefined {
  if (child.kind === 'lit') return child.data.length;
  return child.kind === 'chk' ? child.size : undefined;
}

function linkTime(metadata: Metadata | undefined): number | undefined {
  const system = metadata?.get('tahoe');
  return seconds(isJsonObject(system) ? system.get('linkmotime') : undefined) ?? seconds(metadata?.get('mtime'));
}

/** As the 32 bits that the protocol has. */
function seconds(value: JsonValue | undefined): number | undefined {
  return typeof value === 'number' && Number.isFinite(value) ? Math.trunc(value) >>> 0 : undefined;
}
