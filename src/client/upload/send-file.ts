/**
 * Sends one file whose bytes are at hand: finds servers, encodes segment by segment, pushes every share, and ends when all that
 * are left are safe. Whether the bytes are plaintext or ciphertext is the encoder's to know.
 */
import type { CryptoProvider } from '#core/crypto.js';
import type { Clock, Log, Random } from '#core/environment.js';
import type { EncodedShares } from '#core/immutable/encoder.js';
import { layoutOf } from '#core/immutable/layout.js';
import { leaseSecrets } from '#core/lease.js';
import type { StorageServer } from '../storage-server.js';
import { requireTakers } from '../upload-permission.js';
import type { TakerContext } from '../upload-permission.js';
import type { FileEncoder, SegmentSource } from './file-encoder.js';
import { selectServers } from './selection.js';
import { ShareUpload } from './share-upload.js';
import type { ShareOutcome, UploadProgress } from './share-upload.js';

/** What sends files. */
export interface SendContext extends TakerContext {
  readonly crypto: CryptoProvider;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** 32 bytes. */
  readonly leaseSecret: Uint8Array;
  /** Connected servers, in permuted order. */
  serversFor(storageIndex: Uint8Array): readonly StorageServer[];
}

/** What is sent. */
export interface SentFile<Encoded extends EncodedShares> {
  /** 16 bytes. */
  readonly storageIndex: Uint8Array;
  readonly happy: number;
  readonly source: SegmentSource;
  /** Called once there is room for the shares; the encoder is closed here. */
  readonly openEncoder: () => FileEncoder<Encoded>;
}

/**
 * @returns what the encoder ends with, and where the shares are.
 * @throws ERR_NO_SERVERS, ERR_NOT_CERTIFIED, ERR_UNHAPPY, ERR_CANCELLED, and what the source and the encoder throw.
 */
export async function sendFile<Encoded extends EncodedShares>(
  context: SendContext,
  { happy, openEncoder, source, storageIndex }: SentFile<Encoded>,
  options: { readonly signal: AbortSignal; readonly progress?: UploadProgress },
): Promise<{ readonly encoded: Encoded; readonly outcome: ShareOutcome }> {
  const { needed, total } = source.file;
  const plan = { storageIndex, needed, happy, total };
  const layout = layoutOf(source.file);
  const selection = await selectServers({
    ...context,
    ...plan,
    allocatedSize: layout.allocatedSize,
    servers: requireTakers(context, context.serversFor(storageIndex)),
    signal: options.signal,
    leaseSecrets: (server) => leaseSecrets(context.crypto, context.leaseSecret, storageIndex, server.tubId),
  });
  const upload = new ShareUpload(context, { ...plan, selection, layout });
  const encoder = openEncoder();
  try {
    return { encoded: await upload.run(source, encoder, options), outcome: upload.outcome() };
  } finally {
    encoder.close();
  }
}
