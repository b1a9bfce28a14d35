/**
 * This machine's clock beside those of its servers, as each said when it last answered. Certificates, server lists and
 * leases go by clocks: where this one is wrong the grid looks wrong from here, where a server's is wrong its leases are.
 */
import type { Finding } from './doctor.js';
import type { GridReport } from './grid-report.js';

/** By how much clocks may differ, in milliseconds: an answer says no more than the second, and may have been on its way. */
export const CLOCK_TOLERANCE_MS = 60_000;

/** One sentence on this machine's clock, where a server tells its own; then one on each that is alone with its time. */
export function compareClocks(servers: GridReport['servers']): Finding[] {
  const telling = servers.flatMap(({ clockOffsetMs, connected, serverId }) =>
    connected && clockOffsetMs !== null ? [{ offsetMs: clockOffsetMs, serverId }] : [],
  );
  if (telling.length === 0) return [];
  const what = "the servers' clocks";
  const medianMs = medianOf(telling.map(({ offsetMs }) => offsetMs));
  const agreeing = telling.filter(({ offsetMs }) => Math.abs(offsetMs) <= CLOCK_TOLERANCE_MS).length;
  if (telling.length > 1 && agreeing * 2 < telling.length && Math.abs(medianMs) > CLOCK_TOLERANCE_MS) {
    const ours = `most of ${String(telling.length)} servers say that this machine's clock is ${spanOf(-medianMs)}`;
    return [{ level: 'problem', what, sentence: `${ours}; set it, or certificates and lists look wrong` }];
  }
  const sentence = `${String(agreeing)} of ${String(telling.length)} agree with this machine's`;
  return [
    { level: 'ok', what, sentence },
    ...telling
      .filter(({ offsetMs }) => Math.abs(offsetMs) > CLOCK_TOLERANCE_MS)
      .map(({ offsetMs, serverId }): Finding => {
        const theirs = `its clock is ${spanOf(offsetMs)}; tell who runs it, or look at this machine's`;
        return { level: 'note', what: `server ${serverId.slice(0, 11)}`, sentence: theirs };
      }),
  ];
}

function medianOf(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor((sorted.length - 1) / 2)] ?? 0;
}

/** Such as `90 s ahead`. */
function spanOf(offsetMs: number): string {
  const seconds = Math.round(Math.abs(offsetMs) / 1000);
  const span = seconds < 7200 ? `${String(seconds)} s` : `${String(Math.round(seconds / 3600))} h`;
  return `${span} ${offsetMs > 0 ? 'ahead' : 'behind'}`;
}
