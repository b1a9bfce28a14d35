/**
 * Files of mutable shares as they lie on disk, read by hand and apart from the product's own reader: magic 32, node id
 * 20, write enabler 32, data length 8, lease offset 8, four lease slots of 92, the share, the extra leases.
 */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { formatBase32 } from '#core/base32.js';
import type { GridNode } from '#test/fixtures/process-grid.js';
import { storageIndexOfText } from './share-files.js';

const LEASE_SIZE = 92;
const DATA_OFFSET = 468;

/** One lease as it is recorded. */
export interface StoredMutableLease {
  readonly owner: number;
  /** Unix seconds. */
  readonly expiry: number;
  /** As stored: hashed. */
  readonly renewSecret: Buffer;
  readonly nodeId: string;
}

/** One file. */
export interface StoredMutable {
  readonly node: GridNode;
  readonly shareNumber: number;
  readonly magic: string;
  readonly nodeId: string;
  readonly writeEnabler: Buffer;
  readonly dataLength: number;
  readonly extraOffset: number;
  readonly fileSize: number;
  readonly data: Buffer;
  readonly leases: readonly StoredMutableLease[];
}

/** All shares of a mutable file or directory on the given nodes. */
export async function readMutableShares(nodes: readonly GridNode[], capability: string): Promise<StoredMutable[]> {
  const name = formatBase32(storageIndexOfText(capability));
  const perNode = nodes.map(async (node) => {
    const directory = join(node.directory, 'storage/shares', name.slice(0, 2), name);
    const files = await readdir(directory).catch(() => []);
    return Promise.all(files.map(async (file) => parse(node, Number(file), await readFile(join(directory, file)))));
  });
  return (await Promise.all(perNode)).flat().sort((a, b) => a.shareNumber - b.shareNumber);
}

function parse(node: GridNode, shareNumber: number, file: Buffer): StoredMutable {
  const dataLength = Number(file.readBigUInt64BE(84));
  const extraOffset = Number(file.readBigUInt64BE(92));
  const inHeader = [0, 1, 2, 3].map((slot) => 100 + slot * LEASE_SIZE);
  const extra = Array.from(
    { length: file.readUInt32BE(extraOffset) },
    (_, slot) => extraOffset + 4 + slot * LEASE_SIZE,
  );
  return {
    node,
    shareNumber,
    magic: file.subarray(0, 32).toString('hex'),
    nodeId: formatBase32(file.subarray(32, 52)),
    writeEnabler: file.subarray(52, 84),
    dataLength,
    extraOffset,
    fileSize: file.length,
    data: file.subarray(DATA_OFFSET, DATA_OFFSET + dataLength),
    leases: [...inHeader, ...extra].flatMap((offset) => parseLease(file.subarray(offset, offset + LEASE_SIZE))),
  };
}

function parseLease(record: Buffer): StoredMutableLease[] {
  const owner = record.readUInt32BE(0);
  if (owner === 0) return [];
  const nodeId = formatBase32(record.subarray(72, 92));
  return [{ owner, expiry: record.readUInt32BE(4), renewSecret: record.subarray(8, 40), nodeId }];
}
