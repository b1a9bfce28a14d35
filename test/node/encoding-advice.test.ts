/** What is proposed for a grid of some servers, and what is said of settings that do not fit one. */
import t from 'tap';
import fc from 'fast-check';
import { adviseEncoding, proposeEncoding } from '#node/encoding-advice.js';

t.test('proposals', (t) => {
  const shown = (count: number): string => {
    const { happy, needed, total } = proposeEncoding(count);
    return [needed, happy, total].join('/');
  };
  t.strictSame([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 500].map(shown), [
    '1/1/1',
    '1/2/2',
    '1/2/3',
    '2/3/4',
    '2/4/5',
    '2/4/6',
    '3/5/7',
    '3/6/8',
    '3/6/9',
    '3/7/10',
    '3/7/10',
  ]);
  t.end();
});

t.test('what is proposed is never advised against, and keeps what the formats ask for', (t) => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 4096 }), (known) => {
      const { happy, needed, total } = proposeEncoding(known);
      t.ok(needed >= 1 && needed <= happy && happy <= total && total <= known && total >= 2 * needed - 1);
      t.strictSame(adviseEncoding({ happy, needed, total }, { known, connected: known }), []);
    }),
    { numRuns: 200 },
  );
  t.end();
});

t.test('what does not fit is said, with what would', (t) => {
  const said = (shares: string, known: number, connected = known): string => {
    const [needed = 0, happy = 0, total = 0] = shares.split('/').map(Number);
    const advice = adviseEncoding({ needed, happy, total }, { known, connected });
    return advice.map(({ level, sentence }) => `${level}: ${sentence}`).join('\n');
  };
  t.equal(said('3/7/10', 0), '', 'nobody is known yet');
  t.equal(said('3/7/10', 12), '');
  t.equal(
    said('3/7/10', 3),
    'problem: no upload can spread over 7 servers (shares.happy): for 3 servers shares.needed = 1, shares.happy = 2 and shares.total = 3 fit; set them with tallac config set',
  );
  t.match(said('3/7/10', 1), /: for 1 server shares\.needed = 1, shares\.happy = 1 and shares\.total = 1 fit;/);
  t.equal(said('3/7/10', 12, 6), 'problem: uploads wait for 7 servers (shares.happy), and 6 are connected');
  t.match(said('3/2/10', 10), /^note: an upload may end with so few servers \(shares\.happy = 2\)/);
  t.match(said('1/1/3', 3), /^note: an upload may end/);
  t.match(said('1/1/1', 1), /^$/);
  t.match(said('6/7/10', 10), /^note: a writer that dies may take a mutable file/);
  t.match(said('3/7/10', 8), /^note: some servers get several of 10 shares .*shares\.needed = 3, shares\.happy = 6/);
  t.end();
});
