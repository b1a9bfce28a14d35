/**
 * Uploads one immutable file: plaintext in, capability out, with its shares spread over enough servers.
 *
 *   receive (hash, spool) → select servers → per segment: encrypt, code, hash, push to every share → trailers
 *
 * A share whose server fails or stalls is given up as long as the rest keeps the file happy; otherwise the whole
 * upload fails and everything reserved is given back. The capability is returned only when every remaining
 * server has called its share complete.
 * @see Tahoe-LAFS docs/specifications/file-encoding.rst, servers-of-happiness.rst
 */
import { literalCapability } from '#core/capability/types.js';
import type { ChkReadCapability, LiteralCapability } from '#core/capability/types.js';
import type { CryptoProvider } from '#core/crypto.js';
import type { Clock, Log, Random } from '#core/environment.js';
import { deriveImmutableStorageIndex } from '#core/derive.js';
import { layoutOf } from '#core/immutable/layout.js';
import { leaseSecrets } from '#core/lease.js';
import type { StorageServer } from '../storage-server.js';
import { requireTakers } from '../upload-permission.js';
import type { TakerContext } from '../upload-permission.js';
import type { FileEncoder, OpenEncoder } from './file-encoder.js';
import { receivePlaintext } from './plaintext.js';
import type { KeyedPlaintext, Spool } from './plaintext.js';
import { selectServers } from './selection.js';
import { ShareUpload } from './share-upload.js';
import type { ShareOutcome, UploadProgress } from './share-upload.js';
import { isSmall, makeWholeShares } from './whole-shares.js';
import type { UploadSecretFor, UploadTurns } from './upload-turns.js';

/** How files are encoded here. */
export interface UploadEncoding {
  readonly needed: number;
  readonly happy: number;
  readonly total: number;
  /** In bytes. */
  readonly segmentSizeMax: number;
}

/** What an uploader is made of. */
export interface UploadContext extends TakerContext {
  readonly crypto: CryptoProvider;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly encoding: UploadEncoding;
  /** 32 bytes; without it every upload gets a key of its own. */
  readonly convergenceSecret: Uint8Array | undefined;
  /** 32 bytes. */
  readonly leaseSecret: Uint8Array;
  /** Of the node's uploads of one file; by its secrets one is gone on with after a restart. */
  readonly uploadTurns: UploadTurns;
  /** Connected servers, in permuted order. */
  serversFor(storageIndex: Uint8Array): readonly StorageServer[];
  openSpool(): Promise<Spool>;
  readonly openEncoder: OpenEncoder;
  /** Told how many bytes of new arrays are garbage now. */
  readonly discarded?: (sizeBytes: number) => void;
}

/** What became of a file. */
export interface UploadResult extends ShareOutcome {
  readonly capability: ChkReadCapability | LiteralCapability;
  readonly sizeBytes: number;
}

/**
 * Uploads what `input` gives.
 * @throws ERR_NO_SERVERS, ERR_NOT_CERTIFIED, ERR_UNHAPPY, ERR_NO_SPACE of the spool, ERR_CANCELLED, and what `input` throws.
 */
export async function uploadFile(
  given: UploadContext,
  input: AsyncIterable<Uint8Array>,
  options: { readonly signal: AbortSignal; readonly progress?: UploadProgress },
): Promise<UploadResult> {
  // A copy: a node may be told another encoding while this goes on.
  const context = { ...given };
  const { encoding } = context;
  const plaintext = await receivePlaintext(input, { ...context, ...encoding, encoding });
  if (plaintext.kind === 'literal') return literalResult(plaintext.data);
  try {
    return await uploadPlaintext(context, plaintext, options);
  } finally {
    await plaintext.close();
  }
}

function literalResult(data: Uint8Array): UploadResult {
  const capability = literalCapability(data);
  return { capability, sizeBytes: data.length, holdings: new Map(), pushedShares: 0, preexistingShares: 0 };
}

async function uploadPlaintext(
  context: UploadContext,
  plaintext: KeyedPlaintext,
  options: { readonly signal: AbortSignal; readonly progress?: UploadProgress },
): Promise<UploadResult> {
  const storageIndex = deriveImmutableStorageIndex(context.crypto, plaintext.readKey);
  return context.uploadTurns.run(storageIndex, options.signal, (uploadSecretFor) =>
    uploadTo({ ...context, storageIndex, uploadSecretFor }, plaintext, options),
  );
}

async function uploadTo(
  context: UploadContext & { readonly storageIndex: Uint8Array; readonly uploadSecretFor: UploadSecretFor },
  plaintext: KeyedPlaintext,
  options: { readonly signal: AbortSignal; readonly progress?: UploadProgress },
): Promise<UploadResult> {
  const { crypto, encoding, storageIndex } = context;
  const { file, readKey } = plaintext;
  const layout = layoutOf(file);
  const whole = isSmall(layout, encoding.total)
    ? await withEncoder(context.openEncoder(file, readKey), (encoder) => makeWholeShares(plaintext, encoder, layout))
    : undefined;
  const selection = await selectServers({
    ...context,
    ...encoding,
    allocatedSize: layout.allocatedSize,
    servers: requireTakers(context, context.serversFor(storageIndex)),
    signal: options.signal,
    wholeShares: whole?.shares,
    leaseSecrets: (server) => leaseSecrets(crypto, context.leaseSecret, storageIndex, server.tubId),
  });
  const upload = new ShareUpload(context, { ...encoding, storageIndex, selection, layout });
  return withEncoder(whole?.replay() ?? context.openEncoder(file, readKey), async (encoder) => {
    const { capability } = await upload.run(plaintext, encoder, options);
    return { capability, sizeBytes: file.size, ...upload.outcome() };
  });
}

async function withEncoder<Result>(
  encoder: FileEncoder,
  action: (encoder: FileEncoder) => Promise<Result>,
): Promise<Result> {
  try {
    return await action(encoder);
  } finally {
    encoder.close();
  }
}
