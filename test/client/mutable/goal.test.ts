/** Where shares without a place go, and deadlines. */
import t from 'tap';
import fc from 'fast-check';
import { pause, withDeadline } from '#client/deadline.js';
import { placeHomeless } from '#client/mutable/goal.js';
import type { Placement } from '#client/mutable/goal.js';
import { ManualClock, settle } from '../../fixtures/clock.js';
import { MemoryServer } from '../../fixtures/memory-server.js';

const servers = Array.from({ length: 8 }, (_, i) => new MemoryServer(`server${String(i)}`));
const nothing = new Uint8Array(0);

t.test('every number gets a place, and no server two more than another that was free for it', async (t) => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 20 }),
      fc.nat(8),
      fc.array(fc.tuple(fc.nat(7), fc.nat(25))),
      (total, count, held) => {
        const usable = servers.slice(0, count);
        const taken = held.flatMap(([i, shareNumber]) => {
          const server = servers[i];
          return server === undefined ? [] : [{ server, shareNumber, checkstring: nothing }];
        });
        const placed = placeHomeless(total, taken, usable);
        if (count === 0) return placed.length === 0;
        const numbers = new Set([...taken, ...placed].map(({ shareNumber }) => shareNumber));
        const isWhole = Array.from({ length: total }, (_, i) => i).every((i) => numbers.has(i));
        const load = (server: MemoryServer, places: readonly Placement[]) =>
          places.filter((each) => each.server === server).length;
        const receivers = usable.filter((server) => load(server, placed) > 0);
        const highest = Math.max(0, ...receivers.map((server) => load(server, [...taken, ...placed])));
        const isEven =
          receivers.length === 0 || usable.every((server) => load(server, [...taken, ...placed]) >= highest - 1);
        return isWhole && isEven && placed.every(({ checkstring }) => checkstring.length === 0);
      },
    ),
  );
  const [first, second, third] = placeHomeless(3, [], servers);
  t.strictSame([first?.server, second?.server, third?.server], servers.slice(0, 3), 'in order of preference');
});

t.test('a deadline ends what does not end', async (t) => {
  const clock = new ManualClock();
  const { signal } = new AbortController();
  const limit = { clock, timeoutMs: 1000, what: 'a test', signal };
  let seen: AbortSignal | undefined;
  const never = withDeadline(limit, (inner) => {
    seen = inner;
    return new Promise<never>(() => undefined);
  });
  clock.advance(999);
  t.equal(seen?.aborted, false);
  clock.advance(1);
  await t.rejects(never, { code: 'ERR_TIMEOUT', facts: { what: 'a test', timeoutMs: 1000 } });
  t.equal(seen?.aborted, true, 'it is told');
  t.equal(await withDeadline(limit, () => Promise.resolve(7)), 7);
  const outer = new AbortController();
  const cancelled = withDeadline({ ...limit, signal: outer.signal }, () => new Promise<never>(() => undefined));
  outer.abort();
  await t.rejects(cancelled, { code: 'ERR_CANCELLED' });
  await t.rejects(
    withDeadline({ ...limit, signal: outer.signal }, () => Promise.resolve(1)),
    { code: 'ERR_CANCELLED' },
  );
  await t.rejects(pause(clock, 10, outer.signal), { code: 'ERR_CANCELLED' });
  const waiting = pause(clock, 10, signal);
  clock.advance(10);
  await waiting;
  await settle();
  t.equal(clock.pending, 0);
});
