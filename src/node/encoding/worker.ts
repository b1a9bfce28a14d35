/** The encoding thread: what it is told, it encodes, file by file and segment by segment. */
import { parentPort, workerData } from 'node:worker_threads';
import { createErasureCodec } from '#core/erasure/codec.js';
import { reasonOf } from '#core/errors.js';
import { ShareEncoder } from '#core/immutable/encoder.js';
import { collectorOfDiscarded } from '../collector.js';
import { createBulkCrypto } from '../crypto-choice.js';
import type { EncodingReply, EncodingRequest } from './messages.js';

/** A file, and arrays for its secondary blocks. */
interface OpenFile {
  readonly encoder: ShareEncoder;
  spare: Uint8Array[];
}

const crypto = await createBulkCrypto(workerData === 'portable' ? 'portable' : 'native');
const discarded = collectorOfDiscarded();
const files = new Map<number, OpenFile>();

function reply(message: EncodingReply, transfer: ArrayBuffer[] = []): void {
  parentPort?.postMessage(message, transfer);
}

function encode(id: number, open: OpenFile, plaintext: Uint8Array, room: ArrayBuffer | undefined): void {
  const { needed, total } = open.encoder.file;
  const blocks = open.encoder.encodeSegment(plaintext, open.spare);
  open.spare = blocks.slice(needed);
  const blockSize = blocks[0]?.length ?? 0;
  const joined = room?.byteLength === total * blockSize ? room : new ArrayBuffer(total * blockSize);
  const bytes = new Uint8Array(joined);
  for (const [shareNumber, block] of blocks.entries()) bytes.set(block, shareNumber * blockSize);
  reply({ id, kind: 'segment', blocks: joined, blockSize }, [joined]);
  // Plaintext and ciphertext.
  discarded(2 * plaintext.length);
}

function finish(id: number, { encoder }: OpenFile): void {
  const { trailers, capability } = encoder.finish();
  reply({ id, kind: 'finished', trailers, uebHash: capability.uebHash });
}

function obey(request: EncodingRequest): void {
  const { id, kind } = request;
  if (kind === 'open') {
    const { file, readKey } = request;
    const codec = createErasureCodec(file.needed, file.total);
    files.set(id, { encoder: new ShareEncoder(crypto, codec, file, readKey), spare: [] });
    return;
  }
  const open = files.get(id);
  if (kind === 'close') files.delete(id);
  else if (open === undefined) throw new Error('the file is not open');
  else if (kind === 'segment') encode(id, open, request.plaintext, request.room);
  else finish(id, open);
}

parentPort?.on('message', (request: EncodingRequest) => {
  try {
    obey(request);
  } catch (error) {
    reply({ id: request.id, kind: 'failed', reason: reasonOf(error) });
  }
});
