/**
 * What a client asks, out of the packets of SFTP version 3.
 *
 *     packet   uint32 length, byte type, uint32 id, fields of the type       string   uint32 length, bytes
 *
 * Paths stay bytes: whether they are UTF-8 is not a question of the packet.
 * @see draft-ietf-secsh-filexfer-02, sections 3 and 6; OpenSSH, PROTOCOL, section 4
 */
import { ByteReader, fromUtf8 } from '#core/bytes.js';
import { TahoeError } from '#core/errors.js';
import { readAttributes } from './attributes.js';
import type { Attributes } from './attributes.js';
import { readLargeNumber } from './large-number.js';

/** The longest packet, in bytes: what OpenSSH takes. */
export const PACKET_SIZE_MAX = 262_144;

/** How a file is to be opened; bits of the protocol. */
export const openFlags = { read: 1, write: 2, append: 4, create: 8, truncate: 16, exclusive: 32 } as const;

/** A request that has a path and nothing more. */
export type PathKind = 'lstat' | 'opendir' | 'remove' | 'rmdir' | 'realpath' | 'stat' | 'readlink' | 'statvfs';
/** A request that has a handle and nothing more. */
export type HandleKind = 'close' | 'fstat' | 'readdir' | 'fstatvfs';

/** One request; `handle` is what the server once gave. */
export type Request =
  | { readonly kind: 'open'; readonly path: Uint8Array; readonly flags: number; readonly attributes: Attributes }
  | { readonly kind: 'read'; readonly handle: string; readonly offset: number; readonly size: number }
  | { readonly kind: 'write'; readonly handle: string; readonly offset: number; readonly bytes: Uint8Array }
  | { readonly kind: 'setstat' | 'mkdir'; readonly path: Uint8Array; readonly attributes: Attributes }
  | { readonly kind: 'fsetstat'; readonly handle: string; readonly attributes: Attributes }
  | { readonly kind: 'rename' | 'posix-rename'; readonly from: Uint8Array; readonly to: Uint8Array }
  | { readonly kind: 'symlink' }
  | { readonly [Kind in PathKind]: { readonly kind: Kind; readonly path: Uint8Array } }[PathKind]
  | { readonly [Kind in HandleKind]: { readonly kind: Kind; readonly handle: string } }[HandleKind]
  | { readonly kind: 'unknown'; readonly what: string };

/** A packet: the greeting, a request, or what cannot be read as one. */
export type Packet =
  | { readonly kind: 'init' }
  | { readonly kind: 'request'; readonly id: number; readonly request: Request }
  | { readonly kind: 'malformed'; readonly id: number };

const INIT = 1;
const EXTENDED = 200;
const pathTypes: ReadonlyMap<number, PathKind> = new Map([
  [7, 'lstat'],
  [11, 'opendir'],
  [13, 'remove'],
  [15, 'rmdir'],
  [16, 'realpath'],
  [17, 'stat'],
  [19, 'readlink'],
]);
const handleTypes: ReadonlyMap<number, HandleKind> = new Map([
  [4, 'close'],
  [8, 'fstat'],
  [12, 'readdir'],
]);

/** The packet that these bytes are, without their length. @throws ERR_TRUNCATED when not even an id is there. */
export function decodePacket(bytes: Uint8Array): Packet {
  const reader = new ByteReader(bytes);
  const type = reader.uint8();
  const id = reader.uint32();
  if (type === INIT) return { kind: 'init' };
  try {
    return { kind: 'request', id, request: readRequest(type, reader) };
  } catch (error) {
    if (error instanceof TahoeError || error instanceof TypeError) return { kind: 'malformed', id };
    throw error;
  }
}

function readRequest(type: number, reader: ByteReader): Request {
  const pathKind = pathTypes.get(type);
  if (pathKind !== undefined) return { kind: pathKind, path: readString(reader) };
  const handleKind = handleTypes.get(type);
  if (handleKind !== undefined) return { kind: handleKind, handle: readHandle(reader) };
  switch (type) {
    case 3:
      return {
        kind: 'open',
        path: readString(reader),
        flags: reader.uint32(),
        attributes: readAttributes(reader),
      };
    case 5:
      return { kind: 'read', handle: readHandle(reader), offset: readLargeNumber(reader), size: reader.uint32() };
    case 6:
      return { kind: 'write', handle: readHandle(reader), offset: readLargeNumber(reader), bytes: readString(reader) };
    case 9:
      return { kind: 'setstat', path: readString(reader), attributes: readAttributes(reader) };
    case 10:
      return { kind: 'fsetstat', handle: readHandle(reader), attributes: readAttributes(reader) };
    case 14:
      return { kind: 'mkdir', path: readString(reader), attributes: readAttributes(reader) };
    case 18:
      return { kind: 'rename', from: readString(reader), to: readString(reader) };
    case 20:
      return { kind: 'symlink' };
    case EXTENDED:
      return readExtended(reader);
    default:
      return { kind: 'unknown', what: `packets of type ${String(type)}` };
  }
}

function readExtended(reader: ByteReader): Request {
  const name = fromUtf8(readString(reader));
  switch (name) {
    case 'posix-rename@openssh.com':
      return { kind: 'posix-rename', from: readString(reader), to: readString(reader) };
    case 'statvfs@openssh.com':
      return { kind: 'statvfs', path: readString(reader) };
    case 'fstatvfs@openssh.com':
      return { kind: 'fstatvfs', handle: readHandle(reader) };
    default:
      return { kind: 'unknown', what: 'this extension' };
  }
}

function readString(reader: ByteReader): Uint8Array {
  return reader.bytes(reader.uint32());
}

/** As text, to be looked up: handles of ours are ASCII. */
function readHandle(reader: ByteReader): string {
  return fromUtf8(readString(reader));
}
