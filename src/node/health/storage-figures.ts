/**
 * What a node tells of its storage half: whether its disk answers, what is in progress, what happens to shares.
 */
import { stat, statfs } from 'node:fs/promises';
import type { ConnectionCounts, ConnectionTable } from '#storage/connection-table.js';
import type { ChangeFeed } from '#storage/feed/change-feed.js';
import type { ShareStore, StoreFigures } from '#storage/share-store.js';
import type { StoreEvents } from '#storage/store-events.js';
import type { Monitor } from './routes.js';

/** With less room than this, in bytes, a store counts as full. */
const ROOM_MIN = 1 << 20;

/** The storage half, as far as it is told. */
export interface StorageParts {
  /** The storage directory. */
  readonly directory: string;
  readonly store: ShareStore;
  readonly events: StoreEvents;
  readonly feed: ChangeFeed;
  /** What is left free of the disk, in bytes. */
  readonly reservedSpace: number;
  /** One for each port. */
  readonly tables: readonly ConnectionTable[];
}

/** Adds the checks and figures of the storage half. */
export function monitorStorage({ health, metrics, statistics }: Monitor, parts: StorageParts): void {
  const { directory, events, feed, store, tables } = parts;
  statistics.add(() => figuresOf(parts));
  health.addCheck({ name: "the share store's disk", vital: true, run: () => stat(directory) });
  health.addNote({ name: 'the share store', run: async () => roomNote(await store.figures()) });
  metrics.addGauge(
    'tallac_available_space_bytes',
    'What new shares may take.',
    async () => (await store.figures()).availableSpace,
  );
  metrics.addGauge('tallac_uploads', 'Uploads in progress.', async () => (await store.figures()).uploadCount);
  metrics.addGauge('tallac_store_readonly', '1 where the store takes no new shares.', async () =>
    Number((await store.figures()).readonly),
  );
  const sum = (count: keyof ConnectionCounts) => () => tables.reduce((total, table) => total + table.counts[count], 0);
  metrics.addGauge('tallac_connections', 'Connections to the storage ports.', sum('open'));
  metrics.addGauge('tallac_connections_strangers', 'Those that have not shown the swissnum.', sum('strangers'));
  metrics.addGauge('tallac_connections_handshakes', 'TLS handshakes under way.', sum('handshakes'));
  metrics.addGauge('tallac_connections_evicted', 'Closed for want of room, since the start.', sum('evicted'));
  metrics.addGauge('tallac_feeds', 'Readers of the change feed.', () => feed.readerCount);
  const count = metrics.addCounter('tallac_store_events_total', 'What has happened to shares.', 'kind');
  events.listen(({ kind }) => {
    count(kind);
  });
}

/** Under the reference's names. Sizes in bytes. */
async function figuresOf({ directory, reservedSpace, store }: StorageParts): Promise<Record<string, number>> {
  const [{ availableSpace, readonly }, disk] = await Promise.all([store.figures(), statfs(directory)]);
  const figures = {
    reserved_space: reservedSpace,
    disk_total: disk.blocks * disk.bsize,
    disk_used: (disk.blocks - disk.bfree) * disk.bsize,
    disk_free_for_root: disk.bfree * disk.bsize,
    disk_free_for_nonroot: disk.bavail * disk.bsize,
    disk_avail: readonly ? 0 : availableSpace,
    accepting_immutable_shares: Number(!readonly && availableSpace > 0),
  };
  return Object.fromEntries(Object.entries(figures).map(([name, value]) => [`storage_server.${name}`, value]));
}

function roomNote({ availableSpace, readonly }: StoreFigures): string | undefined {
  if (readonly) return 'it takes no new shares; those that are here can be read';
  return availableSpace >= ROOM_MIN ? undefined : 'it has no room for new shares; those that are here can be read';
}
