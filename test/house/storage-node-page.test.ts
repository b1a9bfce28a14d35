/** What docs/storage-node.md says of limits and metrics is what the code does. */
import t from 'tap';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as nodeHealth from '#node/health/node-health.js';
import * as upkeep from '#node/storage-upkeep.js';
import * as heartbeat from '#node/volume/heartbeat.js';
import * as ownerLock from '#node/volume/owner-lock.js';
import * as probe from '#node/volume/probe.js';
import { storageServerLimits } from '#storage/app.js';
import { connectionLimits } from '#storage/connection-table.js';
import * as changeFeed from '#storage/feed/change-feed.js';
import * as changeRing from '#storage/feed/change-ring.js';
import * as feedStream from '#storage/feed/feed-stream.js';
import * as http2 from '#storage/http2-sessions.js';
import * as clockGuard from '#storage/index/clock-guard.js';
import * as expiryCycle from '#storage/index/expiry-cycle.js';
import * as expiryReport from '#storage/index/expiry-report.js';
import * as scrub from '#storage/index/scrub.js';
import * as mutableBody from '#storage/mutable-body.js';
import * as mutableEndpoints from '#storage/mutable-endpoints.js';
import * as requestBody from '#storage/request-body.js';
import * as shareStore from '#storage/share-store.js';
import * as shareStream from '#storage/share-stream.js';
import * as feedMessages from '#wire/change-feed.js';
import * as immutableBeginnings from '#wire/immutable-beginnings.js';
import * as mutableMessages from '#wire/storage-mutable.js';
import * as messages from '#wire/storage.js';
import { productSources, root } from './sources.js';

const page = readFileSync(join(root, 'docs/storage-node.md'), 'utf8');

const constants: Readonly<Record<string, unknown>> = {
  ...nodeHealth,
  ...upkeep,
  ...ownerLock,
  ...probe,
  ...storageServerLimits,
  ...connectionLimits,
  ...changeFeed,
  ...changeRing,
  ...http2,
  ...clockGuard,
  ...expiryCycle,
  ...expiryReport,
  ...scrub,
  ...mutableBody,
  ...mutableEndpoints,
  ...requestBody,
  ...shareStore,
  ...shareStream,
  ...feedMessages,
  ...immutableBeginnings,
  ...mutableMessages,
  ...messages,
  ...heartbeat,
  FEED_QUEUE_COUNT_MAX: feedStream.FEED_QUEUE_COUNT_MAX,
};

/** Times in milliseconds, sizes in bytes. */
const units: Readonly<Record<string, number>> = {
  '': 1,
  s: 1000,
  min: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
};

t.test('the limits are those of the code', async (t) => {
  const table = page.slice(page.indexOf('## Limits'));
  const rows = [...table.matchAll(/^\| [^|]+ \| ([0-9]+) ?([A-Za-z]*) \| `(\w+)` \|$/gm)];
  t.equal(rows.length, table.split('\n').filter((line) => line.startsWith('| ')).length - 1, 'every row is understood');
  for (const [, number, unit = '', name = ''] of rows) {
    t.equal(constants[name], Number(number) * (units[unit] ?? NaN), name);
  }
});

t.test('the metrics are those of the code', async (t) => {
  const source = productSources.filter(({ path }) => path.startsWith('src/node/'));
  const inCode = source.flatMap(({ text }) => text.match(/'(?:tallac|process|nodejs)_[a-z_]+'/g) ?? []);
  const inPage = page.match(/`(?:tallac|process|nodejs)_[a-z_]+`/g) ?? [];
  const sorted = (names: readonly string[]): string[] => [...new Set(names.map((name) => name.slice(1, -1)))].sort();
  t.same(sorted(inPage), sorted(inCode));
});
