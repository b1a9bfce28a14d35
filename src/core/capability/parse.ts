/**
 * From text to capability. Parsing never throws: what is not understood is an `unknown` capability that
 * carries its text, since a directory must keep entries of future kinds.
 *
 * A prefix limits what may follow: behind `ro.` nothing may write; behind `imm.`, and wherever the context is
 * deep-immutable, nothing may write or change. A capability that breaks its prefix is `unknown` with a reason.
 * MDMF strings may carry extensions behind the fingerprint, which are dropped. A CHK verifier may be followed
 * by other text, which is dropped too: its pattern was never anchored, and stored ones must stay readable.
 * @see Tahoe-LAFS docs/specifications/uri.rst
 */
import { parseBase32 } from '../base32.js';
import { TahoeError } from '../errors.js';
import { checkEncoding } from '../immutable/parameters.js';
import { concealed } from './types.js';
import type { Capability, FileCapability, KnownCapability, MutableFormat, UnknownReason } from './types.js';

const READ_ONLY_PREFIX = 'ro.';
const IMMUTABLE_PREFIX = 'imm.';
/** Kinds that grant writing, and kinds that only read what others may write. Two exist to test future ones. */
const WRITING = new Set(['SSK', 'MDMF', 'DIR2', 'DIR2-MDMF', 'x-tahoe-future-test-writeable']);
const CHANGING = new Set(['SSK-RO', 'MDMF-RO', 'DIR2-RO', 'DIR2-MDMF-RO', 'x-tahoe-future-test-mutable']);

type BodyParser = (body: string) => FileCapability | undefined;

const parseFile: Readonly<Record<string, BodyParser>> = {
  LIT: (body) => {
    const data = base32(body);
    return data && { kind: 'lit', data };
  },
  CHK: (body) => {
    const chk = chkFields(/^([^:]*):([^:]*):([0-9]+):([0-9]+):([0-9]+)$/.exec(body));
    return chk && { kind: 'chk', readKey: chk.first, ...chk.rest };
  },
  'CHK-Verifier': (body) => {
    const chk = chkFields(/^([^:]*):([^:]*):([0-9]+):([0-9]+):([0-9]+)/.exec(body));
    return chk && { kind: 'chk-verify', storageIndex: chk.first, ...chk.rest };
  },
  ...mutable('sdmf', 'SSK', /^([^:]*):([^:]*)$/),
  ...mutable('mdmf', 'MDMF', /^([^:]*):([^:]*)(?::|$)/),
};

const fileOfDirectory: Readonly<Record<string, string>> = {
  DIR2: 'SSK',
  'DIR2-RO': 'SSK-RO',
  'DIR2-Verifier': 'SSK-Verifier',
  'DIR2-MDMF': 'MDMF',
  'DIR2-MDMF-RO': 'MDMF-RO',
  'DIR2-MDMF-Verifier': 'MDMF-Verifier',
  'DIR2-CHK': 'CHK',
  'DIR2-CHK-Verifier': 'CHK-Verifier',
  'DIR2-LIT': 'LIT',
};

/**
 * The capability that `text` is.
 * @param context - `deepImmutable`: it stands where nothing may change, as in an immutable directory.
 */
export function parseCapability(text: string, context: { readonly deepImmutable?: boolean } = {}): Capability {
  const immutable = text.startsWith(IMMUTABLE_PREFIX);
  const readOnly = !immutable && text.startsWith(READ_ONLY_PREFIX);
  const bare = text.slice(immutable ? IMMUTABLE_PREFIX.length : readOnly ? READ_ONLY_PREFIX.length : 0);
  const mayChange = !immutable && context.deepImmutable !== true;
  const mayWrite = mayChange && !readOnly;

  const name = /^URI:([A-Za-z0-9-]+):/.exec(bare)?.[1] ?? bare.split(':', 1)[0] ?? '';
  if ((WRITING.has(name) && !mayWrite) || (CHANGING.has(name) && !mayChange)) {
    return unknown(text, mayChange ? 'must-be-readonly' : 'must-be-deep-immutable');
  }
  const known = parseKnown(name, bare.slice(`URI:${name}:`.length));
  if (known === undefined) return unknown(text);
  return known === 'malformed' ? unknown(text, 'malformed') : concealed(known);
}

