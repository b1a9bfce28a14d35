/**
 * Checks an immutable file: asks every connected server what it holds, and with `verify` reads all of it.
 *
 * Without `verify` servers are believed. A server that does not answer in time is passed over; one that fails while
 * its shares are read is not tried further, and what is left of them counts as unread. Corrupt shares are reported to
 * their server. Leases are added or renewed on the way when that is asked for, and a failure of that fails nothing.
 * @see Tahoe-LAFS docs/frontends/webapi.rst, "t=check"
 */
import { setMaxListeners } from 'node:events';
import { verifyChk } from '#core/capability/attenuate.js';
import type { ChkReadCapability, ChkVerifyCapability, LiteralCapability } from '#core/capability/types.js';
import type { CryptoProvider } from '#core/crypto.js';
import type { Clock, Log } from '#core/environment.js';
import { isTahoeError, reasonOf, TahoeError } from '#core/errors.js';
import { ShareReader } from '../download/share-reader.js';
import type { StorageServer } from '../storage-server.js';
import { mapAtOnce } from './at-once.js';
import { literalCheck, reportImmutable } from './check-report.js';
import type { CheckedServer, CheckOutcome, CheckProgress, CheckReport, ShareLocation } from './check-report.js';
import { renewLease } from './lease-renewal.js';
import { verifyShare } from './verify-share.js';

/** How many servers are asked for their shares at once. */
const ASKED_AT_ONCE_MAX = 50;
/** How many servers' shares are read at once, from each one at a time. */
const VERIFIED_AT_ONCE_MAX = 10;
/** How long a server may take to say what it holds, to add a lease, or to take a report. */
const CALL_TIMEOUT_MS = 15_000;

/** What a check is made of. */
export interface CheckContext {
  readonly crypto: CryptoProvider;
  readonly clock: Clock;
  readonly log: Log;
  readonly encoding: { readonly happy: number };
  /** 32 bytes. */
  readonly leaseSecret: Uint8Array;
  /** Connected servers in permuted order. */
  serversFor(storageIndex: Uint8Array): readonly StorageServer[];
}

/** What to do besides asking. */
export interface CheckOptions {
  /** Whether to read every share whole. */
  readonly verify?: boolean;
  /** Whether to add or renew our lease on every share. */
  readonly addLease?: boolean;
  readonly signal: AbortSignal;
  readonly progress?: CheckProgress;
}

/**
 * @param capability - to read or to verify; a literal is healthy without asking.
 * @throws ERR_CANCELLED. What servers do wrong is in the report.
 */
export async function checkImmutable(
  context: CheckContext,
  capability: ChkReadCapability | ChkVerifyCapability | LiteralCapability,
  options: CheckOptions,
): Promise<CheckOutcome> {
  if (capability.kind === 'lit') return literalCheck;
  const file = capability.kind === 'chk' ? verifyChk(context.crypto, capability) : capability;
  return new ImmutableCheck(context, file, options).run();
}

/** What was found on one server. */
interface ServerFindings {
  readonly server: StorageServer;
  readonly listed: readonly number[];
  readonly good: number[];
  readonly corrupt: number[];
  readonly incompatible: number[];
}

class ImmutableCheck {
  readonly #context: CheckContext;
  readonly #file: ChkVerifyCapability;
  readonly #options: CheckOptions;
  readonly #ended = new AbortController();
  readonly #signal: AbortSignal;
  readonly #leases = { renewed: 0, failed: 0 };
  #foundCount = 0;
  #checkedCount = 0;

