/**
 * What each type of sequence becomes, once it is closed: its open type and its children make a value. A sequence
 * that cannot be one is a violation, which costs the message that it is in and leaves the connection as it is.
 */
import { fromUtf8 } from '#core/bytes.js';
import { TahoeError } from '#core/errors.js';
import type { RemoteObject, RemoteReference } from './tub.js';
import { TUPLE_LENGTH_MAX } from './limits.js';
import { Copyable, Dict, Tuple, ValueSet } from './values.js';
import type { Value } from './values.js';
import { textOf } from './vocabulary.js';

/** Where references lead. */
export interface ReferenceTable {
  /** An object of the peer's. @throws ERR_BANANA, ERR_VIOLATION. */
  imported(clid: number, interfaceName: string, furl: string): RemoteReference;
  /** An object of ours that the peer speaks of. @throws ERR_VIOLATION when it has none of that number. */
  exported(clid: number): RemoteObject;
}

/** A sequence that is complete. */
export interface Sequence {
  /** The type, and for a copyable the name of its class behind it. */
  readonly openType: readonly string[];
  readonly children: readonly Value[];
}

type Builder = (children: readonly Value[], table: ReferenceTable, sequence: Sequence) => Value;

/** How many words an open type has: a second one names the class of a copyable. */
export function openTypeLength(first: string): number {
  return first === 'copyable' ? 2 : 1;
}

/** @throws ERR_VIOLATION, and what the table throws. */
export function buildValue(sequence: Sequence, table: ReferenceTable): Value {
  const [type = ''] = sequence.openType;
  const build = builders.get(type);
  if (build === undefined) throw violation(`there is no type ${JSON.stringify(type.slice(0, 40))}`);
  return build(sequence.children, table, sequence);
}

const builders: ReadonlyMap<string, Builder> = new Map<string, Builder>([
  ['none', (children) => (expectCount(children, 0), null)],
  ['boolean', ([flag]) => toBoolean(flag)],
  ['unicode', ([text]) => toText(text)],
  ['list', (children) => children],
  ['tuple', toTuple],
  ['set', (children) => new ValueSet(children)],
  ['immutable-set', (children) => new ValueSet(children, true)],
  ['dict', (children) => new Dict(pairs(children))],
  ['copyable', (children, _table, { openType }) => toCopyable(openType[1] ?? '', children)],
  ['my-reference', toImported],
  ['your-reference', ([clid], table) => table.exported(toClid(clid))],
  [
    'their-reference',
    () => {
      throw violation('references to objects of others are not taken');
    },
  ],
]);

function toTuple(children: readonly Value[]): Tuple {
  if (children.length > TUPLE_LENGTH_MAX) throw violation('a tuple is too long');
  return new Tuple(...children);
}

function toImported([clid, interfaceName, furl, ...rest]: readonly Value[], table: ReferenceTable): RemoteReference {
  expectCount(rest, 0);
  return table.imported(toClid(clid), toName(interfaceName), toName(furl));
}

function toClid(value: Value | undefined): number {
  if (typeof value === 'number') return value;
  throw violation('a reference has no number');
}

function toName(value: Value | undefined): string {
  if (value === undefined) return '';
  if (value instanceof Uint8Array) return textOf(value);
  throw violation('a reference has no name');
}

function toBoolean(value: Value | undefined): boolean {
  if (value === 0 || value === 1) return value === 1;
  throw violation('a boolean is neither 0 nor 1');
}

function toText(value: Value | undefined): string {
  try {
    if (value instanceof Uint8Array) return fromUtf8(value);
  } catch {
    // As below.
  }
  throw violation('a text is not UTF-8');
}

function toCopyable(typeName: string, children: readonly Value[]): Copyable {
  const attributes = pairs(children).map(([name, value]) => {
    if (name instanceof Uint8Array) return [textOf(name), value] as const;
    throw violation('an attribute has no name');
  });
  return new Copyable(typeName, new Map(attributes));
}

/** Children two by two. */
export function pairs(children: readonly Value[]): (readonly [Value, Value])[] {
  if (children.length % 2 !== 0) throw violation('a key has no value');
  const found: (readonly [Value, Value])[] = [];
  for (let i = 0; i < children.length; i += 2) found.push([children[i] ?? null, children[i + 1] ?? null]);
  return found;
}

function expectCount(children: readonly Value[], count: number): void {
  if (children.length !== count) throw violation('there is more in a sequence than its type has');
}

/** The error for a value that is not taken. */
export function violation(reason: string): TahoeError<'ERR_VIOLATION'> {
  return new TahoeError('ERR_VIOLATION', { reason });
}
