/** Segments that are fetched together. */
import t from 'tap';
import fc from 'fast-check';
import { segmentsOf, SpanCut } from '#client/download/spans.js';

t.test('spans hold every segment once, in order, and no more than fits but for half a segment', async (t) => {
  const some = fc.record({
    first: fc.nat(1000),
    more: fc.nat(1000),
    segmentSize: fc.integer({ min: 1, max: 1 << 22 }),
    size: fc.integer({ min: 1, max: 1 << 21 }),
  });
  await fc.assert(
    fc.asyncProperty(some, async ({ first, more, segmentSize, size }) => {
      const cut = new SpanCut({ first, last: first + more }, segmentSize, size);
      const spans = Array.from({ length: cut.count }, (_, i) => segmentsOf(cut.at(i)));
      const fits = spans.every(({ length }) => length === 1 || (length <= 64 && (length - 0.5) * segmentSize <= size));
      const expected = segmentsOf({ first, last: first + more });
      return (
        fits && JSON.stringify(spans.flat()) === JSON.stringify(expected) && spans.every(({ length }) => length > 0)
      );
    }),
  );
  t.equal(new SpanCut({ first: 0, last: 63 }, 131_072).count, 8, 'a megabyte each');
  t.equal(new SpanCut({ first: 0, last: 63 }, 131_073).count, 8, 'segments are rounded up to whole blocks');
  t.equal(new SpanCut({ first: 0, last: 9 }, 1 << 20).count, 10);
});

t.test('however small a file says that its segments are, few are fetched at a time', async (t) => {
  const cut = new SpanCut({ first: 0, last: 1_000_000 }, 3);
  t.strictSame(cut.at(0), { first: 0, last: 63 });
  t.equal(cut.countIn(8 << 20), 64);
  t.equal(new SpanCut({ first: 0, last: 9 }, 1 << 20).countIn(8 << 20), 8);
});
