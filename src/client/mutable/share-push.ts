/**
 * Writes shares of one new version to servers, each only where the share that was seen there is there still.
 *
 * All shares of one server go in one read-test-write, so that a server has them all or none (a large file in several).
 * Its answer tells what the server held before. Whatever is there that was not seen before and is not older than what
 * was built upon means that somebody else is writing: such a surprise is remembered, and the writer gives way.
 * A server that keeps the others waiting is given up; what it does with the request later does no harm.
 * @see Tahoe-LAFS docs/specifications/mutable.rst, "Uncoordinated writes"
 */
import { setMaxListeners } from 'node:events';
import { ByteReader, equalBytes, toHex } from '#core/bytes.js';
import { deriveWriteEnabler } from '#core/derive.js';
import { isTahoeError, reasonOf, TahoeError } from '#core/errors.js';
import { leaseSecrets } from '#core/lease.js';
import type { MutableKeys } from '#core/mutable/keys.js';
import { CHECKSTRING_SIZE } from '#core/mutable/layout.js';
import { encodeCheckstring } from '#core/mutable/version.js';
import type { MutableVersion } from '#core/mutable/version.js';
import type { ReadTestWriteReply, ShareVectors, WriteVector } from '#wire/storage-mutable.js';
import { TIMER_MS_MAX, withDeadline } from '../deadline.js';
import type { StorageServer } from '../storage-server.js';
import type { Placement } from './goal.js';
import type { MutableContext } from './mutable-context.js';
import { remember } from './seen-versions.js';
import { happinessOf } from './servermap.js';
import type { Servermap } from './servermap.js';

/** The shares of one server are written in requests of about this size, in bytes. */
const REQUEST_SIZE_MAX = 33_554_432;
/** How long the first answer may take, and how much longer for each byte that is sent. */
const ANSWER_TIMEOUT_MS = 10_000;
const RATE_MIN_BYTES_PER_SECOND = 16 * 1024;
/** How long the others may take after an answer, at least; never less than it has taken so far. */
const STRAGGLER_TIMEOUT_MS = 10_000;

/** What is written to one share. */
export interface ShareWrites {
  readonly writes: readonly WriteVector[];
  /** Where the share ends from now on; undefined leaves what lies behind. */
  readonly newLength: number | undefined;
}

/** What is written, and on top of what. */
export interface SharePushOptions {
  readonly context: Pick<MutableContext, 'crypto' | 'clock' | 'log' | 'leaseSecret' | 'seen'>;
  readonly keys: Pick<MutableKeys, 'storageIndex' | 'writeKey'>;
  readonly version: MutableVersion;
  /** What was seen before. */
  readonly map: Servermap;
  readonly writesOf: (placement: Placement) => ShareWrites;
  /** On so many servers the version is acknowledged. */
  readonly spread: number;
  readonly signal: AbortSignal;
}

interface Request {
  readonly server: StorageServer;
  readonly placements: Placement[];
  size: number;
}

/** One version on its way to the servers. */
export class SharePush {
  /** The shares that are written. */
  readonly placed: Placement[] = [];
  /** The servers that failed, with why. */
  readonly failures = new Map<StorageServer, string>();
  /** What shows that somebody else is writing. */
  readonly surprises: string[] = [];
  /** Begun when the version is on as many servers as it must be: whoever else fails, it is there from then on. */
  remembered: Promise<void> | undefined;
  readonly #options: SharePushOptions;
  readonly #checkstring: Uint8Array;

  constructor(options: SharePushOptions) {
    this.#options = options;
    this.#checkstring = encodeCheckstring(options.version);
  }

  /**
   * Writes, and waits until every server has answered or is given up.
   * @param answerTimeoutMs - how long the first answer may take, beside what the size allows.
   * @throws ERR_CANCELLED.
   */
  async run(placements: readonly Placement[], answerTimeoutMs = ANSWER_TIMEOUT_MS): Promise<void> {
    const requests = this.#requests(placements);
    const straggling = new AbortController();
    setMaxListeners(0, straggling.signal);
    const patience = this.#patience(requests, straggling, answerTimeoutMs);
    try {
      await Promise.all(
        requests.map(async (request) => {
          await this.#send(request, straggling.signal);
          patience.answered();
        }),
      );
    } finally {
      patience.end();
    }
    const { signal } = this.#options;
    if (signal.aborted) throw new TahoeError('ERR_CANCELLED', { what: 'the write' }, { cause: signal.reason });
  }

