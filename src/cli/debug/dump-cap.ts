/**
 * What `debug dump-cap` prints of a capability: its keys, its storage index, and the secrets that follow from it for a
 * server and a client that are named. These lines are secrets, by nature.
 */
import { formatBase32 } from '#core/base32.js';
import { readCapabilityOf, storageIndexOf } from '#core/capability/attenuate.js';
import { parseCapability } from '#core/capability/parse.js';
import type { FileCapability, KnownCapability, MutableWriteCapability } from '#core/capability/types.js';
import type { CryptoProvider } from '#core/crypto.js';
import { deriveLeaseSecretSteps, deriveWriteEnabler } from '#core/derive.js';
import { quoteBytes } from './printed.js';

/** What else is known. */
export interface DumpCapKnowledge {
  readonly crypto: CryptoProvider;
  /** The tub id of a server, 20 bytes. */
  readonly nodeId: Uint8Array | undefined;
  /** The content of a client's private/secret, 32 bytes. */
  readonly clientSecret: Uint8Array | undefined;
}

const UNKNOWN = 'unknown cap type';

/** @param text - a capability, or the address of one at a gateway. */
export function linesOfCapability(text: string, knowledge: DumpCapKnowledge): string[] {
  const capability = parseCapability(capabilityOfAddress(text) ?? text);
  const heading = capability.kind === 'unknown' ? undefined : headingOf(capability);
  if (capability.kind === 'unknown' || heading === undefined) return ['', UNKNOWN];
  return ['', heading, ...linesOfFile(capability.kind === 'directory' ? capability.file : capability, knowledge)];
}

/** The capability in `http://…/uri/CAPABILITY`; undefined when the text is no such address. */
function capabilityOfAddress(text: string): string | undefined {
  const [, encoded] = /^https?:\/\/[^/?#]*\/uri\/([^?#]*)/.exec(text) ?? [];
  try {
    return encoded === undefined ? undefined : decodeURIComponent(encoded);
  } catch {
    return undefined;
  }
}

/** @returns undefined for a literal directory, which the reference does not know here. */
function headingOf(capability: KnownCapability): string | undefined {
  if (capability.kind === 'directory') {
    const { kind } = capability.file;
    return { ...directoryHeadings, lit: undefined }[kind];
  }
  switch (capability.kind) {
    case 'chk':
      return 'CHK File:';
    case 'chk-verify':
      return 'CHK Verifier URI:';
    case 'lit':
      return 'Literal File URI:';
    case 'ssk':
      return `${capability.format.toUpperCase()} Writeable URI:`;
    case 'ssk-ro':
      return `${capability.format.toUpperCase()} Read-only URI:`;
    case 'ssk-verify':
      return `${capability.format.toUpperCase()} Verifier URI:`;
  }
}

const directoryHeadings = {
  chk: 'CHK Directory URI:',
  'chk-verify': 'CHK Directory Verifier URI:',
  ssk: 'Directory Writeable URI:',
  'ssk-ro': 'Directory Read-only URI:',
  'ssk-verify': 'Directory Verifier URI:',
} as const;

function linesOfFile(file: FileCapability, knowledge: DumpCapKnowledge): string[] {
  const { crypto } = knowledge;
  const storageIndex = storageIndexOf(crypto, file) ?? new Uint8Array();
  switch (file.kind) {
    case 'lit':
      return [` data: ${quoteBytes(file.data)}`];
    case 'chk':
    case 'chk-verify':
      return [
        ...(file.kind === 'chk' ? [` key: ${formatBase32(file.readKey)}`] : []),
        ` UEB hash: ${formatBase32(file.uebHash)}`,
        ` size: ${String(file.size)}`,
        ` k/N: ${String(file.needed)}/${String(file.total)}`,
        ` storage index: ${formatBase32(storageIndex)}`,
        ...(file.kind === 'chk' ? linesOfSecrets(storageIndex, knowledge) : []),
      ];
    case 'ssk':
      return linesOfWriteable(file, storageIndex, knowledge);
    case 'ssk-ro':
    case 'ssk-verify':
      return [
        ...(file.kind === 'ssk-ro' ? [` readkey: ${formatBase32(file.readKey)}`] : []),
        ` storage index: ${formatBase32(storageIndex)}`,
        ` fingerprint: ${formatBase32(file.fingerprint)}`,
      ];
  }
}

function linesOfWriteable(
  file: MutableWriteCapability,
  storageIndex: Uint8Array,
  knowledge: DumpCapKnowledge,
): string[] {
  const { crypto, nodeId } = knowledge;
  const read = readCapabilityOf(crypto, file);
  const writeEnabler = nodeId && deriveWriteEnabler(crypto, file.writeKey, nodeId);
  return [
    ` writekey: ${formatBase32(file.writeKey)}`,
    ...(read?.kind === 'ssk-ro' ? [` readkey: ${formatBase32(read.readKey)}`] : []),
    ` storage index: ${formatBase32(storageIndex)}`,
    ` fingerprint: ${formatBase32(file.fingerprint)}`,
    '',
    ...(writeEnabler === undefined ? [] : [` write_enabler: ${formatBase32(writeEnabler)}`, '']),
    ...linesOfSecrets(storageIndex, knowledge),
  ];
}

function linesOfSecrets(storageIndex: Uint8Array, { crypto, nodeId, clientSecret }: DumpCapKnowledge): string[] {
  if (clientSecret === undefined) return [];
  return (['renew', 'cancel'] as const).flatMap((kind) => {
    const { client, file, bucket } = deriveLeaseSecretSteps(crypto, kind, clientSecret, storageIndex, nodeId);
    const name = kind === 'renew' ? 'renewal' : 'cancel';
    return [
      ` client ${name} secret: ${formatBase32(client)}`,
      ` file ${name} secret: ${formatBase32(file)}`,
      ...(bucket === undefined ? [] : [` lease ${name} secret: ${formatBase32(bucket)}`]),
    ];
  });
}
