/** Writes values as Banana tokens. */
import type { TokenWriter } from './token-writer.js';
import { isRemoteReference } from './tub.js';
import type { RemoteObject, RemoteReference } from './tub.js';
import { violation } from './value-builders.js';
import { Copyable, Dict, Float, Tuple, ValueSet } from './values.js';
import type { Value } from './values.js';

/** How references are sent. */
export interface ReferenceNames {
  /** The number of an object of ours, and, the first time that it is sent, what it is called. */
  exporting(object: RemoteObject): { readonly clid: number; readonly introduction: readonly string[] };
  /** The number of an object of this very peer's; undefined for an object of another's. */
  returning(reference: RemoteReference): number | undefined;
}

/** @throws ERR_VIOLATION for a reference to another peer's object. */
export function writeValue(writer: TokenWriter, value: Value, names: ReferenceNames): void {
  if (value instanceof Uint8Array) writer.string(value);
  else if (typeof value === 'number' || typeof value === 'bigint') writer.integer(value);
  else if (value instanceof Float) writer.float(value.value);
  else writeSequence(writer, value, names);
}

/** A sequence of the type `type` whose children `write` writes. */
export function sequence(writer: TokenWriter, type: string, write: () => void): void {
  const count = writer.open(type);
  write();
  writer.close(count);
}

type Sequenced = Exclude<Value, Uint8Array | number | bigint | Float>;

function writeSequence(writer: TokenWriter, value: Sequenced, names: ReferenceNames): void {
  const all = (items: readonly Value[]): void => {
    for (const item of items) writeValue(writer, item, names);
  };
  if (value === null) sequence(writer, 'none', () => undefined);
  else if (typeof value === 'boolean') sequence(writer, 'boolean', () => writer.integer(value ? 1 : 0));
  else if (typeof value === 'string') sequence(writer, 'unicode', () => writer.word(value));
  else if (isList(value)) sequence(writer, 'list', () => all(value));
  else if (value instanceof Tuple) sequence(writer, 'tuple', () => all(value.items));
  else if (value instanceof ValueSet)
    sequence(writer, value.immutable ? 'immutable-set' : 'set', () => all(value.items));
  else if (value instanceof Dict) sequence(writer, 'dict', () => all(value.entries.flat()));
  else if (value instanceof Copyable) writeCopyable(writer, value, names);
  else writeReference(writer, value, names);
}

function writeCopyable(writer: TokenWriter, { attributes, typeName }: Copyable, names: ReferenceNames): void {
  sequence(writer, 'copyable', () => {
    writer.word(typeName);
    for (const [name, value] of attributes) {
      writer.word(name);
      writeValue(writer, value, names);
    }
  });
}

function writeReference(writer: TokenWriter, value: RemoteObject | RemoteReference, names: ReferenceNames): void {
  if (isRemoteReference(value)) {
    const clid = names.returning(value);
    if (clid === undefined) throw violation('an object of another peer cannot be passed on');
    sequence(writer, 'your-reference', () => writer.integer(clid));
    return;
  }
  const { clid, introduction } = names.exporting(value);
  sequence(writer, 'my-reference', () => {
    writer.integer(clid);
    for (const word of introduction) writer.word(word);
  });
}

function isList(value: Sequenced): value is readonly Value[] {
  return Array.isArray(value);
}
