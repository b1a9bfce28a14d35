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
import type { UploadSecretFor, UploadTurns } from './upload-turns.js';
import { isSmall, makeWholeShares } from './whole-shares.js';

/** What sends files. */
export interface SendContext extends TakerContext {
  readonly crypto: CryptoProvider;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** 32 bytes. */
  readonly leaseSecret: Uint8Array;
  /** Of the node's uploads of one file; by its secrets one is gone on with after a restart. */
  readonly uploadTurns: UploadTurns;
  /** Connected servers, in permuted order. */
  serversFor(storageIndex: Uint8Array): readonly StorageServer[];
}

/** What is sent. */
export interface SentFile<Encoded extends EncodedShares> {
  /** 16 bytes. */
  readonly storageIndex: Uint8Array;
  readonly happy: number;
  readonly source: SegmentSource;
  /** Called once there is room for the shares, or before for a small file; the encoder is closed here. */
  readonly openEncoder: () => FileEncoder<Encoded>;
}

interface SendOptions {
  readonly signal: AbortSignal;
  readonly progress?: UploadProgress;
}

/** What became of a file. */
export interface SendOutcome<Encoded extends EncodedShares> {
  readonly encoded: Encoded;
  readonly outcome: ShareOutcome;
}

/**
 * Waits until all uploads of that file before it have ended.
 * @returns what the encoder ends with, and where the shares are.
 * @throws ERR_BUSY when too many wait, ERR_NO_SERVERS, ERR_NOT_CERTIFIED, ERR_UNHAPPY, ERR_CANCELLED, and what the source and the encoder throw.
 */
export function sendFile<Encoded extends EncodedShares>(
  context: SendContext,
  sent: SentFile<Encoded>,
  options: SendOptions,
): Promise<SendOutcome<Encoded>> {
  return context.uploadTurns.run(sent.storageIndex, options.signal, (uploadSecretFor) =>
    sendNow({ ...context, uploadSecretFor }, sent, options),
  );
}

async function sendNow<Encoded extends EncodedShares>(
  context: SendContext & { readonly uploadSecretFor: UploadSecretFor },
  { happy, openEncoder, source, storageIndex }: SentFile<Encoded>,
  options: SendOptions,
): Promise<SendOutcome<Encoded>> {
  const { needed, total } = source.file;
  const plan = { storageIndex, needed, happy, total };
  const layout = layoutOf(source.file);
  const whole = isSmall(layout, total)
    ? await withEncoder(openEncoder(), (encoder) => makeWholeShares(source, encoder, layout))
    : undefined;
  const selection = await selectServers({
    ...context,
    ...plan,
    allocatedSize: layout.allocatedSize,
    servers: requireTakers(context, context.serversFor(storageIndex)),
    signal: options.signal,
    wholeShares: whole?.shares,
    leaseSecrets: (server) => leaseSecrets(context.crypto, context.leaseSecret, storageIndex, server.tubId),
  });
  const upload = new ShareUpload(context, { ...plan, selection, layout });
  return withEncoder(whole?.replay() ?? openEncoder(), async (encoder) => {
    return { encoded: await upload.run(source, encoder, options), outcome: upload.outcome() };
  });
}

async function withEncoder<Encoded extends EncodedShares, Result>(
  encoder: FileEncoder<Encoded>,
  action: (encoder: FileEncoder<Encoded>) => Promise<Result>,
): Promise<Result> {
  try {
    return await action(encoder);
  } finally {
    encoder.close();
  }
}
