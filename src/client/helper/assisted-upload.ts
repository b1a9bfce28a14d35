/**
 * Uploads one file through a helper: it is given the ciphertext once, and makes and sends the shares over its faster line.
 *
 * A helper is not trusted with more than that. The capability is made here: the file is encoded once, its shares thrown away, for
 * their hashes follow from the ciphertext alone. What the helper says must name the very same file, each number and the hash of the
 * URI extension block, or the upload fails. That costs processor time, some hundred megabytes a second, and no traffic; whether
 * the shares are where it says is not looked at, as with the reference's client.
 *
 * Once the helper has been asked nothing is uploaded past it: if it fails, the upload does, with ERR_HELPER, and the next attempt
 * goes on where this one stopped. That too is the reference's way.
 * @see Tahoe-LAFS src/allmydata/immutable/upload.py, AssistedUploader
 */
import { equalBytes } from '#core/bytes.js';
import type { ChkReadCapability } from '#core/capability/types.js';
import type { Clock } from '#core/environment.js';
import { deriveImmutableStorageIndex } from '#core/derive.js';
import { isTahoeError, reasonOf, TahoeError } from '#core/errors.js';
import type { RemoteReference } from '#wire/foolscap/tub.js';
import { helperResultsShape, uploadChkReplyShape } from '#wire/foolscap/upload-helper.js';
import type { HelperResults } from '#wire/foolscap/upload-helper.js';
import type { Value } from '#wire/foolscap/values.js';
import { encodedSegments } from '../upload/file-encoder.js';
import type { KeyedPlaintext } from '../upload/plaintext.js';
import type { UploadProgress } from '../upload/share-upload.js';
import type { UploadContext, UploadResult } from '../upload/upload.js';
import { CiphertextReader } from './ciphertext-reader.js';

/** How long a helper may take to look for the file in the grid. */
const LOOK_TIMEOUT_MS = 120_000;
/**
 * How long a helper may ask for nothing: another client may be giving the same file, others may be before it, and at last it pushes
 * the shares, at this rate in bytes a second at the least. A connection that is dead is noticed sooner.
 */
const SILENCE_MS = 3_600_000;
const PUSH_RATE_MIN = 16_384;
const TIMER_MS_MAX = 2 ** 31 - 1;

interface AssistedOptions {
  readonly signal: AbortSignal;
  readonly progress?: UploadProgress;
}

/**
 * @param helper - connected.
 * @throws ERR_HELPER when it fails or falls silent, ERR_HELPER_RESULT when what it says is wrong, ERR_CANCELLED.
 */
export async function uploadThroughHelper(
  context: UploadContext,
  plaintext: KeyedPlaintext,
  helper: RemoteReference,
  options: AssistedOptions,
): Promise<UploadResult> {
  const name = context.helper?.name ?? '';
  const capability = await capabilityOf(context, plaintext, options.signal);
  const results = await resultsOf(context, plaintext, helper, options).catch((error: unknown) => {
    if (isTahoeError(error, 'ERR_CANCELLED', 'ERR_HELPER')) throw error;
    throw new TahoeError('ERR_HELPER', { helper: name, reason: reasonOf(error) }, { cause: error });
  });
  requireSameFile(name, plaintext, capability, results);
  const { preexistingShares, pushedShares, sharemap } = results;
  const holdings = new Map<string, Set<number>>();
  for (const [share, ids] of sharemap)
    for (const id of ids) holdings.set(id, (holdings.get(id) ?? new Set()).add(share));
  return { capability, sizeBytes: plaintext.file.size, holdings, pushedShares, preexistingShares };
}

/** What the file is called, whoever stores it. */
async function capabilityOf(
  { openEncoder }: UploadContext,
  plaintext: KeyedPlaintext,
  signal: AbortSignal,
): Promise<ChkReadCapability> {
  const encoder = openEncoder(plaintext.file, plaintext.readKey);
  try {
    for await (const { release } of encodedSegments(plaintext, encoder)) {
      release();
      if (signal.aborted) throw new TahoeError('ERR_CANCELLED', { what: 'the upload' }, { cause: signal.reason });
    }
    return (await encoder.finish()).capability;
  } finally {
    encoder.close();
  }
}

async function resultsOf(
  context: UploadContext,
  plaintext: KeyedPlaintext,
  helper: RemoteReference,
  { progress, signal }: AssistedOptions,
): Promise<HelperResults> {
  const { clock, crypto, encoding } = context;
  const { file, readKey } = plaintext;
  const storageIndex = deriveImmutableStorageIndex(crypto, readKey);
  const asked = await helper.call('upload_chk', [storageIndex], undefined, { signal, timeoutMs: LOOK_TIMEOUT_MS });
  const { results, upload } = uploadChkReplyShape(asked, 'the answer to upload_chk');
  if (upload === undefined) {
    if (results !== undefined) return results;
    throw new TahoeError('ERR_VIOLATION', { reason: 'the answer to upload_chk says nothing' });
  }
  const silence = new Silence(clock, Math.min(TIMER_MS_MAX, SILENCE_MS + Math.ceil(file.size / PUSH_RATE_MIN) * 1000));
  const reader = new CiphertextReader({
    crypto,
    plaintext,
    happy: encoding.happy,
    asked: (endBytes) => {
      silence.broken();
      progress?.(endBytes, file.size);
    },
  });
  try {
    const value = await silence.during(context.helper?.name ?? '', signal, (either) =>
      upload.call('upload', [reader], undefined, { signal: either, timeoutMs: TIMER_MS_MAX }),
    );
    return helperResultsShape(value, 'the answer to upload');
  } finally {
    silence.end();
    upload.release();
    await reader.close();
  }
}

/** Each number says the same as ours, and so does the hash over all of them. */
function requireSameFile(
  helper: string,
  { file }: KeyedPlaintext,
  capability: ChkReadCapability,
  { ueb, uebHash }: HelperResults,
): void {
  const wrong = (reason: string): TahoeError => new TahoeError('ERR_HELPER_RESULT', { helper, reason });
  const expected = {
    needed_shares: file.needed,
    total_shares: file.total,
    segment_size: file.segmentSize,
    size: file.size,
  };
  for (const [key, value] of Object.entries(expected)) {
    if (ueb.get(key) !== value) throw wrong(`${key} is not ${String(value)}`);
  }
  if (!equalBytes(uebHash, capability.uebHash)) throw wrong('the hash of its URI extension block is another');
}

/** Ends a wait in which nothing is heard for too long. */
class Silence {
  readonly #clock: Clock;
  readonly #limitMs: number;
  readonly #over = new AbortController();
  #cancelTimer: () => void = () => undefined;

  constructor(clock: Clock, limitMs: number) {
    this.#clock = clock;
    this.#limitMs = limitMs;
    this.broken();
  }

  /** Something was heard. */
  broken(): void {
    this.#cancelTimer();
    this.#cancelTimer = this.#clock.schedule(this.#limitMs, () => {
      this.#over.abort();
    });
  }

  async during(helper: string, signal: AbortSignal, wait: (either: AbortSignal) => Promise<Value>): Promise<Value> {
    try {
      return await wait(AbortSignal.any([signal, this.#over.signal]));
    } catch (error) {
      if (signal.aborted || !this.#over.signal.aborted) throw error;
      const reason = `nothing was heard of it for ${String(Math.round(this.#limitMs / 1000))} seconds`;
      throw new TahoeError('ERR_HELPER', { helper, reason });
    }
  }

  end(): void {
    this.#cancelTimer();
  }
}
