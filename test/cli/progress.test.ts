/** The progress line and the quantities in it. */
import fc from 'fast-check';
import t from 'tap';
import { Progress, formatProgress } from '#cli/progress.js';
import { formatDuration, formatRate, formatSize } from '#cli/quantities.js';
import { ManualClock } from '#test/fixtures/clock.js';
import { Collector, commandContext } from './fixtures/program.js';

t.test('sizes', async (t) => {
  const cases: readonly [number, string][] = [
    [0, '0 bytes'],
    [1, '1 byte'],
    [999, '999 bytes'],
    [1000, '1.0 kB'],
    [5_592_406, '5.6 MB'],
    [999_949, '999.9 kB'],
    [999_950, '1.0 MB'],
    [1e9, '1.0 GB'],
    [2.5e15, '2.5 PB'],
    [9e18, '9000.0 PB'],
  ];
  for (const [bytes, text] of cases) t.equal(formatSize(bytes), text);
});

t.test('a size is never far from what it is printed as', async () => {
  const factors: Readonly<Record<string, number>> = {
    bytes: 1,
    byte: 1,
    kB: 1e3,
    MB: 1e6,
    GB: 1e9,
    TB: 1e12,
    PB: 1e15,
  };
  fc.assert(
    fc.property(fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }), (bytes) => {
      const [value = '', unit = ''] = formatSize(bytes).split(' ');
      const printed = Number(value) * (factors[unit] ?? Number.NaN);
      return Math.abs(printed - bytes) <= 0.0501 * (factors[unit] ?? 0) && (Number(value) < 1000 || unit === 'PB');
    }),
  );
});

t.test('times and rates', async (t) => {
  const cases: readonly [number, string][] = [
    [0, '0:00'],
    [6.6, '0:07'],
    [59.6, '1:00'],
    [754, '12:34'],
    [3599.4, '59:59'],
    [3600, '1:00:00'],
    [360_005, '100:00:05'],
    [-1, '0:00'],
    [Infinity, '-'],
    [Number.NaN, '-'],
  ];
  for (const [seconds, text] of cases) t.equal(formatDuration(seconds), text);
  t.equal(formatRate(7_200_000, 2000), '3.6 MB/s');
  t.equal(formatRate(10, 0), '-');
});

t.test('the line', async (t) => {
  const state = { label: 'put', doneBytes: 7_200_000, totalBytes: 16_000_000, elapsedMs: 2000, ending: 'storing' };
  t.equal(formatProgress(state, 120), 'put [==========>             ]  45 %  7.2 MB of 16.0 MB  3.6 MB/s  0:02 left');
  t.equal(
    formatProgress({ ...state, doneBytes: 16_000_000 }, 120),
    'put [========================] 100 %  16.0 MB of 16.0 MB  8.0 MB/s  storing',
  );
  t.equal(
    formatProgress({ ...state, doneBytes: 0 }, 120),
    'put [>                       ]   0 %  0 bytes of 16.0 MB  0 bytes/s  - left',
  );
  t.equal(formatProgress({ ...state, totalBytes: undefined }, 120), 'put  7.2 MB  3.6 MB/s');
  t.match(formatProgress({ ...state, doneBytes: 0, totalBytes: 0 }, 120), /100 %/);
});

t.test('the line is always shorter than the terminal is wide, and never beyond its end', async () => {
  const size = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
  fc.assert(
    fc.property(
      size,
      fc.option(size, { nil: undefined }),
      size,
      fc.integer({ min: 0, max: 200 }),
      (done, total, ms, columns) => {
        const state = { label: 'get', doneBytes: done, totalBytes: total, elapsedMs: ms, ending: '' };
        const line = formatProgress(state, columns);
        const percent = / ([0-9]+) %/.exec(formatProgress(state, 500))?.[1];
        return line.length < Math.max(1, columns) && (percent === undefined || Number(percent) <= 100);
      },
    ),
  );
});

/** Back to the first column, and everything behind it erased. */
const CLEAR = '\r\u001b[K';

interface Shown {
  readonly stderr: Collector;
  readonly clock: ManualClock;
  readonly progress: Progress;
}

function show({ isTTY = true, isQuiet = false, columns = 80, environment = {} } = {}): Shown {
  const clock = new ManualClock();
  const stderr = new Collector({ isTTY, columns });
  const context = commandContext('/', { clock, stderr, isQuiet, environment });
  return { stderr, clock, progress: new Progress(context, { label: 'put', totalBytes: 1000, ending: 'storing' }) };
}

t.test('a terminal sees at most ten pictures a second, and the last leaves nothing behind', async (t) => {
  const { stderr, clock, progress } = show();
  progress.add(100);
  t.equal(stderr.text, '', 'nothing at first');
  clock.advance(500);
  progress.add(100);
  t.ok(stderr.text.startsWith(`${CLEAR}put [====>`));
  t.match(stderr.text, / 20 %/);
  const [first] = [stderr.text];
  progress.add(100);
  clock.advance(99);
  progress.add(100);
  t.equal(stderr.text, first, 'not yet again');
  clock.advance(1);
  progress.add(100);
  t.ok(stderr.text.slice(first.length).startsWith(`${CLEAR}put [`));
  t.match(stderr.text.slice(first.length), / 50 %/);
  progress.add(500);
  t.match(stderr.text, /100 % .*storing$/, 'the end is always shown');
  progress.end();
  t.ok(stderr.text.endsWith(`storing${CLEAR}`));
  const ended = stderr.text;
  progress.end();
  t.equal(stderr.text, ended);
});

t.test('the line fits the terminal, also one that does not know its width', async (t) => {
  for (const [columns, length] of [
    [30, 29],
    [0, 79],
  ] as const) {
    const { stderr, clock, progress } = show({ columns });
    clock.advance(1000);
    progress.add(500);
    t.equal(stderr.text.slice(CLEAR.length).length, length);
  }
});

t.test('a transfer that ends at once shows nothing', async (t) => {
  const { stderr, progress } = show();
  progress.add(1000);
  progress.end();
  t.equal(stderr.text, '');
});

t.test('who is no terminal, or wants quiet, sees nothing', async (t) => {
  for (const how of [{ isTTY: false }, { isQuiet: true }, { environment: { TERM: 'dumb' } }]) {
    const { stderr, clock, progress } = show(how);
    clock.advance(1000);
    progress.add(500);
    progress.end();
    t.equal(stderr.text, '', JSON.stringify(how));
  }
});

t.test('pieces are counted when they have been passed on', async (t) => {
  const { stderr, clock, progress } = show();
  clock.advance(1000);
  const pieces = progress.count(
    (async function* () {
      yield new Uint8Array(250);
      yield new Uint8Array(250);
    })(),
  );
  t.equal((await pieces.next()).value?.length, 250);
  t.equal(stderr.text, '');
  await pieces.next();
  t.match(stderr.text, /25 %/);
  t.same(await pieces.next(), { done: true, value: undefined });
});
