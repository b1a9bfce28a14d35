/**
 * Watches a mutable file, or a directory that is kept in one: tells its versions as they come to be.
 *
 * The servers that hold its shares are asked for their change feeds. What a feed says is only a reason to look: the
 * versions told are those whose signatures a look at the servers has verified. A server without a feed is asked now and
 * then instead, at growing intervals while nothing changes. Feeds that end are opened again after growing waits, from
 * where they ended. In memory there is one mark, that something may have changed, however much happens.
 * @see docs/storage-api.md, "Changes"
 */
import { setMaxListeners } from 'node:events';
import type { KnownCapability } from '#core/capability/types.js';
import { isTahoeError, reasonOf, TahoeError } from '#core/errors.js';
import { compareVersions } from '#core/mutable/version.js';
import type { MutableVersion } from '#core/mutable/version.js';
import { pause } from './deadline.js';
import { keepConnecting } from './keep-connecting.js';
import type { MutableContext } from './mutable/mutable-context.js';
import { MutableFile } from './mutable/mutable-file.js';
import type { StorageServer } from './storage-server.js';

/** How many servers' feeds are followed, the first in permuted order: where shares of the file lie. */
export const WATCHED_SERVERS_MAX = 20;
/** How long after a change a look waits for more of it: a write goes to many servers. */
const GATHER_MS = 100;
/** The shortest time between the beginnings of two looks, however much a feed tells. */
const LOOK_SPACING_MS = 1_000;
/** The interval of looks while a server has no feed, when something has just changed and at most. */
const POLL_FIRST_MS = 5_000;
const POLL_MAX_MS = 60_000;
/** The same while all servers have one: feeds may leave something out. */
const POLL_WITH_FEEDS_MS = 300_000;
/** The wait before a feed is asked for again where there was none. */
const ABSENT_RETRY_MS = 600_000;

/** How to watch. */
export interface WatchOptions {
  /** Ends it, also while it waits. */
  readonly signal: AbortSignal;
}

/**
 * The newest version that can be recovered, and then each newer one that a look finds; several changes in short order
 * may come as one. A file that never changes has none. Older versions than one that this node has seen are not told.
 * @throws ERR_CANCELLED when the signal ends it. What servers do wrong is waited out.
 */
export async function* watch(
  context: MutableContext,
  capability: KnownCapability,
  { signal }: WatchOptions,
): AsyncGenerator<MutableVersion, void, undefined> {
  const file = capability.kind === 'directory' ? capability.file : capability;
  if (file.kind !== 'ssk' && file.kind !== 'ssk-ro' && file.kind !== 'ssk-verify') return;
  const watching = new Watch(context, new MutableFile(context, file), signal);
  try {
    for (;;) {
      const version = await watching.look();
      if (version !== undefined) yield version;
      await watching.wait();
    }
  } finally {
    watching.close();
  }
}

class Watch {
  readonly #context: MutableContext;
  readonly #file: MutableFile;
  readonly #stopped = new AbortController();
  readonly #signal: AbortSignal;
  /** The servers that are followed, with whether their feed is open. */
  readonly #feeds = new Map<StorageServer, boolean>();
  #last: MutableVersion | undefined;
  #pollMs = POLL_FIRST_MS;
  #lookMs = -Infinity;
  #hasChanged = false;
  #wake: () => void = () => undefined;

  constructor(context: MutableContext, file: MutableFile, signal: AbortSignal) {
    this.#context = context;
    this.#file = file;
    this.#signal = AbortSignal.any([signal, this.#stopped.signal]);
    setMaxListeners(0, this.#signal);
  }

  close(): void {
    this.#stopped.abort();
  }

  /** @returns a version that is newer than the last. */
  async look(): Promise<MutableVersion | undefined> {
    this.#followServers();
    this.#hasChanged = false;
    this.#lookMs = this.#context.clock.monotonicMs();
    try {
      const map = await this.#file.servermap('read', { signal: this.#signal });
      // A write is under way, or broke off: look again soon.
      if (map.newerUnrecoverable().length > 0) this.#pollMs = POLL_FIRST_MS;
      return await this.#newer(map.best()?.version);
    } catch (error) {
      if (!isTahoeError(error) || this.#signal.aborted) throw error;
      this.#context.log.info('watched file not looked at', { reason: reasonOf(error) });
      return undefined;
    }
  }

  /** Until something may have changed, or it is time to look. @throws ERR_CANCELLED. */
  async wait(): Promise<void> {
    const { clock } = this.#context;
    const delayMs = [...this.#feeds.values()].every((isOpen) => isOpen) ? POLL_WITH_FEEDS_MS : this.#pollMs;
    this.#pollMs = Math.min(2 * this.#pollMs, POLL_MAX_MS);
    if (!this.#hasChanged) await this.#nextChange(delayMs);
    const spacingMs = this.#lookMs + LOOK_SPACING_MS - clock.monotonicMs();
    if (this.#hasChanged) await pause(clock, Math.max(GATHER_MS, spacingMs), this.#signal);
  }

  async #newer(found: MutableVersion | undefined): Promise<MutableVersion | undefined> {
    if (found === undefined) return undefined;
    const seen = await this.#context.seen.highest(this.#file.storageIndex);
    if (found.sequenceNumber < (seen?.sequenceNumber ?? 0)) return undefined;
    if (this.#last !== undefined && compareVersions(found, this.#last) <= 0) return undefined;
    this.#last = found;
    this.#pollMs = POLL_FIRST_MS;
    return found;
  }

  async #nextChange(delayMs: number): Promise<void> {
    const signal = this.#signal;
    await new Promise<void>((resolve) => {
      const done = (): void => {
        cancelTimer();
        signal.removeEventListener('abort', done);
        resolve();
      };
      const cancelTimer = this.#context.clock.schedule(delayMs, done);
      this.#wake = done;
      signal.addEventListener('abort', done);
      if (signal.aborted) done();
    });
    if (signal.aborted) throw new TahoeError('ERR_CANCELLED', { what: 'the watch' }, { cause: signal.reason });
  }

  /** Servers come and go: each that is there now is followed. */
  #followServers(): void {
    for (const server of this.#servers()) {
      if (this.#feeds.has(server)) continue;
      this.#feeds.set(server, false);
      this.#follow(server)
        .catch((error: unknown) => {
          if (!this.#signal.aborted) this.#context.log.info('feed not followed', { reason: reasonOf(error) });
        })
        .finally(() => this.#feeds.delete(server));
    }
  }

  #servers(): readonly StorageServer[] {
    return this.#context.serversFor(this.#file.storageIndex).slice(0, WATCHED_SERVERS_MAX);
  }

  /** As long as the server is there. */
  #follow(server: StorageServer): Promise<void> {
    const { clock, log, random } = this.#context;
    const signal = this.#signal;
    const isWanted = (): boolean => this.#servers().includes(server);
    let lastEventId: string | undefined;
    return keepConnecting({ clock, random, signal, isWanted }, async () => {
      const told = (event: { readonly id: string | undefined }): void => {
        lastEventId = event.id ?? lastEventId;
        this.#feeds.set(server, true);
        this.#hasChanged = true;
        this.#wake();
      };
      const request = { storageIndexes: [this.#file.storageIndex], lastEventId, told };
      const end = await server.subscribe(request, { signal }).catch((error: unknown) => {
        log.info('feed broke off', { server: server.shortName, reason: reasonOf(error) });
        return 'failed' as const;
      });
      this.#feeds.set(server, false);
      this.#wake();
      if (end === 'absent') await pause(clock, ABSENT_RETRY_MS, signal);
    });
  }
}
