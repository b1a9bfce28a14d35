/**
 * Finds servers for a file's shares and reserves room on them, until the file would be happy or cannot be.
 *
 * The first 2·N servers in permuted order are asked, all at once, which shares they hold. Then shares are
 * placed and room is asked for; a server that refuses keeps counting with what it holds, one that fails is out;
 * what they leave is placed anew. Every round makes at least one server fewer, so it ends.
 *
 * Where there are no more servers than shares nobody is asked first: shares are placed as if nobody held any, for who holds none
 * would be given one anyway. A server says what it holds as it reserves room or is sent the shares of a small file, which it
 * stores only if that is nothing. So a new file takes one round; room that turns out to be superfluous is given back.
 * @see Tahoe-LAFS docs/specifications/servers-of-happiness.rst
 */
import { setMaxListeners } from 'node:events';
import { formatBase32 } from '#core/base32.js';
import type { Log } from '#core/environment.js';
import { isTahoeError, reasonOf, TahoeError } from '#core/errors.js';
import { placeShares, serversOfHappiness } from '#core/happiness.js';
import type { LeaseSecrets } from '#core/lease.js';
import type { StorageServer } from '../storage-server.js';
import type { TakerContext } from '../upload-permission.js';
import type { UploadSecretFor } from './upload-turns.js';

/** How long one server may take to say what it holds or to reserve room. */
const SELECTION_TIMEOUT_MS = 15_000;
/**
 * The shares of a small file that are sent before anybody was asked have so many bytes at most, all together. They are sent in
 * vain where the file is there already: that should cost no more than the round trip that it saves otherwise.
 */
export const UNASKED_SIZE_MAX = 128 * 1024;
/** How many servers' reasons a failure names. */
const REASONS_MAX = 5;

/** Why a server is passed over that answered and took nothing. */
const TOOK_NONE = 'it took no share: full, read-only, or busy with it';

/** What is to be placed, and how. */
export interface SelectionRequest extends TakerContext {
  /** 16 bytes. */
  readonly storageIndex: Uint8Array;
  readonly needed: number;
  readonly happy: number;
  readonly total: number;
  /** Of one share, in bytes. */
  readonly allocatedSize: number;
  /** Connected servers in permuted order. */
  readonly servers: readonly StorageServer[];
  /** What a check has found, by server id. Then no server is asked what it holds, and those not found are not used. */
  readonly checked?: ReadonlyMap<string, CheckedShares>;
  readonly log: Log;
  readonly signal: AbortSignal;
  readonly uploadSecretFor: UploadSecretFor;
  /** All shares of a small file, by number: what a server takes of them as wholes needs no reservation. */
  readonly wholeShares?: ReadonlyMap<number, Uint8Array> | undefined;
  leaseSecrets(server: StorageServer): LeaseSecrets;
}

/** What lies on one server, by number. */
export interface CheckedShares {
  readonly good: ReadonlySet<number>;
  /** What is no use, and keeps the server from taking a better one. */
  readonly spoiled: ReadonlySet<number>;
}

/** Room reserved for one share on one server. */
export interface ShareReservation {
  readonly server: StorageServer;
  readonly shareNumber: number;
  readonly uploadSecret: Uint8Array;
}

/** Where the shares of a file will be, and which were there. */
export interface Selection {
  readonly reservations: readonly ShareReservation[];
  /** The shares that are there without a reservation, by server id. */
  readonly existing: ReadonlyMap<string, ReadonlySet<number>>;
  /** How many of them were stored now. */
  readonly storedCount: number;
}

interface Candidate {
  readonly server: StorageServer;
  /** What it held before, what it was given as wholes, and what is reserved on it. */
  readonly existing: Set<number>;
  readonly stored: Set<number>;
  readonly spoiled: ReadonlySet<number>;
  readonly reserved: Set<number>;
  writable: boolean;
  usable: boolean;
  /** Whether what it held has got our lease. */
  leased: boolean;
}

/** What each of some servers is to take. */
type Wanted = readonly (readonly [Candidate, ReadonlySet<number>])[];

