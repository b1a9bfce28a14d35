/**
 * Uploads one immutable file: plaintext in, capability out, with its shares spread over enough servers.
 *
 *   receive (hash, spool) → select servers → per segment: encrypt, code, hash, push to every share → trailers
 *
 * A share whose server fails or stalls is given up as long as the rest keeps the file happy; otherwise the whole
 * upload fails and everything reserved is given back. The capability is returned only when every remaining
 * server has called its share complete. A file that is worth shares goes through a helper instead, while one is connected.
 * @see Tahoe-LAFS docs/specifications/file-encoding.rst, servers-of-happiness.rst
 */
import { literalCapability } from '#core/capability/types.js';
import type { ChkReadCapability, LiteralCapability } from '#core/capability/types.js';
import type { CryptoProvider } from '#core/crypto.js';
import type { Clock, Log, Random } from '#core/environment.js';
import { deriveImmutableStorageIndex } from '#core/derive.js';
import { uploadThroughHelper } from '../helper/assisted-upload.js';
import type { UploadAssistant } from '../helper/helper-link.js';
import type { StorageServer } from '../storage-server.js';
import type { TakerContext } from '../upload-permission.js';
import type { OpenEncoder } from './file-encoder.js';
import { receivePlaintext } from './plaintext.js';
import type { KeyedPlaintext, Spool } from './plaintext.js';
import { sendFile } from './send-file.js';
import type { ShareOutcome, UploadProgress } from './share-upload.js';
import type { UploadTurns } from './upload-turns.js';

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
  /** Uploads go through it while it is connected. */
  readonly helper?: UploadAssistant | undefined;
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
 * @throws ERR_NO_SERVERS, ERR_NOT_CERTIFIED, ERR_UNHAPPY, ERR_NO_SPACE of the spool, ERR_CANCELLED, and what `input` throws;
 *   ERR_HELPER and ERR_HELPER_RESULT where it goes through a helper.
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
    const helper = await context.helper?.connected(options.signal);
    if (helper === undefined || context.helper === undefined) return await uploadPlaintext(context, plaintext, options);
    const { places } = context.helper;
    return await places.run(options.signal, () => uploadThroughHelper(context, plaintext, helper, options));
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
  const { file, readKey } = plaintext;
  const { encoded, outcome } = await sendFile(
    context,
    {
      storageIndex: deriveImmutableStorageIndex(context.crypto, readKey),
      happy: context.encoding.happy,
      source: plaintext,
      openEncoder: () => context.openEncoder(file, readKey),
    },
    options,
  );
  return { capability: encoded.capability, sizeBytes: file.size, ...outcome };
}
