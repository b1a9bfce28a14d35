/**
 * What the server answers, as packets of SFTP version 3 with their length.
 * @see draft-ietf-secsh-filexfer-02, section 7; OpenSSH, PROTOCOL, section 4
 */
import { ByteWriter, concat, utf8 } from '#core/bytes.js';
import { writeAttributes } from './attributes.js';
import type { Attributes } from './attributes.js';
import { statusCodes } from './status.js';
import type { StatusReply } from './status.js';

/** A name of a directory, with what is told of it. */
export interface ListedName {
  readonly name: string;
  /** The line that `ls -l` would show. */
  readonly longName: string;
  readonly attributes: Attributes;
}

/** One answer. */
export type Reply =
  | { readonly kind: 'status'; readonly reply: StatusReply }
  | { readonly kind: 'handle'; readonly handle: string }
  | { readonly kind: 'data'; readonly bytes: Uint8Array }
  | { readonly kind: 'names'; readonly names: readonly ListedName[] }
  | { readonly kind: 'attributes'; readonly attributes: Attributes }
  | { readonly kind: 'extended'; readonly bytes: Uint8Array };

const VERSION = 3;
const types = { version: 2, status: 101, handle: 102, data: 103, names: 104, attributes: 105, extended: 201 } as const;
const extensions: readonly (readonly [name: string, version: string])[] = [
  ['posix-rename@openssh.com', '1'],
  ['statvfs@openssh.com', '2'],
  ['fstatvfs@openssh.com', '2'],
];

/** That all went well. */
export const done: Reply = { kind: 'status', reply: { status: 'ok', sentence: 'done' } };

/** The answer to the greeting: the version, and what is understood beyond it. */
export function encodeVersion(): Uint8Array {
  const writer = new ByteWriter().uint8(types.version).uint32(VERSION);
  for (const text of extensions.flat()) writeString(writer, utf8(text));
  return framed(writer);
}

/** An answer to the request of that id. */
export function encodeReply(id: number, reply: Reply): Uint8Array {
  const writer = new ByteWriter().uint8(types[reply.kind]).uint32(id);
  writeFields(writer, reply);
  return framed(writer);
}

function writeFields(writer: ByteWriter, reply: Reply): void {
  switch (reply.kind) {
    case 'status':
      writer.uint32(statusCodes[reply.reply.status]);
      writeString(writer, utf8(reply.reply.sentence));
      writeString(writer, utf8('en'));
      return;
    case 'handle':
      writeString(writer, utf8(reply.handle));
      return;
    case 'data':
      writeString(writer, reply.bytes);
      return;
    case 'names':
      writer.uint32(reply.names.length);
      for (const name of reply.names) writeName(writer, name);
      return;
    case 'attributes':
      writeAttributes(writer, reply.attributes);
      return;
    case 'extended':
      writer.bytes(reply.bytes);
  }
}

function writeName(writer: ByteWriter, { attributes, longName, name }: ListedName): void {
  writeString(writer, utf8(name));
  writeString(writer, utf8(longName));
  writeAttributes(writer, attributes);
}

function writeString(writer: ByteWriter, bytes: Uint8Array): void {
  writer.uint32(bytes.length).bytes(bytes);
}

function framed(writer: ByteWriter): Uint8Array {
  const packet = writer.finish();
  return concat(new ByteWriter().uint32(packet.length).finish(), packet);
}