/**
 * The same for what a person or a program names as a capability.
 * @throws ERR_CAPABILITY when it is unknown, with the reason; the message does not repeat the text.
 */
export function requireCapability(text: string): KnownCapability {
  const capability = parseCapability(text);
  if (capability.kind !== 'unknown') return capability;
  const reasons: Record<UnknownReason, string> = {
    malformed: 'its kind is known, but its fields are cut short or changed',
    'must-be-readonly': 'it is marked read-only (ro.) but grants writing',
    'must-be-deep-immutable': 'it is marked immutable (imm.) but names something that can change',
  };
  const reason = capability.reason === undefined ? 'no known kind begins like that' : reasons[capability.reason];
  throw new TahoeError('ERR_CAPABILITY', { reason });
}

/** Whether the text begins as capabilities do: a cheap test for command lines and web forms. */
export function looksLikeCapability(text: string): boolean {
  return /^(ro\.|imm\.)?(URI:|x-tahoe-future-test-(writeable|mutable):)/.test(text);
}

function parseKnown(name: string, body: string): KnownCapability | 'malformed' | undefined {
  const fileName = Object.hasOwn(fileOfDirectory, name) ? fileOfDirectory[name] : undefined;
  const parse = Object.hasOwn(parseFile, fileName ?? name) ? parseFile[fileName ?? name] : undefined;
  if (parse === undefined) return undefined;
  const file = parse(body);
  if (file === undefined) return 'malformed';
  return fileName === undefined ? file : { kind: 'directory', file: concealed(file) };
}

function unknown(text: string, reason?: UnknownReason): Capability {
  return concealed(reason === undefined ? { kind: 'unknown', text } : { kind: 'unknown', text, reason });
}

function mutable(format: MutableFormat, name: string, pattern: RegExp): Record<string, BodyParser> {
  const fields = (body: string): { first: Uint8Array; fingerprint: Uint8Array } | undefined => {
    const [, firstText, fingerprintText] = pattern.exec(body) ?? [];
    const first = base32(firstText, 16);
    const fingerprint = base32(fingerprintText, 32);
    return first && fingerprint && { first, fingerprint };
  };
  return {
    [name]: (body) => {
      const parsed = fields(body);
      return parsed && { kind: 'ssk', format, writeKey: parsed.first, fingerprint: parsed.fingerprint };
    },
    [`${name}-RO`]: (body) => {
      const parsed = fields(body);
      return parsed && { kind: 'ssk-ro', format, readKey: parsed.first, fingerprint: parsed.fingerprint };
    },
    [`${name}-Verifier`]: (body) => {
      const parsed = fields(body);
      return parsed && { kind: 'ssk-verify', format, storageIndex: parsed.first, fingerprint: parsed.fingerprint };
    },
  };
}

function chkFields(
  match: RegExpExecArray | null,
): { first: Uint8Array; rest: { uebHash: Uint8Array; needed: number; total: number; size: number } } | undefined {
  const [, firstText, hashText, neededText, totalText, sizeText] = match ?? [];
  const first = base32(firstText, 16);
  const uebHash = base32(hashText, 32);
  const [needed, total, size] = [Number(neededText), Number(totalText), Number(sizeText)];
  if (first === undefined || uebHash === undefined || !isEncoding(needed, total)) return undefined;
  return Number.isSafeInteger(size) ? { first, rest: { uebHash, needed, total, size } } : undefined;
}

function isEncoding(needed: number, total: number): boolean {
  try {
    checkEncoding({ needed, total });
    return true;
  } catch {
    return false;
  }
}

function base32(text: string | undefined, size?: number): Uint8Array | undefined {
  if (text === undefined) return undefined;
  try {
    const bytes = parseBase32(text);
    return size === undefined || bytes.length === size ? bytes : undefined;
  } catch {
    return undefined;
  }
}
