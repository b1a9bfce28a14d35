/**
 * The reference's statistics as OpenMetrics, under the reference's names: dots become underscores, and so do hyphens, which
 * its own text leaves in and no reader takes.
 * @see Tahoe-LAFS docs/stats.rst; OpenMetrics 1.0
 */

/** Figures by name; null where one is not known. */
export interface Statistics {
  /** Sums since the start. */
  readonly counters: Readonly<Record<string, number>>;
  readonly stats: Readonly<Record<string, number | null>>;
}

/** The text and what it is. */
export function openMetricsText({ counters, stats }: Statistics): { contentType: string; text: string } {
  const lines = [...linesOf('tahoe_counters', counters), ...linesOf('tahoe_stats', stats), '# EOF\n'];
  return { contentType: 'application/openmetrics-text; version=1.0.0; charset=utf-8', text: lines.join('\n') };
}

function linesOf(prefix: string, figures: Readonly<Record<string, number | null>>): string[] {
  const named = Object.entries(figures).sort(([a], [b]) => (a < b ? -1 : 1));
  return named.map(([name, value]) => `${prefix}_${name.replaceAll(/[^A-Za-z0-9_]/g, '_')} ${String(value ?? NaN)}`);
}
