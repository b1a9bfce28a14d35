/** The bars of docs/performance.svg: their lengths, their order, and that no label breaks out of its place. */
import t from 'tap';
import fc from 'fast-check';
import { ratioChart, ratiosOf } from '../../bench/chart.js';

/** The rectangles behind the first, which is the paper. */
function barsOf(svg: string): { x: number; width: number; fill: string }[] {
  const found = svg.matchAll(/<rect x="([\d.]+)" y="[\d.]+" width="([\d.]+)" height="14" fill="(#[0-9a-f]+)"/g);
  return [...found].map(([, x, width, fill = '']) => ({ x: Number(x), width: Number(width), fill }));
}

t.test('a doubling is as long as the next one, and slower ones go the other way', (t) => {
  const [twice, four, half] = barsOf(
    ratioChart('all', [
      { label: 'twice', ratio: 2 },
      { label: 'four times', ratio: 4 },
      { label: 'half', ratio: 0.5 },
    ]),
  );
  t.ok(Math.abs((four?.width ?? 0) - 2 * (twice?.width ?? 0)) <= 1);
  t.equal(half?.width, twice?.width);
  t.equal(twice?.x, four?.x, 'they begin where both are the same');
  t.ok(Math.abs((half?.x ?? 0) + (half?.width ?? 0) - (twice?.x ?? 0)) <= 1, 'and it ends there');
  t.equal(twice?.fill, four?.fill);
  t.not(half?.fill, twice?.fill);
  t.end();
});

t.test('lines with a ratio become bars, named by the rest of them', (t) => {
  const lines = [
    { question: 'reads', connections: 16, program: 'ours', rate: 5 },
    { question: 'reads', connections: 16, timesAsFast: 3.5, timesAsCheap: 2, unit: 'a second' },
    { question: 'reads', connections: 16, percentOfLimit: 60 },
    { question: 'start', timesAsFast: 7 },
  ];
  t.same(ratiosOf(lines), [
    { label: 'reads, connections 16', ratio: 3.5 },
    { label: 'start', ratio: 7 },
  ]);
  t.end();
});

t.test('what is no ratio has no bar', (t) => {
  const bars = [Number.NaN, 0, -1, Infinity].map((ratio) => ({ label: 'none', ratio }));
  t.same(barsOf(ratioChart('all', bars)), []);
  t.end();
});

t.test('every bar lies within the picture, whatever its label and ratio', (t) => {
  const bar = fc.record({ label: fc.string(), ratio: fc.double({ min: 1e-6, max: 1e6, noNaN: true }) });
  fc.assert(
    fc.property(fc.array(bar, { maxLength: 20 }), fc.string(), (bars, title) => {
      const svg = ratioChart(title, bars);
      const width = Number(/ width="([\d.]+)"/.exec(svg)?.[1]);
      const drawn = barsOf(svg);
      // Nothing of a label is read as a tag.
      const words = svg.replaceAll(/<(svg|title|rect|text|line|\/)[^<>]*>/g, '');
      return drawn.length === bars.length && drawn.every((one) => one.x + one.width <= width) && !/[<>"]/.test(words);
    }),
  );
  t.end();
});
