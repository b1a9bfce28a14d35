/**
 * Checks a mutable file: asks every connected server what it holds, and with `verify` reads all of it, every share of
 * every version. Any capability is enough, for nothing is decrypted.
 *
 * A share counts when its signature was verified, which takes no `verify`. A server that does not answer in time is
 * passed over; one that fails while its shares are read is not tried further, and what is left of them counts as
 * unread. A share that does not match and was not overwritten meanwhile is reported to its server. Leases are added or
 * renewed on the way when that is asked for, and a failure of that fails nothing.
 * @see Tahoe-LAFS docs/frontends/webapi.rst, "t=check"
 */
import { setMaxListeners } from 'node:events';
import { isTahoeError, reasonOf, TahoeError } from '#core/errors.js';
import { accessOf } from '#core/mutable/access.js';
import type { MutableAccess, MutableCapability } from '#core/mutable/access.js';
import { encodeCheckstring } from '#core/mutable/version.js';
import { withDeadline } from '../deadline.js';
import { reportBadShare } from '../mutable/corruption.js';
import type { MutableContext } from '../mutable/mutable-context.js';
import { MutableFile } from '../mutable/mutable-file.js';
import { isShareError } from '../mutable/server-query.js';
import { Servermap } from '../mutable/servermap.js';
import type { MutableShareReader } from '../mutable/share-reader.js';
import type { StorageServer } from '../storage-server.js';
import { mapAtOnce } from './at-once.js';
import type { CheckOptions } from './check-immutable.js';
import { renewLease } from './lease-renewal.js';
import { reportMutable } from './mutable-report.js';
import type { MutableCheckReport } from './mutable-report.js';
import { verifyMutableShare } from './verify-mutable-share.js';

/** How many servers' shares are read at once, from each one at a time. */
const VERIFIED_AT_ONCE_MAX = 10;
/** How long one reading of at most 256 KiB may take. */
const READ_TIMEOUT_MS = 20_000;
/** How long a share that did not match may take to say whether it was overwritten. */
const SECOND_LOOK_TIMEOUT_MS = 5_000;
/** How long adding a lease may take. */
const LEASE_TIMEOUT_MS = 15_000;

/** What a check found: its report, and all shares for who repairs, the unread ones among them. */
export interface MutableLook {
  readonly report: MutableCheckReport;
  readonly map: Servermap;
}

/**
 * @param capability - to write, to read or to verify.
 * @throws ERR_CANCELLED. What servers do wrong is in the report.
 */
export async function checkMutable(
  context: MutableContext,
  capability: MutableCapability,
  options: CheckOptions,
): Promise<MutableCheckReport> {
  return (await lookAtMutable(context, capability, options)).report;
}

/** The same, for who goes on to repair. */
export async function lookAtMutable(
  context: MutableContext,
  capability: MutableCapability,
  options: CheckOptions,
): Promise<MutableLook> {
  const check = new MutableCheck(context, capability, options);
  try {
    return await check.run();
  } finally {
    check.close();
  }
}

class MutableCheck {
  readonly #context: MutableContext;
  readonly #capability: MutableCapability;
  readonly #access: MutableAccess;
  readonly #options: CheckOptions;
  readonly #ended = new AbortController();
  readonly #signal: AbortSignal;
  readonly #unread = new Set<MutableShareReader>();
  readonly #leases = { renewed: 0, failed: 0 };
  #map = new Servermap();
  #foundCount = 0;
  #checkedCount = 0;