  /** Ends the wait for those who have not answered when it has lasted too long. */
  #patience(
    requests: readonly Request[],
    straggling: AbortController,
    answerTimeoutMs: number,
  ): { answered: () => void; end: () => void } {
    const { clock } = this.#options.context;
    const size = requests.reduce((sum, request) => sum + request.size, 0);
    const startMs = clock.monotonicMs();
    const giveUp = (): void => {
      straggling.abort();
    };
    const firstMs = answerTimeoutMs + Math.ceil((size * 1000) / RATE_MIN_BYTES_PER_SECOND);
    let cancelTimer = clock.schedule(Math.min(firstMs, TIMER_MS_MAX), giveUp);
    return {
      answered: () => {
        cancelTimer();
        const delayMs = Math.max(STRAGGLER_TIMEOUT_MS, clock.monotonicMs() - startMs);
        cancelTimer = clock.schedule(delayMs, giveUp);
      },
      end: () => {
        cancelTimer();
      },
    };
  }

  #requests(placements: readonly Placement[]): Request[] {
    const requests: Request[] = [];
    const open = new Map<StorageServer, Request>();
    for (const placement of placements) {
      const { server } = placement;
      const size = this.#options.writesOf(placement).writes.reduce((sum, { data }) => sum + data.length, 0);
      let request = open.get(server);
      if (request === undefined || request.size + size > REQUEST_SIZE_MAX) {
        request = { server, placements: [], size: 0 };
        requests.push(request);
        open.set(server, request);
      }
      request.placements.push(placement);
      request.size += size;
    }
    return requests;
  }

  async #send(request: Request, straggling: AbortSignal): Promise<void> {
    const { context, signal } = this.#options;
    const { clock, log } = context;
    const { server } = request;
    try {
      const either = AbortSignal.any([signal, straggling]);
      setMaxListeners(0, either);
      const limit = { clock, timeoutMs: TIMER_MS_MAX, what: `writing to ${server.shortName}`, signal: either };
      const reply = await withDeadline(limit, (ended) => this.#write(request, ended));
      this.#take(request, reply);
    } catch (error) {
      if (!isTahoeError(error)) throw error;
      const reason = straggling.aborted && !signal.aborted ? 'it kept the others waiting' : reasonOf(error);
      log.warn('server took no shares', { server: server.shortName, reason });
      this.failures.set(server, reason);
    }
  }

  #write({ placements, server }: Request, signal: AbortSignal): Promise<ReadTestWriteReply> {
    const { context, keys } = this.#options;
    const { storageIndex, writeKey } = keys;
    const shares = new Map(placements.map((placement) => [placement.shareNumber, this.#vectors(placement)]));
    return server.readTestWrite(
      storageIndex,
      {
        ...leaseSecrets(context.crypto, context.leaseSecret, storageIndex, server.tubId),
        writeEnabler: deriveWriteEnabler(context.crypto, writeKey, server.tubId),
        shares,
        reads: [{ offset: 0, size: CHECKSTRING_SIZE.sdmf }],
      },
      { signal },
    );
  }

  #vectors(placement: Placement): ShareVectors {
    const { checkstring } = placement;
    // One byte is read where there must be no share: it has none.
    const size = checkstring.length === 0 ? 1 : Math.max(checkstring.length, CHECKSTRING_SIZE.mdmf);
    return { tests: [{ offset: 0, size, specimen: checkstring }], ...this.#options.writesOf(placement) };
  }

  #take({ placements, server }: Request, { data, success }: ReadTestWriteReply): void {
    const written = new Set(placements.map(({ shareNumber }) => shareNumber));
    for (const [shareNumber, [beginning]] of data) {
      const isExpected = success && written.has(shareNumber);
      if (isExpected || beginning === undefined || !this.#isSurprise(server, shareNumber, beginning)) continue;
      this.surprises.push(`share ${String(shareNumber)} on ${server.shortName} is of another version`);
    }
    if (success) this.#place(placements);
    else if (this.#wasMisled(server, placements, data))
      this.failures.set(server, 'it holds other shares than it showed');
    else this.surprises.push(`${server.shortName} holds other shares than before`);
  }

  /** Whether a server refuses because it showed shares that were none, and nothing there is of another writer. */
  #wasMisled(server: StorageServer, placements: readonly Placement[], data: ReadTestWriteReply['data']): boolean {
    const { badShares } = this.#options.map;
    const isBad = ({ shareNumber }: Placement): boolean =>
      badShares.some((bad) => bad.server === server && bad.shareNumber === shareNumber);
    const isStrange = ([shareNumber, [beginning]]: [number, readonly Uint8Array[]]): boolean =>
      beginning !== undefined && this.#isSurprise(server, shareNumber, beginning);
    return placements.every(isBad) && ![...data].some(isStrange);
  }

  #place(placements: readonly Placement[]): void {
    this.placed.push(...placements);
    const { context, keys, spread, version } = this.#options;
    const distinct = new Set(this.placed.map(({ shareNumber }) => shareNumber)).size;
    if (distinct >= version.needed && happinessOf(this.placed) >= spread)
      this.remembered ??= remember(context, keys.storageIndex, version);
  }

  /** Whether a share that was not to be written shows another writer: it is neither ours, nor known, nor older. */
  #isSurprise(server: StorageServer, shareNumber: number, beginning: Uint8Array): boolean {
    if (startsWith(beginning, this.#checkstring)) return false;
    const { map } = this.#options;
    const isHere = (share: { readonly server: StorageServer; readonly shareNumber: number }): boolean =>
      share.server === server && share.shareNumber === shareNumber;
    const bad = map.badShares.find(isHere);
    if (bad !== undefined && startsWith(beginning, bad.checkstring)) return false;
    const known = new Set(map.shares.map(({ header }) => toHex(encodeCheckstring(header))));
    if ([...known].some((text) => toHex(beginning).startsWith(text))) return false;
    return beginning.length >= 9 && sequenceNumberOf(beginning) >= BigInt(map.highestSequenceNumber);
  }
}

function startsWith(bytes: Uint8Array, beginning: Uint8Array): boolean {
  return equalBytes(bytes.subarray(0, beginning.length), beginning);
}

function sequenceNumberOf(beginning: Uint8Array): bigint {
  const reader = new ByteReader(beginning.subarray(1));
  return (BigInt(reader.uint32()) << 32n) | BigInt(reader.uint32());
}