/**
 * @throws ERR_NO_SERVERS when there is none to ask, ERR_UNHAPPY when too few take shares (everything reserved
 *   is given back then), ERR_CANCELLED when the signal says so.
 */
export async function selectServers(request: SelectionRequest): Promise<Selection> {
  const selector = new ServerSelector(request);
  try {
    if (request.checked === undefined) await selector.askWhatTheyHold();
    await selector.reserve();
    return await selector.result();
  } catch (error) {
    await selector.release();
    throw error;
  }
}

class ServerSelector {
  readonly #request: SelectionRequest;
  readonly #candidates: readonly Candidate[];
  readonly #reservations: ShareReservation[] = [];
  readonly #reasons: string[] = [];
  /** Over how many servers the shares would be spread, if each took what it was last asked to take. */
  #reachable = 0;

  constructor(request: SelectionRequest) {
    if (request.servers.length === 0) throw new TahoeError('ERR_NO_SERVERS', { reason: 'none is connected' });
    this.#request = request;
    setMaxListeners(0, request.signal); // every server that is asked listens
    this.#candidates = candidatesOf(request);
  }

  async askWhatTheyHold(): Promise<void> {
    const { storageIndex } = this.#request;
    const unasked = new Map(this.#wantedUnasked());
    await Promise.all(
      this.#candidates.map((candidate) =>
        this.#attempt(candidate, async () => {
          const shareNumbers = unasked.get(candidate);
          if (shareNumbers !== undefined && (await this.#offer(candidate, shareNumbers))) return;
          for (const share of await candidate.server.listShares(storageIndex, this.#callOptions())) {
            candidate.existing.add(share);
          }
        }),
      ),
    );
    if (this.#candidates.some(({ existing }) => existing.size > 0)) await this.#giveBackSuperfluous();
  }

  /** What is worth giving before anybody has said what he holds. */
  #wantedUnasked(): Wanted {
    const { total, wholeShares = new Map<number, Uint8Array>() } = this.#request;
    const size = [...wholeShares.values()].reduce((sum, { length }) => sum + length, 0);
    if (size > UNASKED_SIZE_MAX || this.#candidates.length > total) return [];
    const wanted = this.#wanted();
    return this.#isWorthSending(wanted) ? wanted : [];
  }

  /** What servers store as wholes nobody takes back: nothing is sent where it would be in vain. */
  #isWorthSending(wanted: Wanted): boolean {
    this.#reachable = serversOfHappiness(this.#holdings(wanted));
    return this.#reachable >= this.#request.happy;
  }

  /** Gives shares to a server that may hold some. @returns whether it has said so; if not, it is to be asked. */
  async #offer(candidate: Candidate, shareNumbers: ReadonlySet<number>): Promise<boolean> {
    try {
      await this.#give(candidate, shareNumbers, true);
    } catch (error) {
      if (!isTahoeError(error, 'ERR_SERVER_REPLY')) throw error;
      this.#refuse(candidate, reasonOf(error)); // it may still hold some
      return false;
    }
    if (candidate.existing.size === 0 && heldBy(candidate).size < shareNumbers.size) this.#refuse(candidate, TOOK_NONE);
    return true;
  }

