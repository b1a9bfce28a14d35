/**
 * How many shares fit a grid of so many servers: a proposal for new nodes, and what is to be said of settings that do not
 * fit. Of ten servers it is Tahoe-LAFS's own 3 of 10, spread over 7, and nearly the same parts of fewer: three tenths of the
 * servers give a file back, and an upload goes on without three tenths of them.
 */

/** How new files are encoded. */
export interface EncodingCounts {
  readonly needed: number;
  readonly happy: number;
  readonly total: number;
}

/** More shares than this cost room and keep nothing safer that people would notice. */
const TOTAL_MAX = 10;
const NEEDED_PART = 0.3;
const HAPPY_PART = 0.7;

/** What fits so many servers, of which there is at least one. */
export function proposeEncoding(serverCount: number): EncodingCounts {
  const total = Math.min(serverCount, TOTAL_MAX);
  const needed = Math.ceil(NEEDED_PART * total);
  // On one server alone nothing is safe, so two where there are two.
  const happy = Math.max(Math.round(HAPPY_PART * total), Math.min(2, total));
  return { needed, happy, total };
}

/** One sentence for each thing that does not fit, and what would; none where all fits. */
export function adviseEncoding(
  { happy, needed, total }: EncodingCounts,
  servers: { readonly known: number; readonly connected: number },
): readonly { readonly level: 'note' | 'problem'; readonly sentence: string }[] {
  const { connected, known } = servers;
  if (known === 0) return [];
  const fit = proposeEncoding(known);
  const fits = `for ${String(known)} server${known === 1 ? '' : 's'} shares.needed = ${String(fit.needed)}, shares.happy = ${String(fit.happy)} and shares.total = ${String(fit.total)} fit; set them with tallac config set`;
  if (happy > known)
    return [
      { level: 'problem', sentence: `no upload can spread over ${String(happy)} servers (shares.happy): ${fits}` },
    ];
  if (happy > connected) {
    const sentence = `uploads wait for ${String(happy)} servers (shares.happy), and ${String(connected)} are connected`;
    return [{ level: 'problem', sentence }];
  }
  if (happy < needed || (needed === 1 && happy === 1 && known > 1)) {
    const sentence = `an upload may end with so few servers (shares.happy = ${String(happy)}) that one of them can take the file with it: ${fits}`;
    return [{ level: 'note', sentence }];
  }
  if (total < 2 * needed - 1) {
    const sentence = `a writer that dies may take a mutable file with it, for shares.total is less than twice shares.needed: ${fits}`;
    return [{ level: 'note', sentence }];
  }
  if (total > known) {
    const sentence = `some servers get several of ${String(total)} shares (shares.total), which are lost together: ${fits}`;
    return [{ level: 'note', sentence }];
  }
  return [];
}