  constructor(context: MutableContext, capability: MutableCapability, options: CheckOptions) {
    this.#context = context;
    this.#capability = capability;
    this.#access = accessOf(context.crypto, capability);
    this.#options = options;
    this.#signal = AbortSignal.any([options.signal, this.#ended.signal]);
    setMaxListeners(0, this.#signal); // every server that is asked listens
  }

  async run(): Promise<MutableLook> {
    const { storageIndex } = this.#access;
    if (this.#context.serversFor(storageIndex).length > 0) {
      const file = new MutableFile(this.#context, this.#capability);
      this.#map = await file.servermap('check', { signal: this.#signal });
    }
    const { badShares, shares } = this.#map;
    this.#foundCount = shares.length;
    const holders = new Map<StorageServer, MutableShareReader[]>(badShares.map(({ server }) => [server, []]));
    for (const share of shares) holders.set(share.server, [...(holders.get(share.server) ?? []), share]);
    await mapAtOnce([...holders], VERIFIED_AT_ONCE_MAX, ([server, held]) => this.#lookAt(server, held));
    this.#throwIfCancelled();
    return { report: this.#report(), map: this.#map };
  }

  close(): void {
    this.#ended.abort();
  }

  async #lookAt(server: StorageServer, held: readonly MutableShareReader[]): Promise<void> {
    const { addLease = false, verify = false } = this.#options;
    await Promise.all([verify ? this.#verifyAll(held) : undefined, addLease ? this.#addLease(server) : undefined]);
  }

  async #verifyAll(held: readonly MutableShareReader[]): Promise<void> {
    for (const share of held) this.#unread.add(share);
    for (const share of held) {
      this.#throwIfCancelled();
      if (!(await this.#verify(share))) return;
      this.#checkedCount += 1;
      this.#options.progress?.(this.#checkedCount, this.#foundCount);
    }
  }

  /** @returns whether the server may be asked for another share. */
  async #verify(share: MutableShareReader): Promise<boolean> {
    const { crypto } = this.#context;
    const { writeKey } = this.#access;
    const limited = <Value>(action: (signal: AbortSignal) => Promise<Value>): Promise<Value> =>
      this.#limited(share, READ_TIMEOUT_MS, action);
    try {
      await verifyMutableShare({ crypto, writeKey, limited }, share);
      this.#unread.delete(share);
    } catch (error) {
      if (!isTahoeError(error)) throw error;
      const { server, shareNumber } = share;
      this.#context.log.info('share not good', { server: server.shortName, shareNumber, reason: reasonOf(error) });
      if (error.code === 'ERR_NO_SUCH_SHARE') return true;
      if (!isShareError(error)) return false;
      await this.#lookAgain(share, error);
    }
    return true;
  }

  /** A share that does not match is bad only if it is still the one that was found; else nobody has read it. */
  async #lookAgain(share: MutableShareReader, error: Error): Promise<void> {
    const { server, shareNumber, header } = share;
    const hasMoved = await this.#limited(share, SECOND_LOOK_TIMEOUT_MS, (signal) => share.hasMoved(signal)).catch(
      () => true,
    );
    if (hasMoved) return;
    const reason = reasonOf(error);
    this.#unread.delete(share);
    this.#map.addBad({ server, shareNumber, reason, checkstring: encodeCheckstring(header) });
    reportBadShare(this.#context, this.#access.storageIndex, { server, shareNumber, reason });
  }

  #limited<Value>(
    { server }: MutableShareReader,
    timeoutMs: number,
    action: (signal: AbortSignal) => Promise<Value>,
  ): Promise<Value> {
    const { clock } = this.#context;
    return withDeadline({ clock, timeoutMs, what: `server ${server.shortName}`, signal: this.#signal }, action);
  }

  async #addLease(server: StorageServer): Promise<void> {
    const { clock } = this.#context;
    const limit = { clock, timeoutMs: LEASE_TIMEOUT_MS, what: `server ${server.shortName}`, signal: this.#signal };
    const counted = await withDeadline(limit, (signal) =>
      renewLease(this.#context, this.#access.storageIndex, server, { signal, timeoutMs: LEASE_TIMEOUT_MS }),
    ).catch(() => 'failed' as const);
    this.#leases[counted] += 1;
  }

  #report(): MutableCheckReport {
    const { storageIndex } = this.#access;
    const { happy } = this.#context.encoding;
    const seen = new Servermap();
    for (const share of this.#map.shares) if (!this.#unread.has(share)) seen.add(share);
    for (const bad of this.#map.badShares) seen.addBad(bad);
    for (const server of this.#map.answered) seen.answered.add(server);
    const unreadShares = [...this.#unread].map(({ server, shareNumber }) => ({ server, storageIndex, shareNumber }));
    return reportMutable({ storageIndex, happy, map: seen, unreadShares, leases: { ...this.#leases } });
  }

  #throwIfCancelled(): void {
    const { signal } = this.#options;
    if (signal.aborted) throw new TahoeError('ERR_CANCELLED', { what: 'the check' }, { cause: signal.reason });
  }
}