  /** Gives room back that would not have been asked for by who knew what is there. */
  async #giveBackSuperfluous(): Promise<void> {
    for (const { reserved } of this.#candidates) reserved.clear();
    const wanted = new Map(this.#wanted());
    const superfluous: ShareReservation[] = [];
    for (const reservation of this.#reservations.splice(0)) {
      const candidate = this.#candidates.find(({ server }) => server === reservation.server);
      const isWanted = candidate !== undefined && wanted.get(candidate)?.has(reservation.shareNumber) === true;
      (isWanted ? this.#reservations : superfluous).push(reservation);
      if (isWanted) candidate.reserved.add(reservation.shareNumber);
    }
    await this.#abort(superfluous);
  }

  async reserve(): Promise<void> {
    for (;;) {
      this.#checkSignal();
      const wanted = this.#wanted();
      if (!this.#isWorthSending(wanted)) return;
      const refusals = await Promise.all(wanted.map(([candidate, shares]) => this.#allocate(candidate, shares)));
      this.#checkSignal();
      if (!refusals.includes(true)) return;
    }
  }

  #checkSignal(): void {
    if (this.#request.signal.aborted) throw new TahoeError('ERR_CANCELLED', { what: 'the upload' });
  }

  async result(): Promise<Selection> {
    const { needed, happy, total } = this.#request;
    if (this.#reachable >= happy) {
      await this.#renewLeases();
      return {
        reservations: this.#reservations,
        existing: new Map(
          this.#usable().map(({ existing, server, stored }) => [server.serverId, new Set([...existing, ...stored])]),
        ),
        storedCount: this.#usable().reduce((count, { stored }) => count + stored.size, 0),
      };
    }
    throw new TahoeError('ERR_UNHAPPY', { happy, reached: this.#reachable, needed, total, detail: this.#detail() });
  }

  /** Gives reserved room back; servers that do not answer drop it by themselves later. */
  async release(): Promise<void> {
    await this.#abort(this.#reservations);
  }

  async #abort(reservations: readonly ShareReservation[]): Promise<void> {
    const { storageIndex } = this.#request;
    await Promise.allSettled(
      reservations.map(({ server, shareNumber, uploadSecret }) =>
        server.abort(storageIndex, shareNumber, uploadSecret, { timeoutMs: SELECTION_TIMEOUT_MS }),
      ),
    );
  }

  /** For each server the shares that it should take and does not have, where there are any. */
  #wanted(): Wanted {
    const writable = this.#usable().filter((candidate) => candidate.writable);
    const readOnly = this.#usable().filter((candidate) => !candidate.writable);
    const placement = placeShares(
      this.#request.total,
      { writable: writable.map(idOf), readOnly: readOnly.map(idOf) },
      this.#holdings(),
      this.#spoiled(),
    );
    return writable
      .map((candidate): [Candidate, Set<number>] => {
        const held = heldBy(candidate);
        const placed = [...placement].filter(([share, id]) => id === idOf(candidate) && !held.has(share));
        return [candidate, new Set(placed.map(([share]) => share))];
      })
      .filter(([, shares]) => shares.size > 0);
  }

  /** @returns whether something of `shareNumbers` was refused, so that it must be placed anew. */
  async #allocate(candidate: Candidate, shareNumbers: ReadonlySet<number>): Promise<boolean> {
    await this.#attempt(candidate, () => this.#give(candidate, shareNumbers));
    const held = heldBy(candidate);
    const refused = !candidate.usable || [...shareNumbers].some((share) => !held.has(share));
    if (refused && candidate.usable) this.#refuse(candidate, TOOK_NONE);
    return refused;
  }

  /** Has a server store shares as wholes where it does that, else reserve room for them. */
  async #give(candidate: Candidate, shareNumbers: ReadonlySet<number>, whereNone = false): Promise<void> {
    const { storageIndex, allocatedSize, uploadSecretFor } = this.#request;
    const { server } = candidate;
    const secrets = this.#request.leaseSecrets(server);
    if (await this.#store(candidate, shareNumbers, secrets, whereNone)) return;
    const uploadSecret = uploadSecretFor(server);
    const request = { shareNumbers, allocatedSize, uploadSecret, ...secrets };
    const reply = await server.allocate(storageIndex, request, this.#callOptions());
    for (const share of reply.alreadyHave) if (!candidate.spoiled.has(share)) candidate.existing.add(share);
    for (const shareNumber of reply.allocated) {
      candidate.reserved.add(shareNumber);
      this.#reservations.push({ server, shareNumber, uploadSecret });
    }
  }

  /** @returns whether the server takes shares as wholes; those that it did not take it refused. */
  async #store(
    candidate: Candidate,
    shareNumbers: ReadonlySet<number>,
    secrets: LeaseSecrets,
    whereNone: boolean,
  ): Promise<boolean> {
    const { existing, server, spoiled, stored } = candidate;
    const { storageIndex, wholeShares } = this.#request;
    if (wholeShares === undefined) return false;
    const shares = new Map([...wholeShares].filter(([shareNumber]) => shareNumbers.has(shareNumber)));
    const reply = await server.storeShares?.(storageIndex, { shares, whereNone, ...secrets }, this.#callOptions());
    if (reply === undefined) return false;
    for (const share of reply.alreadyHave) if (!spoiled.has(share)) existing.add(share);
    for (const share of reply.stored) stored.add(share);
    candidate.leased = true;
    return true;
  }

  /** Shares that were there already keep their lease by us, as new ones get theirs. */
  async #renewLeases(): Promise<void> {
    const { storageIndex, log } = this.#request;
    const holders = this.#usable().filter(
      ({ existing, leased, reserved, stored }) => existing.size > 0 && !leased && reserved.size + stored.size === 0,
    );
    await Promise.all(
      holders.map(async ({ server }) => {
        try {
          await server.addLease(storageIndex, this.#request.leaseSecrets(server), this.#callOptions());
        } catch (error) {
          log.warn('lease not renewed', { server: server.shortName, reason: reasonOf(error) });
        }
      }),
    );
  }

  async #attempt(candidate: Candidate, action: () => Promise<void>): Promise<void> {
    try {
      await action();
    } catch (error) {
      candidate.usable = false;
      this.#refuse(candidate, reasonOf(error));
    }
  }

  #refuse(candidate: Candidate, reason: string): void {
    candidate.writable = false;
    this.#reasons.push(`${candidate.server.shortName}: ${reason}`);
    const storageIndex = formatBase32(this.#request.storageIndex);
    this.#request.log.info('server not used for upload', { server: candidate.server.shortName, storageIndex, reason });
  }

  #detail(): string {
    const shown = this.#reasons.slice(0, REASONS_MAX);
    const more = this.#reasons.length - shown.length;
    const asked = `${String(this.#candidates.length)} servers were asked`;
    return [asked, ...shown, ...(more > 0 ? [`and ${String(more)} more`] : [])].join('; ');
  }

  #usable(): Candidate[] {
    return this.#candidates.filter((candidate) => candidate.usable);
  }

  /** What each server has, and what of `wanted` it is asked to take. */
  #holdings(wanted: Wanted = []): Map<string, Set<number>> {
    const more = new Map(wanted);
    return new Map(
      this.#usable().map((candidate) => [
        idOf(candidate),
        new Set([...heldBy(candidate), ...(more.get(candidate) ?? [])]),
      ]),
    );
  }

  #spoiled(): Map<string, ReadonlySet<number>> {
    const spoilt = this.#usable().filter(({ spoiled }) => spoiled.size > 0);
    return new Map(spoilt.map((candidate) => [idOf(candidate), candidate.spoiled]));
  }

  #callOptions(): { signal: AbortSignal; timeoutMs: number } {
    return { signal: this.#request.signal, timeoutMs: SELECTION_TIMEOUT_MS };
  }
}

/** The first 2·N servers, or all that were checked: those are not asked one by one. */
function candidatesOf({ servers, checked, mayTakeShares, total }: SelectionRequest): Candidate[] {
  const chosen =
    checked === undefined ? servers.slice(0, 2 * total) : servers.filter(({ serverId }) => checked.has(serverId));
  return chosen.map((server) => ({
    server,
    existing: new Set(checked?.get(server.serverId)?.good),
    spoiled: checked?.get(server.serverId)?.spoiled ?? new Set(),
    stored: new Set(),
    reserved: new Set(),
    writable: mayTakeShares?.(server) ?? true,
    usable: true,
    leased: false,
  }));
}

function idOf(candidate: Candidate): string {
  return candidate.server.serverId;
}

function heldBy(candidate: Candidate): Set<number> {
  return new Set([...candidate.existing, ...candidate.stored, ...candidate.reserved]);
}
