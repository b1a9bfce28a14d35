/**
 * What an entry links to, made of the two capabilities that it holds: one to write, in a sealed slot, one to read.
 *
 * A known child is its strongest capability; the weaker one follows from it. An unknown child, of a kind that a later
 * release has, keeps both as bytes, for nothing can be derived from them. Rules keep its holder from being fooled:
 *
 *   - One capability alone must say that it does not write: it stands in the read slot, or begins with `ro.` or `imm.`.
 *   - What stands in the read slot gets `ro.` in front of it, in an immutable directory `imm.`; it is stored without.
 *   - What is known to break its prefix is refused, and so is whatever may change in an immutable directory.
 * @see Tahoe-LAFS docs/specifications/uri.rst and dirnodes.rst; its ticket 833
 */
import { concat, equalBytes, utf8 } from '../bytes.js';
import { readCapabilityOf } from '../capability/attenuate.js';
import { dangerouslyFormatCapability } from '../capability/format.js';
import { parseCapability } from '../capability/parse.js';
import { authorityOf, concealed, isMutable } from '../capability/types.js';
import type { KnownCapability, UnknownReason } from '../capability/types.js';
import type { CryptoProvider } from '../crypto.js';

/** A child of a kind that is not known here, or one that only verifies. */
export interface UnknownChild {
  readonly kind: 'unknown';
  readonly slots: Slots;
}

/** What a directory links to: a capability to read or to write, or something unknown. */
export type Child = KnownCapability | UnknownChild;

/** Two capabilities that cannot be a child, and why. */
export interface RefusedChild {
  readonly kind: 'refused';
  readonly reason: string;
}

/** The two capabilities of a child as bytes; empty where there is none. */
export interface Slots {
  readonly write: Uint8Array;
  readonly read: Uint8Array;
}

/** The same as text; what is no UTF-8 in an unknown child comes out damaged. */
export interface ChildText {
  readonly write: string | undefined;
  readonly read: string | undefined;
}

/** Where a child stands. */
export interface ChildPlace {
  /** In an immutable directory. */
  readonly deepImmutable: boolean;
}

const NOTHING = new Uint8Array(0);
const READ_ONLY_PREFIX = utf8('ro.');
const IMMUTABLE_PREFIX = utf8('imm.');
const WRITES_PERHAPS =
  'its kind is not known here, so it might grant writing; put a capability that only reads into the read slot (ro_uri)';
const CHANGES_PERHAPS = 'nothing may change in an immutable directory, and this might';

const reasons: Readonly<Record<UnknownReason, string>> = {
  malformed: 'its kind is known, but its fields are cut short or changed',
  'must-be-readonly': 'it grants writing, where only a capability that reads may stand',
  'must-be-deep-immutable': 'it can change, where only what is immutable may stand',
};

// What is not ASCII belongs to no known kind, so it does not matter what becomes of it.
const asciiDecoder = new TextDecoder('latin1');
const lenientDecoder = new TextDecoder('utf-8', { ignoreBOM: true });

/** The child that two capabilities are, as a directory holds them or a person gives them. */
export function childOfSlots(slots: Slots, place: ChildPlace): Child | RefusedChild {
  const strongest = slots.write.length > 0 ? slots.write : slots.read;
  if (strongest.length === 0) return unknownChild(slots);
  const capability = parseCapability(asciiDecoder.decode(strongest), place);
  if (capability.kind !== 'unknown' && authorityOf(capability) !== 'verify') return capability;
  return unknownOfSlots(slots, place);
}

/** The same of texts, as JSON has them. */
export function childOfText(text: Partial<ChildText>, place: ChildPlace): Child | RefusedChild {
  return childOfSlots({ write: utf8(text.write ?? ''), read: utf8(text.read ?? '') }, place);
}

/** What a child grants, as bytes: to write, where it does, and to read. */
export function slotsOf(crypto: CryptoProvider, child: Child): Slots {
  if (child.kind === 'unknown') return child.slots;
  const { write, read } = dangerouslyFormatChild(crypto, child);
  return { write: write === undefined ? NOTHING : utf8(write), read: read === undefined ? NOTHING : utf8(read) };
}

