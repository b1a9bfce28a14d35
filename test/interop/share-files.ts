/**
 * Share files as they lie on disk, read by hand and apart from the product's own reader: a header of 12 bytes
 * (version, data length, lease count), the share, then lease records of 72 bytes.
 */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { formatBase32 } from '#core/base32.js';
import { storageIndexOf } from '#core/capability/attenuate.js';
import { requireCapability } from '#core/capability/parse.js';
import { decodeShareHashes, decodeShareHeader } from '#core/immutable/layout.js';
import { crypto } from '#test/fixtures/crypto.js';
import type { GridNode } from '#test/fixtures/process-grid.js';

const HEADER_SIZE = 12;
const LEASE_SIZE = 72;

/** One lease as it is recorded. */
export interface StoredLease {
  readonly owner: number;
  /** As stored: hashed. */
  readonly renewSecret: Buffer;
  readonly cancelSecret: Buffer;
  /** Unix seconds. */
  readonly expiry: number;
}

/** One share file. */
export interface StoredShare {
  readonly node: GridNode;
  readonly shareNumber: number;
  readonly version: number;
  /** As the header has it. */
  readonly dataLength: number;
  readonly data: Buffer;
  readonly leases: readonly StoredLease[];
}

/** The 16 bytes that servers file a CHK file's shares under. */
export function storageIndexOfText(capability: string): Uint8Array {
  const storageIndex = storageIndexOf(crypto, requireCapability(capability));
  if (storageIndex === undefined) throw new Error('a literal has no storage index');
  return storageIndex;
}

/** All shares of a file on the given storage nodes, by node and number. */
export async function readShares(nodes: readonly GridNode[], capability: string): Promise<StoredShare[]> {
  const name = formatBase32(storageIndexOfText(capability));
  const perNode = nodes.map(async (node) => {
    const directory = join(node.directory, 'storage/shares', name.slice(0, 2), name);
    const files = await readdir(directory).catch(() => []);
    return Promise.all(files.map(async (file) => parse(node, Number(file), await readFile(join(directory, file)))));
  });
  return (await Promise.all(perNode)).flat();
}

function parse(node: GridNode, shareNumber: number, file: Buffer): StoredShare {
  const leaseCount = file.readUInt32BE(8);
  const end = file.length - leaseCount * LEASE_SIZE;
  return {
    node,
    shareNumber,
    version: file.readUInt32BE(0),
    dataLength: file.readUInt32BE(4),
    data: file.subarray(HEADER_SIZE, end),
    leases: Array.from({ length: leaseCount }, (_, i) => parseLease(file.subarray(end + i * LEASE_SIZE))),
  };
}

function parseLease(record: Buffer): StoredLease {
  return {
    owner: record.readUInt32BE(0),
    renewSecret: record.subarray(4, 36),
    cancelSecret: record.subarray(36, 68),
    expiry: record.readUInt32BE(68),
  };
}

/** A share's bytes with its share hashes put in order: they may be written in any. */
export function inOrder({ data }: StoredShare): Buffer {
  const { offsets } = decodeShareHeader(data.subarray(0, 68));
  const records = decodeShareHashes(data.subarray(offsets.shareHashes, offsets.uriExtension));
  const sorted = [...records].sort(([a], [b]) => a - b);
  const section = sorted.flatMap(([nodeNumber, hash]) => [Buffer.from([nodeNumber >> 8, nodeNumber & 255]), hash]);
  return Buffer.concat([data.subarray(0, offsets.shareHashes), ...section, data.subarray(offsets.uriExtension)]);
}
