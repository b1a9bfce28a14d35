/**
 * Judges the shape of values that arrived: each function gives what it was asked for or throws ERR_VIOLATION, which
 * becomes the caller's failure. They stand for the schemas of the reference's remote interfaces.
 *
 * Where Python has two types for one idea both are taken: a tuple for a list, a frozenset for a set.
 */
import type { CallArguments, RemoteObject, RemoteReference } from './tub.js';
import { isRemoteObject, isRemoteReference } from './tub.js';
import { violation } from './value-builders.js';
import { Dict, Tuple, ValueSet } from './values.js';
import type { Value } from './values.js';

/** Judges one value; `what` names it in the violation. */
export type Shape<Result> = (value: Value, what: string) => Result;

/** Bytes: `size` of them, where it is given. */
export function bytesOf(size?: number): Shape<Uint8Array> {
  return (value, what) => {
    if (value instanceof Uint8Array && (size === undefined || value.length === size)) return value;
    throw violation(`${what} is not ${size === undefined ? 'a byte string' : `${String(size)} bytes`}`);
  };
}

/** An integer from `minimum` to `maximum`, both at most 2^53 from zero. */
export function integerOf(minimum: number, maximum: number): Shape<number> {
  return (value, what) => {
    if (typeof value === 'number' && value >= minimum && value <= maximum) return value;
    throw violation(`${what} is not an integer from ${String(minimum)} to ${String(maximum)}`);
  };
}

/** A text, not longer than `length` characters. */
export function textOfLength(length: number): Shape<string> {
  return (value, what) => {
    if (typeof value === 'string' && value.length <= length) return value;
    throw violation(`${what} is not a text of at most ${String(length)} characters`);
  };
}

/** A boolean. */
export const booleanShape: Shape<boolean> = (value, what) => {
  if (typeof value === 'boolean') return value;
  throw violation(`${what} is not a boolean`);
};

/** Anything, unjudged. */
export const anyShape: Shape<Value> = (value) => value;

/** None, or what `shape` takes. */
export function optional<Result>(shape: Shape<Result>): Shape<Result | undefined> {
  return (value, what) => (value === null ? undefined : shape(value, what));
}

/** A list of at most `count` items of one shape. */
export function listOf<Item>(shape: Shape<Item>, count: number): Shape<readonly Item[]> {
  return (value, what) => {
    const items = value instanceof Tuple ? value.items : value;
    if (!isList(items) || items.length > count) throw violation(`${what} is not a list of at most ${String(count)}`);
    return items.map((item) => shape(item, `an item of ${what}`));
  };
}

/** A tuple of exactly `length` items. */
export function tupleOf(length: number): Shape<readonly Value[]> {
  return (value, what) => {
    const items = value instanceof Tuple ? value.items : value;
    if (isList(items) && items.length === length) return items;
    throw violation(`${what} is not a tuple of ${String(length)}`);
  };
}

/** A set of at most `count` items of one shape, in the order in which they came. */
export function setOf<Item>(shape: Shape<Item>, count: number): Shape<readonly Item[]> {
  return (value, what) => {
    if (!(value instanceof ValueSet) || value.items.length > count) {
      throw violation(`${what} is not a set of at most ${String(count)}`);
    }
    return value.items.map((item) => shape(item, `an item of ${what}`));
  };
}

/** A dict of at most `count` entries; of equal keys the last counts. */
export function dictOf<Key, Item>(key: Shape<Key>, item: Shape<Item>, count: number): Shape<ReadonlyMap<Key, Item>> {
  return (value, what) => {
    if (!(value instanceof Dict) || value.entries.length > count) {
      throw violation(`${what} is not a dict of at most ${String(count)}`);
    }
    return new Map(value.entries.map(([k, v]) => [key(k, `a key of ${what}`), item(v, `an entry of ${what}`)]));
  };
}

/** An object of the peer's, of whatever interface unless one is named. */
export function referenceTo(interfaceName?: string): Shape<RemoteReference> {
  return (value, what) => {
    const fits = isRemoteReference(value) && (interfaceName === undefined || value.interfaceName === interfaceName);
    if (fits) return value;
    throw violation(`${what} is not a reference${interfaceName === undefined ? '' : ` to ${interfaceName}`}`);
  };
}

/** An object that can be called, ours or theirs: what a canary is. */
export const callableShape: Shape<RemoteReference | RemoteObject> = (value, what) => {
  if (isRemoteReference(value) || isRemoteObject(value)) return value;
  throw violation(`${what} is not a reference`);
};

/**
 * The arguments of a call in the order of `names`, wherever the caller put them.
 * @throws ERR_VIOLATION when one is missing, is given twice, or is one too many.
 */
export function takeArguments(given: CallArguments, ...names: readonly string[]): readonly Value[] {
  return takeSomeArguments(given, names.length, ...names);
}

/** The same where only the first `required` must be given: others are null. @throws as `takeArguments`. */
export function takeSomeArguments(
  { named, positional }: CallArguments,
  required: number,
  ...names: readonly string[]
): readonly Value[] {
  const count = positional.length + named.size;
  if (count < required || count > names.length) {
    throw violation(`${String(names.length)} arguments are taken, not ${String(count)}`);
  }
  if ([...named.keys()].some((name) => names.indexOf(name) < positional.length)) {
    throw violation('an argument is given twice, or is none of those that are taken');
  }
  return names.map((name, i) => {
    const value = i < positional.length ? positional[i] : named.get(name);
    if (value === undefined && i < required) throw violation(`the argument ${name} is missing`);
    return value ?? null;
  });
}

function isList(value: Value): value is readonly Value[] {
  return Array.isArray(value);
}