/** What a child grants, for the person or program that may have it; for nothing else. */
export function dangerouslyFormatChild(crypto: CryptoProvider, child: Child): ChildText {
  if (child.kind === 'unknown') {
    const text = (slot: Uint8Array): string | undefined => (slot.length > 0 ? lenientDecoder.decode(slot) : undefined);
    return { write: text(child.slots.write), read: text(child.slots.read) };
  }
  const read = readCapabilityOf(crypto, child);
  return {
    write: authorityOf(child) === 'write' ? dangerouslyFormatCapability(child) : undefined,
    read: read && dangerouslyFormatCapability(read),
  };
}

/** The child without what would grant writing. */
export function readOnlyChild(crypto: CryptoProvider, child: Child): Child {
  if (child.kind === 'unknown') return unknownChild({ write: NOTHING, read: child.slots.read });
  return readCapabilityOf(crypto, child) ?? child;
}

/** Why the child may not stand in an immutable directory; undefined when it may. */
export function objectionToImmutable(child: Child): string | undefined {
  if (child.kind !== 'unknown') return isMutable(child) ? reasons['must-be-deep-immutable'] : undefined;
  if (child.slots.write.length > 0) return CHANGES_PERHAPS;
  const seen = childOfSlots({ write: NOTHING, read: storedReadSlot(child.slots.read, true) }, { deepImmutable: true });
  return seen.kind === 'refused' ? seen.reason : undefined;
}

/** What is stored of the capability to read: without the prefix that goes without saying in that directory. */
export function storedReadSlot(read: Uint8Array, deepImmutable: boolean): Uint8Array {
  if (startsWith(read, READ_ONLY_PREFIX)) return read.subarray(READ_ONLY_PREFIX.length);
  return deepImmutable && startsWith(read, IMMUTABLE_PREFIX) ? read.subarray(IMMUTABLE_PREFIX.length) : read;
}

/** Whether two children grant the same. */
export function equalChildren(crypto: CryptoProvider, a: Child, b: Child): boolean {
  const [left, right] = [slotsOf(crypto, a), slotsOf(crypto, b)];
  return equalBytes(left.write, right.write) && equalBytes(left.read, right.read);
}

/** What people call it. */
export function typeOfChild(child: Child): 'file' | 'directory' | 'unknown' {
  return child.kind === 'unknown' || child.kind === 'directory' ? child.kind : 'file';
}

/** An unknown child of what was given, with its prefix; or what speaks against it. */
function unknownOfSlots(given: Slots, { deepImmutable }: ChildPlace): Child | RefusedChild {
  const slots = inTheirPlaces(given, deepImmutable);
  if ('reason' in slots) return slots;
  const { write, read } = slots;
  const seen = parseCapability(asciiDecoder.decode(read), { deepImmutable });
  if (seen.kind === 'unknown' && seen.reason !== undefined) return refused(reasons[seen.reason]);
  return unknownChild({ write, read: prefixed(read, deepImmutable) });
}

/** A single capability in the write slot belongs into the other, if it says that it does not write. */
function inTheirPlaces({ write, read }: Slots, deepImmutable: boolean): Slots | RefusedChild {
  if (write.length === 0) return { write, read };
  const immutable = startsWith(write, IMMUTABLE_PREFIX);
  if (read.length > 0) {
    const conflicts = deepImmutable || startsWith(read, IMMUTABLE_PREFIX);
    return conflicts ? refused(CHANGES_PERHAPS) : { write, read };
  }
  if (deepImmutable && !immutable) return refused(CHANGES_PERHAPS);
  if (!immutable && !startsWith(write, READ_ONLY_PREFIX)) return refused(WRITES_PERHAPS);
  return { write: NOTHING, read: write };
}

function prefixed(read: Uint8Array, deepImmutable: boolean): Uint8Array {
  if (read.length === 0 || startsWith(read, IMMUTABLE_PREFIX)) return read;
  if (deepImmutable) return concat(IMMUTABLE_PREFIX, storedReadSlot(read, true));
  return startsWith(read, READ_ONLY_PREFIX) ? read : concat(READ_ONLY_PREFIX, read);
}

function startsWith(bytes: Uint8Array, prefix: Uint8Array): boolean {
  return equalBytes(bytes.subarray(0, prefix.length), prefix);
}

function unknownChild(slots: Slots): UnknownChild {
  return concealed({ kind: 'unknown', slots });
}

function refused(reason: string): RefusedChild {
  return { kind: 'refused', reason };
}