  constructor(context: CheckContext, file: ChkVerifyCapability, options: CheckOptions) {
    this.#context = context;
    this.#file = file;
    this.#options = options;
    this.#signal = AbortSignal.any([options.signal, this.#ended.signal]);
    setMaxListeners(0, this.#signal); // every server that is asked listens
  }

  async run(): Promise<CheckReport> {
    const servers = this.#context.serversFor(this.#file.storageIndex);
    try {
      const asked = await mapAtOnce(servers, ASKED_AT_ONCE_MAX, (server) => this.#ask(server));
      const findings = asked.filter((found) => found !== undefined);
      this.#foundCount = findings.reduce((count, { listed }) => count + listed.length, 0);
      const holders = findings.filter(({ listed }) => listed.length > 0);
      await mapAtOnce(holders, VERIFIED_AT_ONCE_MAX, (found) => this.#look(found));
      this.#throwIfCancelled();
      return this.#report(findings);
    } finally {
      this.#ended.abort();
    }
  }

  /** @returns undefined when the server does not say what it holds. */
  async #ask(server: StorageServer): Promise<ServerFindings | undefined> {
    this.#throwIfCancelled();
    try {
      const listed = await server.listShares(this.#file.storageIndex, this.#callOptions());
      const possible = [...listed].filter((shareNumber) => shareNumber < this.#file.total).sort((a, b) => a - b);
      return { server, listed: possible, good: [], corrupt: [], incompatible: [] };
    } catch (error) {
      this.#note('server did not list its shares', server, error);
      return undefined;
    }
  }

  async #look(found: ServerFindings): Promise<void> {
    const { verify = false, addLease = false } = this.#options;
    await Promise.all([
      verify ? this.#verifyAll(found) : found.good.push(...found.listed),
      addLease ? this.#addLease(found.server) : undefined,
    ]);
  }

  async #verifyAll(found: ServerFindings): Promise<void> {
    for (const shareNumber of found.listed) {
      this.#throwIfCancelled();
      if (!(await this.#verify(found, shareNumber))) return;
      this.#checkedCount += 1;
      this.#options.progress?.(this.#checkedCount, this.#foundCount);
    }
  }

  /** @returns whether the server may be asked for another share. */
  async #verify(found: ServerFindings, shareNumber: number): Promise<boolean> {
    const { crypto } = this.#context;
    const { server } = found;
    const capability = this.#file;
    const { storageIndex } = capability;
    const reader = new ShareReader({ crypto, capability, storageIndex, server, shareNumber, closed: this.#signal });
    try {
      const verdict = await verifyShare(crypto, reader, capability, this.#signal);
      found[verdict].push(shareNumber);
    } catch (error) {
      if (!isTahoeError(error)) throw error;
      this.#note('share not good', server, error, shareNumber);
      if (error.code === 'ERR_NO_SUCH_SHARE') return true;
      if (error.family !== 'integrity') return false;
      found.corrupt.push(shareNumber);
      await this.#reportCorrupt(server, shareNumber, error);
    }
    return true;
  }

  async #reportCorrupt(server: StorageServer, shareNumber: number, error: Error): Promise<void> {
    try {
      await server.reportCorrupt(this.#file.storageIndex, shareNumber, reasonOf(error), this.#callOptions());
    } catch (failure) {
      this.#note('damage not reported', server, failure, shareNumber);
    }
  }

  async #addLease(server: StorageServer): Promise<void> {
    const counted = await renewLease(this.#context, this.#file.storageIndex, server, this.#callOptions());
    this.#leases[counted] += 1;
  }

  #report(findings: readonly ServerFindings[]): CheckReport {
    const { storageIndex, needed, total } = this.#file;
    const good = new Map<number, CheckedServer[]>();
    for (const { server, good: numbers } of findings)
      for (const shareNumber of numbers) good.set(shareNumber, [...(good.get(shareNumber) ?? []), server]);
    const locations = (select: (found: ServerFindings) => readonly number[]): ShareLocation[] =>
      findings.flatMap((found) =>
        select(found).map((shareNumber) => ({ server: found.server, storageIndex, shareNumber })),
      );
    return reportImmutable({
      storageIndex,
      needed,
      total,
      good,
      happinessWanted: Math.min(this.#context.encoding.happy, total),
      corruptShares: locations(({ corrupt }) => corrupt),
      incompatibleShares: locations(({ incompatible }) => incompatible),
      unreadShares: locations(unreadOf),
      serversResponding: findings.map(({ server }) => server),
      leases: { ...this.#leases },
    });
  }

  #callOptions(): { signal: AbortSignal; timeoutMs: number } {
    return { signal: this.#signal, timeoutMs: CALL_TIMEOUT_MS };
  }

  #throwIfCancelled(): void {
    const { signal } = this.#options;
    if (signal.aborted) throw new TahoeError('ERR_CANCELLED', { what: 'the check' }, { cause: signal.reason });
  }

  #note(event: string, server: StorageServer, error: unknown, shareNumber?: number): void {
    const facts = shareNumber === undefined ? {} : { shareNumber };
    this.#context.log.info(event, { server: server.shortName, ...facts, reason: reasonOf(error) });
  }
}

function unreadOf({ listed, good, corrupt, incompatible }: ServerFindings): number[] {
  const seen = new Set([...good, ...corrupt, ...incompatible]);
  return listed.filter((shareNumber) => !seen.has(shareNumber));
}
