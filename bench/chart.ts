/**
 * Bars as SVG: how many times as fast one program is as the other, one bar a question, from the figures alone. On a scale of
 * doublings, so that twice as fast and half as fast are as long; a line stands where both are the same.
 */

/** One bar. */
export interface Bar {
  readonly label: string;
  /** Above zero. */
  readonly ratio: number;
}

/** A line that a benchmark printed. */
export type Result = Readonly<Record<string, unknown>>;

/** What a line says beside its ratio that belongs in no name. */
const unnamed: readonly string[] = ['timesAsFast', 'timesAsCheap', 'unit'];

const LABEL_WIDTH = 300;
const BAR_WIDTH = 380;
const NUMBER_WIDTH = 60;
const ROW_HEIGHT = 22;
const BAR_HEIGHT = 14;
const TOP = 44;
const BOTTOM = 12;
const SIGNIFICANT_DIGITS = 3;

/** The ratios among what a benchmark printed, each named by what else its line says. */
export function ratiosOf(results: readonly Result[]): Bar[] {
  return results.flatMap((result) => {
    if (typeof result['timesAsFast'] !== 'number') return [];
    const facts = Object.entries(result).filter(([name]) => !unnamed.includes(name));
    const label = facts.map(([name, value]) => (name === 'question' ? String(value) : `${name} ${String(value)}`));
    return [{ label: label.join(', '), ratio: result['timesAsFast'] }];
  });
}

/**
 * The picture, as the text of a file. Bars of a ratio that is no number above zero are left out.
 * @param title - stands above. @param bars - in their order, from the top.
 */
export function ratioChart(title: string, bars: readonly Bar[]): string {
  const shown = bars.filter(({ ratio }) => ratio > 0 && Number.isFinite(ratio));
  const doublings = shown.map(({ ratio }) => Math.log2(ratio));
  const least = Math.floor(Math.min(0, ...doublings));
  const most = Math.ceil(Math.max(1, ...doublings));
  const xOf = (value: number): number => LABEL_WIDTH + ((value - least) / (most - least)) * BAR_WIDTH;
  const width = LABEL_WIDTH + BAR_WIDTH + NUMBER_WIDTH;
  const height = TOP + shown.length * ROW_HEIGHT + BOTTOM;
  const marks = Array.from({ length: most - least + 1 }, (_, i) => mark(least + i, xOf(least + i), height));
  const rows = shown.map((bar, i) => row(bar, TOP + i * ROW_HEIGHT, xOf));
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${text(width)}" height="${text(height)}" viewBox="0 0 ${text(width)} ${text(height)}" font-family="sans-serif" font-size="12">`,
    `<title>${escape(title)}</title>`,
    `<rect width="100%" height="100%" fill="#ffffff"/>`,
    `<text x="8" y="18" font-size="14" fill="#222222">${escape(title)}</text>`,
    ...marks,
    ...rows,
    '</svg>',
    '',
  ].join('\n');
}

/** A line where the ratio is 2 to the power of `doublings`, and its number above. */
function mark(doublings: number, x: number, height: number): string {
  const isSame = doublings === 0;
  const line = `<line x1="${text(x)}" y1="${text(TOP - 6)}" x2="${text(x)}" y2="${text(height - BOTTOM)}" stroke="${isSame ? '#555555' : '#dddddd'}"/>`;
  return `${line}<text x="${text(x)}" y="${text(TOP - 10)}" text-anchor="middle" fill="#777777">${text(2 ** doublings)}×</text>`;
}

function row({ label, ratio }: Bar, y: number, xOf: (value: number) => number): string {
  const [same, end] = [xOf(0), xOf(Math.log2(ratio))];
  const [x, width] = [Math.min(same, end), Math.abs(end - same)];
  const baseline = y + BAR_HEIGHT - 3;
  const fill = ratio >= 1 ? '#2f7d5b' : '#b5543c';
  return [
    `<text x="${text(LABEL_WIDTH - 8)}" y="${text(baseline)}" text-anchor="end" fill="#222222">${escape(label)}</text>`,
    `<rect x="${text(x)}" y="${text(y)}" width="${text(width)}" height="${text(BAR_HEIGHT)}" fill="${fill}"/>`,
    `<text x="${text(Math.max(same, end) + 4)}" y="${text(baseline)}" fill="#222222">${text(ratio)}</text>`,
  ].join('');
}

/** A number in no more digits than mean something. */
function text(value: number): string {
  return String(Number(value.toPrecision(value >= 1000 ? 4 : SIGNIFICANT_DIGITS)));
}

function escape(words: string): string {
  return words.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}
