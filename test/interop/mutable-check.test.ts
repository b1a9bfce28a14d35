/**
 * Mutable files with shares deleted, damaged and taken back to an older version, on the disks of storage nodes of both
 * programs: the reference's gateway and our client report the same figures, and what one repairs is healthy for the other.
 */
import { readFile, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import type { Test } from 'tap';
import { formatBase32 } from '#core/base32.js';
import { dangerouslyFormatCapability } from '#core/capability/format.js';
import { decodeMutableHeader } from '#core/mutable/layout.js';
import { checkMutable } from '#client/check/check-mutable.js';
import type { CheckReport, CheckedServer } from '#client/check/check-report.js';
import { repairMutable } from '#client/check/repair-mutable.js';
import { createMutableFile } from '#client/mutable/create.js';
import type { MutableFile } from '#client/mutable/mutable-file.js';
import { seededBytes } from '#test/fixtures/crypto.js';
import { openLibraryClient } from '#test/fixtures/library-client.js';
import type { LibraryClient } from '#test/fixtures/library-client.js';
import { hasReference, ProcessGrid } from '#test/fixtures/process-grid.js';
import type { Program } from '#test/fixtures/process-grid.js';
import { ask, getFile, pathOf } from './gateway-talk.js';
import { readMutableShares } from './mutable-share-files.js';
import type { StoredMutable } from './mutable-share-files.js';

const skip = hasReference ? false : 'no reference';
const encoding = { needed: 3, happy: 7, total: 10 };
const { signal } = new AbortController();
/** Where the share begins in its file. */
const DATA_OFFSET = 468;

interface Subject {
  readonly t: Test;
  readonly grid: ProcessGrid;
  readonly client: LibraryClient;
  readonly file: MutableFile;
}

const textOf = ({ file }: Subject): string => dangerouslyFormatCapability(file.capability);
const ids = (servers: readonly CheckedServer[]): string[] => servers.map(({ serverId }) => serverId).sort();

/** Our report as the reference's JSON has it. */
function asJson(report: CheckReport): Record<string, unknown> {
  return {
    'storage-index': formatBase32(report.storageIndex),
    summary: report.summary,
    results: {
      'count-happiness': report.happiness,
      'count-shares-good': report.goodShareCount,
      'count-shares-needed': report.needed,
      'count-shares-expected': report.total,
      'count-good-share-hosts': report.goodShareHostCount,
      'count-corrupt-shares': report.corruptShares.length,
      'list-corrupt-shares': report.corruptShares
        .map(({ server, shareNumber, storageIndex }) => [server.serverId, formatBase32(storageIndex), shareNumber])
        .sort(),
      'servers-responding': ids(report.serversResponding),
      sharemap: Object.fromEntries([...report.sharemap].map(([id, servers]) => [id, ids(servers)])),
      'count-wrong-shares': report.wrongShareCount,
      'count-recoverable-versions': report.recoverableVersionCount,
      'count-unrecoverable-versions': report.unrecoverableVersionCount,
      healthy: report.healthy,
      recoverable: report.recoverable,
    },
  };
}

interface TheirCheck {
  summary: string;
  results: { 'list-corrupt-shares': unknown[][]; 'servers-responding': string[] };
}

async function theirCheck(subject: Subject, query = ''): Promise<TheirCheck> {
  const gateway = subject.grid.gateway('reference');
  const path = `${pathOf(textOf(subject))}?t=check&verify=true&output=JSON${query}`;
  const { body, status } = await ask(gateway, path, { method: 'POST' });
  if (status !== 200) throw new Error(`${String(status)}: ${body.toString().slice(0, 500)}`);
  const check = JSON.parse(body.toString()) as TheirCheck;
  if (!('results' in check)) return check;
  check.results['list-corrupt-shares'].sort();
  check.results['servers-responding'].sort();
  return check;
}

/** Both look, and see the same. */
async function same(subject: Subject, what: string): Promise<CheckReport> {
  const { client, file, t } = subject;
  const report = await checkMutable(client.context, file.capability, { verify: true, signal });
  const [ours, theirs] = [asJson(report), await theirCheck(subject)];
  // Corrupt shares come in no order that means anything.
  const words = (summary: unknown): string[] => String(summary).split(' ').sort();
  t.same({ ...ours, summary: words(ours.summary) }, { ...theirs, summary: words(theirs.summary) }, what);
  return report;
}

/** The share files, by number. */
async function files({ grid, ...subject }: Subject): Promise<(StoredMutable & { readonly path: string })[]> {
  const text = textOf({ grid, ...subject });
  const name = formatBase32(subject.file.storageIndex);
  return (await readMutableShares(grid.storage, text)).map((share) => {
    const directory = join(share.node.directory, 'storage/shares', name.slice(0, 2), name);
    return { ...share, path: join(directory, String(share.shareNumber)) };
  });
}

/** Changes the last byte of a share's blocks. */
async function damage({ path, data }: { path: string; data: Buffer }): Promise<void> {
  const bytes = await readFile(path);
  const place = DATA_OFFSET + decodeMutableHeader(data.subarray(0, 123)).sections.blocks.end - 1;
  bytes[place] = (bytes[place] ?? 0) ^ 1;
  await writeFile(path, bytes);
}

/** A node of ours keeps shares open for a while, so what is deleted behind its back is not gone at once. */
async function lose(subject: Subject, count: number): Promise<void> {
  const { servers } = subject.client;
  for (const { node, path, shareNumber } of (await files(subject)).slice(0, count)) {
    await unlink(path);
    const server = servers.find(({ nickname }) => nickname === node.name);
    const range = { begin: 0, end: 1 };
    while ((await server?.readMutable(subject.file.storageIndex, shareNumber, range)) !== undefined)
      await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

async function spoil(subject: Subject, count: number): Promise<void> {
  for (const file of (await files(subject)).slice(-count)) await damage(file);
}

/** A whole life: healthy, short, damaged, old shares back; repaired by each for the other. */
async function live(subject: Subject, contents: Uint8Array): Promise<void> {
  const { client, file, grid, t } = subject;
  t.match(await same(subject, 'healthy'), { healthy: true });
  await lose(subject, 2);
  t.match(await same(subject, 'two shares lost'), { healthy: false, goodShareCount: 8 });
  await spoil(subject, 2);
  t.match(await same(subject, 'two more damaged'), { goodShareCount: 6, corruptShares: { length: 2 } });
  const ours = await repairMutable(client.context, file.capability, { verify: true, signal });
  t.match(ours, { repairAttempted: true, repairSuccessful: true, after: { healthy: true } });
  t.match(await same(subject, 'repaired by us'), { healthy: true, corruptShares: [], happiness: 10 });

  const [first] = await files(subject);
  if (first === undefined) throw new RangeError('ten shares');
  const older = await readFile(first.path);
  await file.overwrite(contents);
  await writeFile(first.path, older);
  t.match(await same(subject, 'an older share is back'), { wrongShareCount: 1, unrecoverableVersionCount: 1 });
  await lose(subject, 1);
  await spoil(subject, 1);
  t.match(await theirCheck(subject, '&repair=true'), { 'repair-attempted': true, 'repair-successful': true });
  t.match(await same(subject, 'repaired by the reference'), { healthy: true, corruptShares: [] });
  t.ok((await getFile(grid.gateway('reference'), textOf(subject))).equals(contents));
  t.ok(Buffer.from((await file.read()).bytes).equals(contents));
  await lose(subject, 8);
  t.match(await same(subject, 'too few are left'), { recoverable: false, goodShareCount: 2 });
}

t.test('checks and repairs beside the reference', { skip, timeout: 600_000 }, async (t) => {
  const storage = Array.from({ length: 10 }, (_, i): Program => (i % 2 === 0 ? 'ours' : 'reference'));
  const grid = await ProcessGrid.start({ storage, gateways: ['reference'], encoding });
  t.teardown(() => grid.stop());
  const client = await openLibraryClient(grid.storage, encoding);
  t.teardown(() => client.close());
  for (const format of ['sdmf', 'mdmf'] as const) {
    await t.test(format, async (t) => {
      const file = await createMutableFile(client.context, seededBytes(format, 150_000), { format });
      await live({ t, grid, client, file }, seededBytes(`newer ${format}`, 300_001));
    });
  }
});
