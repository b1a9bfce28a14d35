/**
 * What can be said over Foolscap, as values: the arguments and results of calls.
 *
 *     null  boolean  number  bigint      as they are; an integer is a bigint beyond 2^53 only
 *     Float                              a number that is no integer to Python
 *     Uint8Array  string                 Python's bytes and str
 *     array  Tuple  Dict  ValueSet       list, tuple, dict, set and frozenset
 *     Copyable                           an object sent by its attributes, failures among them
 *     RemoteObject  RemoteReference      an object of ours, an object of the peer's (tub.ts)
 *
 * What arrives has been bounded in size, number and depth, and in nothing else: whoever takes a value judges its shape with
 * the functions of shapes.ts. Byte strings that arrive are the receiver's own.
 */
import { equalBytes, utf8 } from '#core/bytes.js';
import type { RemoteObject, RemoteReference } from './tub.js';

/** Anything that can be said. */
export type Value =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | Float
  | readonly Value[]
  | Tuple
  | Dict
  | ValueSet
  | Copyable
  | RemoteObject
  | RemoteReference;

/** A floating-point number, which Python tells from an integer. */
export class Float {
  readonly value: number;

  constructor(value: number) {
    this.value = value;
  }
}

/** A Python tuple. */
export class Tuple {
  readonly items: readonly Value[];

  constructor(...items: readonly Value[]) {
    this.items = items;
  }
}

/** A Python set, or a frozenset when `immutable`. Whether two items are the same is the peer's to judge. */
export class ValueSet {
  readonly items: readonly Value[];
  readonly immutable: boolean;

  constructor(items: readonly Value[], immutable = false) {
    this.items = items;
    this.immutable = immutable;
  }
}

/** A Python dict, in its own order. Keys may be any value; those that are numbers, text or bytes can be looked up. */
export class Dict {
  readonly entries: readonly (readonly [key: Value, value: Value])[];

  constructor(entries: readonly (readonly [key: Value, value: Value])[]) {
    this.entries = entries;
  }

  /** The value of a key; a text finds the key that is this text, as bytes or as str. */
  get(key: string | number): Value | undefined {
    return this.entries.find(([candidate]) => isKey(candidate, key))?.[1];
  }
}

/** An object sent by what it consists of; the receiver has to know its type. */
export class Copyable {
  readonly typeName: string;
  readonly attributes: ReadonlyMap<string, Value>;

  constructor(typeName: string, attributes: ReadonlyMap<string, Value>) {
    this.typeName = typeName;
    this.attributes = attributes;
  }
}

function isKey(candidate: Value, key: string | number): boolean {
  if (candidate instanceof Uint8Array) return typeof key === 'string' && equalBytes(candidate, utf8(key));
  return candidate === key;
}
