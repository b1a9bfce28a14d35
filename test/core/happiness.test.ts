/** Placement and happiness: the specification's examples and the properties a placement must have. */
import t from 'tap';
import fc from 'fast-check';
import { placeShares, serversOfHappiness } from '#core/happiness.js';

type Holdings = Map<string, Set<number>>;

const holdingsOf = (table: Record<string, number[]>): Holdings =>
  new Map(Object.entries(table).map(([server, shares]) => [server, new Set(shares)]));

t.test('happiness is a matching, not a count', async (t) => {
  const cases: [Record<string, number[]>, number][] = [
    [{}, 0],
    [{ a: [] }, 0],
    [{ a: [0], b: [0], c: [0] }, 1],
    [{ a: [0, 1, 2] }, 1],
    [{ a: [0], b: [1], c: [2] }, 3],
    [{ a: [0, 1], b: [0], c: [1] }, 2],
    [{ a: [0, 1], b: [0], c: [1], d: [2, 3], e: [2] }, 4],
    [{ a: [0, 1, 2, 3], b: [0], c: [0], d: [3] }, 3],
  ];
  for (const [table, happiness] of cases)
    t.equal(serversOfHappiness(holdingsOf(table)), happiness, JSON.stringify(table));
});

/** Happiness by trying everything: an oracle for small grids. */
function bruteHappiness(holdings: Holdings): number {
  const servers = [...holdings.values()];
  const best = (from: number, used: ReadonlySet<number>): number => {
    const shares = servers[from];
    if (shares === undefined) return 0;
    const withOne = [...shares]
      .filter((share) => !used.has(share))
      .map((share) => 1 + best(from + 1, new Set([...used, share])));
    return Math.max(best(from + 1, used), ...withOne);
  };
  return best(0, new Set());
}

const smallHoldings = fc.array(fc.uniqueArray(fc.nat(5), { maxLength: 4 }), { maxLength: 6 }).map((servers) => {
  return new Map(servers.map((shares, i) => [`s${String(i)}`, new Set(shares)]));
});

t.test('happiness is what trying everything finds', async () => {
  fc.assert(fc.property(smallHoldings, (holdings) => serversOfHappiness(holdings) === bruteHappiness(holdings)));
});

t.test('a placement is complete, only asks writable servers, and is as happy as can be', async () => {
  fc.assert(
    fc.property(smallHoldings, fc.nat(6), fc.integer({ min: 1, max: 8 }), (holdings, writableCount, total) => {
      const servers = [...holdings.keys()];
      const writable = servers.slice(0, writableCount);
      const readOnly = servers.slice(writableCount);
      const known = new Map(
        [...holdings].map(([id, shares]) => [id, new Set([...shares].filter((share) => share < total))]),
      );
      const placement = placeShares(total, { writable, readOnly }, known);
      const after = new Map([...known].map(([id, shares]) => [id, new Set(shares)]));
      for (const [share, server] of placement) {
        if (readOnly.includes(server) && known.get(server)?.has(share) !== true) return false;
        after.get(server)?.add(share);
      }
      if (writable.length > 0 && placement.size !== total) return false;
      // With all shares to give out, every writable server can be happy, up to the number of shares.
      return serversOfHappiness(after) >= Math.min(total, writable.length);
    }),
  );
});

t.test('an empty grid gets the shares spread evenly, in order', async (t) => {
  const placement = placeShares(10, { writable: ['a', 'b', 'c'], readOnly: [] }, new Map());
  t.same(
    [...placement].map(([share, server]) => `${String(share)}${server}`),
    ['0a', '1b', '2c', '3a', '4b', '5c', '6a', '7b', '8c', '9a'],
  );
});

t.test('what is there already is used, and nothing is placed where nobody can write', async (t) => {
  const held = holdingsOf({ full: [0, 1], b: [1] });
  const placement = placeShares(3, { writable: ['b', 'c'], readOnly: ['full'] }, held);
  t.same(Object.fromEntries(placement), { 0: 'full', 1: 'b', 2: 'c' });
  t.same(Object.fromEntries(placeShares(3, { writable: [], readOnly: ['full'] }, held)), { 0: 'full', 1: 'full' });
});

t.test('256 shares over 512 servers are placed at once', async (t) => {
  const writable = Array.from({ length: 512 }, (_, i) => `s${String(i)}`);
  const held = new Map(writable.map((server) => [server, new Set(Array.from({ length: 256 }, (_, share) => share))]));
  t.equal(placeShares(256, { writable, readOnly: [] }, held).size, 256);
  t.equal(serversOfHappiness(held), 256);
});

t.test(
  'a server is never given a share that it has spoiled, and the placement is still as happy as can be',
  async () => {
    fc.assert(
      fc.property(
        smallHoldings,
        smallHoldings,
        fc.nat(6),
        fc.integer({ min: 1, max: 6 }),
        (holdings, others, writableCount, total) => {
          const servers = [...holdings.keys()];
          const [writable, readOnly] = [servers.slice(0, writableCount), servers.slice(writableCount)];
          const spoiled = new Map(
            servers.map((id) => [
              id,
              new Set([...(others.get(id) ?? [])].filter((share) => !holdings.get(id)?.has(share))),
            ]),
          );
          const known = new Map(
            [...holdings].map(([id, shares]) => [id, new Set([...shares].filter((share) => share < total))]),
          );
          const placement = placeShares(total, { writable, readOnly }, known, spoiled);
          for (const [share, server] of placement) if (spoiled.get(server)?.has(share) === true) return false;
          const everything = Array.from({ length: total }, (_, share) => share);
          const possible = new Map([
            ...readOnly.map((id) => [id, known.get(id) ?? new Set<number>()] as const),
            ...writable.map((id) => [id, new Set(everything.filter((share) => !spoiled.get(id)?.has(share)))] as const),
          ]);
          const after = new Map([...known].map(([id, shares]) => [id, new Set(shares)]));
          for (const [share, server] of placement) after.get(server)?.add(share);
          const isComplete = everything.every(
            (share) => placement.has(share) || ![...possible.values()].some((shares) => shares.has(share)),
          );
          return isComplete && serversOfHappiness(after) === bruteHappiness(possible);
        },
      ),
    );
  },
);

t.test('where the only idle server has spoiled the only missing share, another makes room for it', async (t) => {
  const held = holdingsOf({ a: [0], b: [1], c: [] });
  const placement = placeShares(3, { writable: ['a', 'b', 'c'], readOnly: [] }, held, holdingsOf({ c: [2] }));
  t.same(Object.fromEntries(placement), { 0: 'c', 1: 'b', 2: 'a' });
});
