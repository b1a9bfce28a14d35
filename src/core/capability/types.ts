/**
 * Capabilities: short strings that name a thing in the grid and grant what may be done with it.
 *
 * Each kind is a read-only record with a `kind`. Keys are secrets, so a record shows only its kind when it is
 * printed, logged or turned into JSON; `dangerouslyFormatCapability` alone gives the string.
 *
 *   lit                      the data itself, read
 *   chk, chk-verify          an immutable file: read; verify only
 *   ssk, ssk-ro, ssk-verify  a mutable file (SDMF or MDMF): write; read; verify only
 *   directory                a directory kept in one of the above
 *   unknown                  anything else, carried along unread
 * @see Tahoe-LAFS docs/specifications/uri.rst
 */

/** What a known capability lets its holder do. */
export type Authority = 'write' | 'read' | 'verify';

/** A short file that is its own capability: `URI:LIT:`. */
export interface LiteralCapability {
  readonly kind: 'lit';
  /** The file, whole. */
  readonly data: Uint8Array;
}

/** Reads an immutable file: `URI:CHK:`. */
export interface ChkReadCapability {
  readonly kind: 'chk';
  /** 16 bytes, AES-128. */
  readonly readKey: Uint8Array;
  /** 32 bytes. */
  readonly uebHash: Uint8Array;
  readonly needed: number;
  readonly total: number;
  /** The file's, in bytes. */
  readonly size: number;
}

/** Verifies an immutable file without reading it: `URI:CHK-Verifier:`. */
export interface ChkVerifyCapability {
  readonly kind: 'chk-verify';
  /** 16 bytes. */
  readonly storageIndex: Uint8Array;
  readonly uebHash: Uint8Array;
  readonly needed: number;
  readonly total: number;
  readonly size: number;
}

/** The two formats of mutable files. */
export type MutableFormat = 'sdmf' | 'mdmf';

/** Writes and reads a mutable file: `URI:SSK:`, `URI:MDMF:`. */
export interface MutableWriteCapability {
  readonly kind: 'ssk';
  readonly format: MutableFormat;
  /** 16 bytes. */
  readonly writeKey: Uint8Array;
  /** 32 bytes: the hash of the public key. */
  readonly fingerprint: Uint8Array;
}

/** Reads a mutable file: `URI:SSK-RO:`, `URI:MDMF-RO:`. */
export interface MutableReadCapability {
  readonly kind: 'ssk-ro';
  readonly format: MutableFormat;
  /** 16 bytes. */
  readonly readKey: Uint8Array;
  readonly fingerprint: Uint8Array;
}

/** Verifies a mutable file without reading it: `URI:SSK-Verifier:`, `URI:MDMF-Verifier:`. */
export interface MutableVerifyCapability {
  readonly kind: 'ssk-verify';
  readonly format: MutableFormat;
  /** 16 bytes. */
  readonly storageIndex: Uint8Array;
  readonly fingerprint: Uint8Array;
}

/** Names a file. */
export type FileCapability =
  | LiteralCapability
  | ChkReadCapability
  | ChkVerifyCapability
  | MutableWriteCapability
  | MutableReadCapability
  | MutableVerifyCapability;

/** Names a directory by the file that holds its entries: `URI:DIR2…:`. */
export interface DirectoryCapability {
  readonly kind: 'directory';
  /** The file that holds the directory's entries. */
  readonly file: FileCapability;
}

/** Why a text is no known capability, where more can be said than "unknown". */
export type UnknownReason = 'malformed' | 'must-be-readonly' | 'must-be-deep-immutable';

/** A text of no kind that is known here, or one that breaks its prefix. */
export interface UnknownCapability {
  readonly kind: 'unknown';
  /** The whole text, with its `ro.` or `imm.` prefix. Perhaps a secret. */
  readonly text: string;
  readonly reason?: UnknownReason;
}

/** What is understood. */
export type KnownCapability = FileCapability | DirectoryCapability;
/** Whatever a text turned out to be. */
export type Capability = KnownCapability | UnknownCapability;

const inspect = Symbol.for('nodejs.util.inspect.custom');

/** Freezes a capability, or what holds one, and hides its fields from printing, JSON and inspection. */
export function concealed<C extends Capability | { readonly kind: 'unknown' }>(capability: C): C {
  if (Object.isFrozen(capability)) return capability;
  const label = (): string => `[capability ${capability.kind}]`;
  for (const name of ['toString', 'toJSON', inspect]) Object.defineProperty(capability, name, { value: label });
  return Object.freeze(capability);
}

/** A CHK read capability of these fields. */
export function chkReadCapability(fields: Omit<ChkReadCapability, 'kind'>): ChkReadCapability {
  return concealed({ kind: 'chk', ...fields });
}

/** A LIT capability that holds `data`. */
export function literalCapability(data: Uint8Array): LiteralCapability {
  return concealed({ kind: 'lit', data });
}

/** What the capability grants. A literal's holder has the data, which is to read. */
export function authorityOf(capability: KnownCapability): Authority {
  switch (capability.kind) {
    case 'directory':
      return authorityOf(capability.file);
    case 'ssk':
      return 'write';
    case 'lit':
    case 'chk':
    case 'ssk-ro':
      return 'read';
    case 'chk-verify':
    case 'ssk-verify':
      return 'verify';
  }
}

/** Whether what it names can change. A verify capability reports as its file does. */
export function isMutable(capability: KnownCapability): boolean {
  const file = capability.kind === 'directory' ? capability.file : capability;
  return file.kind === 'ssk' || file.kind === 'ssk-ro' || file.kind === 'ssk-verify';
}
