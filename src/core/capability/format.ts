/**
 * From capability to text. The text is the secret itself: whoever reads it has what it grants.
 * @see Tahoe-LAFS docs/specifications/uri.rst
 */
import { formatBase32 } from '../base32.js';
import type { Capability, FileCapability, MutableFormat } from './types.js';

const mutableName: Readonly<Record<MutableFormat, string>> = { sdmf: 'SSK', mdmf: 'MDMF' };

/** The capability's string, for the person or program it belongs to; for nothing else. */
export function dangerouslyFormatCapability(capability: Capability): string {
  switch (capability.kind) {
    case 'unknown':
      return capability.text;
    case 'directory':
      return formatDirectory(capability.file);
    default:
      return formatFile(capability);
  }
}

function formatFile(file: FileCapability): string {
  const [name, body] = partsOf(file);
  return `URI:${name}:${body}`;
}

function formatDirectory(file: FileCapability): string {
  const [name, body] = partsOf(file);
  // An SDMF directory is the plain one: DIR2, DIR2-RO, DIR2-Verifier.
  const suffix = name.startsWith('SSK') ? name.slice('SSK'.length) : `-${name}`;
  return `URI:DIR2${suffix}:${body}`;
}

function partsOf(file: FileCapability): [name: string, body: string] {
  switch (file.kind) {
    case 'lit':
      return ['LIT', formatBase32(file.data)];
    case 'chk':
      return ['CHK', chkBody(file.readKey, file)];
    case 'chk-verify':
      return ['CHK-Verifier', chkBody(file.storageIndex, file)];
    case 'ssk':
      return [mutableName[file.format], pair(file.writeKey, file.fingerprint)];
    case 'ssk-ro':
      return [`${mutableName[file.format]}-RO`, pair(file.readKey, file.fingerprint)];
    case 'ssk-verify':
      return [`${mutableName[file.format]}-Verifier`, pair(file.storageIndex, file.fingerprint)];
  }
}

function chkBody(
  first: Uint8Array,
  file: { readonly uebHash: Uint8Array; readonly needed: number; readonly total: number; readonly size: number },
): string {
  return `${pair(first, file.uebHash)}:${String(file.needed)}:${String(file.total)}:${String(file.size)}`;
}

function pair(first: Uint8Array, second: Uint8Array): string {
  return `${formatBase32(first)}:${formatBase32(second)}`;
}
