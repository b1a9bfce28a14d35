/**
 * Files and directories as the web API's JSON has them: the reference's fields in its order, its spaces, its numbers.
 *
 *     ["filenode", {mutable, format, size, ro_uri, rw_uri, verify_uri, metadata}]
 *     ["dirnode", {children: {NAME: ["filenode", {mutable, format, size, metadata, rw_uri, ro_uri, verify_uri}]}, …}]
 * @see Tahoe-LAFS docs/frontends/webapi.rst, "Getting Information About Files And Directories"
 */
import { verifyCapabilityOf } from '#core/capability/attenuate.js';
import { dangerouslyFormatCapability } from '#core/capability/format.js';
import { isMutable } from '#core/capability/types.js';
import type { DirectoryCapability, FileCapability } from '#core/capability/types.js';
import type { CryptoProvider } from '#core/crypto.js';
import { dangerouslyFormatChild } from '#core/directory/child.js';
import type { Child } from '#core/directory/child.js';
import type { DirectoryEntry } from '#core/directory/entries.js';
import { formatIndentedJson } from '#core/directory/json-format.js';
import type { JsonObject, JsonValue } from '#core/directory/json-value.js';
import type { Found } from './target.js';

type Fields = readonly (readonly [string, JsonValue | undefined])[];

/** A file. @param size - in bytes; undefined when unknown. */
export function fileJson(crypto: CryptoProvider, file: FileCapability, size: number | undefined, found: Found): string {
  const { read, write, verify } = capabilitiesOf(crypto, file);
  return jsonText('filenode', [
    ...fileFields(file, size),
    ['ro_uri', read],
    ['rw_uri', write],
    ['verify_uri', verify],
    ['metadata', found.metadata],
  ]);
}

/** A directory with what is in it. */
export function directoryJson(
  crypto: CryptoProvider,
  directory: DirectoryCapability,
  entries: Iterable<DirectoryEntry>,
): string {
  const { read, write, verify } = capabilitiesOf(crypto, directory);
  const children = new Map<string, JsonValue>();
  for (const entry of entries) children.set(entry.name, entryValue(crypto, entry));
  return jsonText('dirnode', [
    ['children', children],
    ['ro_uri', read],
    ['rw_uri', write],
    ['verify_uri', verify],
    ['mutable', isMutable(directory)],
  ]);
}

/** Something of a kind that is not known here. */
export function unknownJson(crypto: CryptoProvider, { child, metadata, place }: Found): string {
  const { read, write } = dangerouslyFormatChild(crypto, child);
  const isImmutable = place?.parent.isMutable === false || read?.startsWith('imm.') === true;
  return jsonText('unknown', [
    ['ro_uri', read],
    ['rw_uri', write],
    ['mutable', write !== undefined ? true : isImmutable ? false : undefined],
    ['metadata', metadata],
  ]);
}

function entryValue(crypto: CryptoProvider, { child, metadata }: DirectoryEntry): JsonValue {
  const { read, write, verify } = capabilitiesOf(crypto, child);
  const rest: Fields = [
    ['metadata', metadata],
    ['rw_uri', write],
    ['ro_uri', read],
    ['verify_uri', verify],
  ];
  switch (child.kind) {
    case 'unknown':
      return ['unknown', present(rest)];
    case 'directory':
      return ['dirnode', present([['mutable', isMutable(child)], ...rest])];
    default:
      return ['filenode', present([...fileFields(child, sizeOf(child)), ...rest])];
  }
}

function fileFields(file: FileCapability, size: number | undefined): Fields {
  const isChangeable = file.kind === 'ssk' || file.kind === 'ssk-ro';
  return [
    ['mutable', isChangeable],
    ['format', isChangeable ? file.format.toUpperCase() : 'CHK'],
    ['size', size === undefined ? undefined : BigInt(size)],
  ];
}

/** The size of a file, in bytes, where its capability tells. */
export function sizeOf(file: FileCapability): number | undefined {
  if (file.kind === 'lit') return file.data.length;
  return file.kind === 'chk' ? file.size : undefined;
}

function capabilitiesOf(crypto: CryptoProvider, child: Child): Record<'read' | 'write' | 'verify', string | undefined> {
  const verify = child.kind === 'unknown' ? undefined : verifyCapabilityOf(crypto, child);
  return {
    ...dangerouslyFormatChild(crypto, child),
    verify: verify === undefined ? undefined : dangerouslyFormatCapability(verify),
  };
}

function present(fields: Fields): JsonObject {
  return new Map(fields.filter((field): field is readonly [string, JsonValue] => field[1] !== undefined));
}

function jsonText(kind: string, fields: Fields): string {
  return `${formatIndentedJson([kind, present(fields)])}\n`;
}
