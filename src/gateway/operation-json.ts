/** Operations as the web API's JSON and text have them: the reference's keys in its order. */
import { formatBase32 } from '#core/base32.js';
import type { ShareLocation } from '#client/check/check-report.js';
import { deepSizeOf } from '#client/traversal/deep-stats.js';
import { checkJson } from './check-json.js';
import type { Operation } from './operations.js';
import { jsonLine, jsonPage } from './python-json.js';
import type { DeepCheckWork, ManifestWork, StatsWork, WalkWork } from './walk-works.js';

/** The JSON of an operation at this moment. */
export function operationJson({ work, finished }: Operation<WalkWork>): string {
  switch (work.kind) {
    case 'manifest':
      return jsonPage(manifest(work, finished));
    case 'size':
      return jsonLine({ finished, size: work.stats.stats() });
    case 'stats':
      return jsonPage({ ...work.stats.stats(), finished });
    case 'check':
      return `${jsonPage(work.isRepair ? deepRepair(work, finished) : deepCheck(work, finished))}\n`;
  }
}

/** The same as lines; undefined where there are none. */
export function operationText({ work, finished }: Operation<WalkWork>): string | undefined {
  const state = `finished: ${finished ? 'yes' : 'no'}\n`;
  if (work.kind === 'size') return finished ? `${state}size: ${String(sizeOf(work))}\n` : state;
  if (work.kind !== 'manifest') return undefined;
  return state + work.lines.map(({ path, cap }) => `${path.join('/')} ${cap ?? ''}\n`).join('');
}

function sizeOf(work: StatsWork): number {
  return deepSizeOf(work.stats.stats());
}

function manifest(work: ManifestWork, finished: boolean): object {
  const status = { stats: work.stats.stats(), finished, origin: work.origin };
  if (!finished) return status;
  return {
    ...status,
    manifest: work.lines.map(({ path, cap }) => [path, cap]),
    verifycaps: [...work.verifycaps],
    'storage-index': [...work.storageIndexes],
  };
}

function deepCheck(work: DeepCheckWork, finished: boolean): object {
  const counts = work.checks.counts();
  return {
    finished,
    'root-storage-index': work.origin,
    'count-objects-checked': counts['count-objects-checked'],
    'count-objects-healthy': counts['count-objects-healthy'],
    'count-objects-unhealthy': counts['count-objects-unhealthy'],
    'count-corrupt-shares': counts['count-corrupt-shares'],
    'list-corrupt-shares': work.corruptShares.map(location),
    ...unhealthyFiles(work),
    stats: work.stats.stats(),
  };
}

function deepRepair(work: DeepCheckWork, finished: boolean): object {
  const counts = work.repairs.counts();
  return {
    finished,
    'root-storage-index': work.origin,
    'count-objects-checked': counts['count-objects-checked'],
    'count-objects-healthy-pre-repair': counts['count-objects-healthy-pre-repair'],
    'count-objects-unhealthy-pre-repair': counts['count-objects-unhealthy-pre-repair'],
    'count-objects-healthy-post-repair': counts['count-objects-healthy-post-repair'],
    'count-objects-unhealthy-post-repair': counts['count-objects-unhealthy-post-repair'],
    'count-repairs-attempted': counts['count-repairs-attempted'],
    'count-repairs-successful': counts['count-repairs-successful'],
    'count-repairs-unsuccessful': counts['count-repairs-unsuccessful'],
    'count-corrupt-shares-pre-repair': counts['count-corrupt-shares-pre-repair'],
    'count-corrupt-shares-post-repair': counts['count-corrupt-shares-post-repair'],
    'list-corrupt-shares': work.corruptShares.map(location),
    'list-remaining-corrupt-shares': work.remainingCorruptShares.map(location),
    ...unhealthyFiles(work),
    stats: work.stats.stats(),
  };
}

/** What could not even be looked at is told beside what was. */
function unhealthyFiles(work: DeepCheckWork): object {
  return {
    'list-unhealthy-files': work.unhealthy().map(({ path, report }) => [path, checkJson(report)]),
    ...(work.failures.length > 0 ? { 'list-failures': work.failures.map(({ path, reason }) => [path, reason]) } : {}),
  };
}

function location({ server, storageIndex, shareNumber }: ShareLocation): unknown[] {
  return [server.serverId, formatBase32(storageIndex), shareNumber];
}
