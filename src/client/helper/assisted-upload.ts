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
import { isTahoeError, reasonOf, TahoeError } from '#core/errors.js';
import type { HelperResults } from '#wire/foolscap/upload-helper.js';
import { TIMER_MS_MAX } from '../deadline.js';
import { encodedSegments } from '../upload/file-encoder.js';
import type { KeyedPlaintext } from '../upload/plaintext.js';
import type { UploadProgress } from '../upload/share-upload.js';
import type { UploadContext, UploadResult } from '../upload/upload.js';
import type { HelperConnection } from './helper-connection.js';
import { OfferedCiphertext } from './offered-ciphertext.js';

/**
 * How long a helper may ask for nothing: another client may be giving the same file, others may be before it, and at last it pushes
 * the shares, at this rate in bytes a second at the least. A connection that is dead is noticed sooner.
 */
const SILENCE_MS = 3_600_000;
const PUSH_RATE_MIN = 16_384;

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
  helper: HelperConnection,
  options: AssistedOptions,
): Promise<UploadResult> {
  const { name } = helper;
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
  { clock, crypto, encoding }: UploadContext,
  plaintext: KeyedPlaintext,
  helper: HelperConnection,
  { progress, signal }: AssistedOptions,
): Promise<HelperResults> {
  const { size } = plaintext.file;
  const silence = new Silence(clock, Math.min(TIMER_MS_MAX, SILENCE_MS + Math.ceil(size / PUSH_RATE_MIN) * 1000));
  const offered = new OfferedCiphertext({
    crypto,
    plaintext,
    happy: encoding.happy,
    asked: (endBytes) => {
      silence.broken();
      progress?.(endBytes, size);
    },
  });
  try {
    return await silence.during(helper.name, signal, (either) => helper.upload(offered, either));
  } finally {
    silence.end();
    await offered.close();
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

  async during<Result>(
    helper: string,
    signal: AbortSignal,
    wait: (either: AbortSignal) => Promise<Result>,
  ): Promise<Result> {
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
