/** What `debug dump-share` prints of an immutable share. */
import { formatBase32 } from '#core/base32.js';
import { fromUtf8 } from '#core/bytes.js';
import type { CryptoProvider } from '#core/crypto.js';
import { deriveUebHash } from '#core/derive.js';
import { TahoeError } from '#core/errors.js';
import { decodeUebFields } from '#core/immutable/ueb.js';
import { IMMUTABLE_DATA_OFFSET } from './container.js';
import type { StoredLease } from './container.js';
import { formatField, formatOffset, formatRemaining } from './printed.js';
import type { ImmutableContents } from './share-contents.js';

const NUMBERS = ['size', 'num_segments', 'segment_size', 'needed_shares', 'total_shares'];
const CODEC = ['codec_name', 'codec_params', 'tail_codec_params'];
const HASHES = [
  'plaintext_hash',
  'plaintext_root_hash',
  'crypttext_hash',
  'crypttext_root_hash',
  'share_root_hash',
  'UEB_hash',
];

/** The fields of a URI extension block as texts, with the hash of the block itself. @throws ERR_UEB. */
export function readableUeb(crypto: CryptoProvider, ueb: Uint8Array): ReadonlyMap<string, string> {
  const fields = new Map(decodeUebFields(ueb)).set('UEB_hash', deriveUebHash(crypto, ueb));
  return new Map([...fields].map(([key, value]) => [key, readableField(key, value)]));
}

function readableField(key: string, value: Uint8Array): string {
  if (key.includes('hash')) return formatBase32(value);
  const text = textOf(key, value);
  if (!NUMBERS.includes(key)) return text;
  if (!/^[0-9]{1,16}$/.test(text)) throw new TahoeError('ERR_UEB', { reason: `${key} is not a number` });
  return String(Number(text));
}

function textOf(key: string, value: Uint8Array): string {
  try {
    return fromUtf8(value);
  } catch (error) {
    throw new TahoeError('ERR_UEB', { reason: `${key} is not text` }, { cause: error });
  }
}

/**
 * The share itself.
 * @param storageIndex - 16 bytes, when it is known; without it there is no verify capability to print.
 * @param withOffsets - whether to print where the sections lie.
 * @throws ERR_UEB.
 */
export function linesOfImmutable(
  crypto: CryptoProvider,
  { container, layout, ueb }: ImmutableContents,
  storageIndex: Uint8Array | undefined,
  withOffsets: boolean,
): string[] {
  const fields = readableUeb(crypto, ueb);
  const { offsets } = layout;
  const shown = (keys: readonly string[]): string[] =>
    keys.flatMap((key) => {
      const value = fields.get(key);
      return value === undefined ? [] : [formatField(key === 'size' ? 'file_size' : key, value)];
    });
  const leftover = [...fields.keys()].filter((key) => ![...NUMBERS, ...CODEC, ...HASHES].includes(key)).sort();
  const sizes = [
    formatField('data', offsets.plaintextHashTree - offsets.data),
    formatField('uri-extension', ueb.length),
    formatField('validation', offsets.uriExtension - offsets.plaintextHashTree),
  ];
  return [
    formatField('version', layout.version),
    ...shown(NUMBERS),
    '',
    ...shown(CODEC),
    '',
    ...shown(HASHES),
    ...(leftover.length === 0 ? [] : ['', 'LEFTOVER:', ...shown(leftover)]),
    ...(storageIndex === undefined ? [] : [formatField('verify-cap', verifyCapability(fields, storageIndex))]),
    '',
    ' Size of data within the share:',
    ...sizes,
    ...(withOffsets ? offsetLines(layout.offsets, container.leaseOffset) : []),
  ];
}

function verifyCapability(fields: ReadonlyMap<string, string>, storageIndex: Uint8Array): string {
  const number = (key: string): string => {
    const value = fields.get(key);
    if (value === undefined) throw new TahoeError('ERR_UEB', { reason: `it has no ${key}` });
    return value;
  };
  const [hash, needed, total] = [fields.get('UEB_hash') ?? '', number('needed_shares'), number('total_shares')];
  return ['URI:CHK-Verifier', formatBase32(storageIndex), hash, needed, total, number('size')].join(':');
}

function offsetLines(offsets: ImmutableContents['layout']['offsets'], leaseOffset: number): string[] {
  const table: [label: string, offset: number][] = [
    ['block data', offsets.data],
    ['plaintext_hash_tree', offsets.plaintextHashTree],
    ['crypttext_hash_tree', offsets.crypttextHashTree],
    ['block_hashes', offsets.blockHashes],
    ['share_hashes', offsets.shareHashes],
    ['uri_extension', offsets.uriExtension],
  ];
  return [
    '',
    ' Section Offsets:',
    formatField('share data', IMMUTABLE_DATA_OFFSET),
    ...table.map(([label, offset]) => formatOffset(`  ${label.padStart(20)}`, IMMUTABLE_DATA_OFFSET + offset)),
    formatField('leases', leaseOffset),
  ];
}

/** The leases of an immutable share. @param nowMs - Unix milliseconds. */
export function linesOfImmutableLeases(leases: readonly StoredLease[], nowMs: number): string[] {
  if (leases.length === 0) return ['', ' No leases.', ''];
  const lines = leases.map(({ place, ownerNumber, expirySeconds }) => {
    const when = formatRemaining(expirySeconds, nowMs);
    return ` Lease #${String(place)}: owner=${String(ownerNumber)}, expire in ${when}`;
  });
  return ['', ...lines, ''];
}
