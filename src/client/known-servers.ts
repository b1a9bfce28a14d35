/**
 * The servers that one client knows, from all that tell of them: its own servers.yaml, signed lists, introducers.
 *
 * Who is named by several is taken from the first in that order, and among introducers from the one with the highest
 * sequence number. A server whose addresses stay the same stays open, whatever else is said of it.
 * @see Tahoe-LAFS src/allmydata/storage_client.py, `StorageFarmBroker`
 */
import { toHex } from '#core/bytes.js';
import type { StorageAnnouncement } from '#wire/announcement.js';
import type { Nurl } from '#wire/nurl.js';
import type { KnownServer } from './grid.js';
import type { StorageServer } from './storage-server.js';
import type { UploadPermission } from './upload-permission.js';

/** The most servers that one client knows. */
export const KNOWN_SERVERS_MAX = 4096;

/** Who tells: those of a lower rank go before those of a higher one. */
export interface ServerSource {
  /** For people, such as `servers.yaml` or `introducer default`. One of a kind. */
  readonly name: string;
  readonly rank: number;
}

/** What a source says of one server. */
export interface ToldServer {
  readonly announcement: StorageAnnouncement;
  readonly sequenceNumber?: number | undefined;
}

/** What the servers are made with, and who is told of them. */
export interface KnownServersOptions {
  readonly open: (announcement: StorageAnnouncement) => StorageServer | undefined;
  readonly permission: UploadPermission;
  /** Whether `open` uses Foolscap also where HTTPS is offered. */
  readonly forcesFoolscap?: boolean;
  /** Whether HTTPS is used at this address; without it, wherever that is reached over TCP. */
  readonly leadsTo?: (nurl: Nurl) => boolean;
  /** Takes all that are known now; those that it is not given any more are to be closed by it. */
  readonly changed: (servers: readonly KnownServer[]) => void;
}

interface Opened {
  readonly announcement: StorageAnnouncement;
  readonly addresses: string;
  readonly server: StorageServer | undefined;
}

interface Choice extends ToldServer {
  readonly source: ServerSource;
}

/** The servers. */
export class KnownServers {
  readonly #options: KnownServersOptions;
  readonly #told = new Map<string, { readonly source: ServerSource; readonly servers: readonly ToldServer[] }>();
  #opened = new Map<string, Opened>();

  constructor(options: KnownServersOptions) {
    this.#options = options;
  }

  /** What a source says now; it takes the place of all that it said before. */
  tell(source: ServerSource, servers: readonly ToldServer[]): void {
    this.#told.set(source.name, { source, servers });
    const opened = new Map<string, Opened>();
    const known = [...this.#choose().values()].slice(0, KNOWN_SERVERS_MAX).map((choice): KnownServer => {
      const { announcement, source } = choice;
      const one = this.#open(announcement);
      opened.set(announcement.serverId, one);
      this.#options.permission.note(announcement);
      return {
        identity: announcement,
        server: one.server,
        origin: source.name,
        dialect: this.#dialectOf(announcement),
        plugins: announcement.plugins ?? [],
        dialCount: Math.max(1, announcement.nurls.length, announcement.furl?.hints.length ?? 0),
      };
    });
    this.#opened = opened;
    this.#options.changed(known);
  }

  #dialectOf({ nurls }: StorageAnnouncement): 'https' | 'foolscap' {
    const isOverHttps = this.#options.forcesFoolscap !== true && nurls.some(this.#options.leadsTo ?? isOverTcp);
    return isOverHttps ? 'https' : 'foolscap';
  }

  #choose(): ReadonlyMap<string, Choice> {
    const chosen = new Map<string, Choice>();
    // Where there are more than one client knows, those of the lower ranks are known.
    const told = [...this.#told.values()].sort((one, other) => one.source.rank - other.source.rank);
    for (const { source, servers } of told) {
      for (const server of servers) {
        const choice = { ...server, source };
        const rival = chosen.get(server.announcement.serverId);
        if (rival === undefined || goesBefore(choice, rival)) chosen.set(server.announcement.serverId, choice);
      }
    }
    return chosen;
  }

  #open(announcement: StorageAnnouncement): Opened {
    const before = this.#opened.get(announcement.serverId);
    if (before?.announcement === announcement) return before;
    const addresses = addressesOf(announcement);
    const server = before?.addresses === addresses ? before.server : this.#options.open(announcement);
    return { announcement, addresses, server };
  }
}

function goesBefore(one: Choice, other: Choice): boolean {
  if (one.source.rank !== other.source.rank) return one.source.rank < other.source.rank;
  return (one.sequenceNumber ?? -Infinity) > (other.sequenceNumber ?? -Infinity);
}

/** All that an open server was made from. Secret. */
function addressesOf({ furl, nickname, nurls, permutationSeed, tubId }: StorageAnnouncement): string {
  const addresses = [...nurls.map((nurl) => nurl.dangerouslyFormat()), String(furl), furl?.dangerousName()];
  return JSON.stringify([nickname, toHex(permutationSeed), toHex(tubId), addresses]);
}

function isOverTcp({ tor }: Nurl): boolean {
  return !tor;
}
