/** Which leases are over, held against the words of the documentation; and which clocks are believed. */
import fc from 'fast-check';
import t from 'tap';
import { ClockGuard, DISAGREEMENT_MAX_MS } from '#storage/index/clock-guard.js';
import { describePolicy, isExpired, seemsExpired } from '#storage/index/expiry-policy.js';
import type { ExpiryPolicy, ExpiryRule } from '#storage/index/expiry-policy.js';
import { nextRecord } from '#storage/index/record-change.js';
import { JumpingClock } from '#test/fixtures/clock.js';

const DAY = 86_400;
const LEASE = 31 * DAY;
const now = 1_700_000_000;

/** Whether a lease is over, said as the documentation says it: by its age, or by the day it was renewed. */
function isOver(rule: ExpiryRule, expiry: number): boolean {
  const renewed = expiry - LEASE;
  if (expiry === 2 ** 32 - 1) return false;
  if (rule.mode === 'cutoff-date') return renewed < rule.cutoffSeconds;
  return now - renewed > (rule.durationSeconds ?? LEASE);
}

const rules: fc.Arbitrary<ExpiryRule> = fc.oneof(
  fc.record({ mode: fc.constant('age' as const), durationSeconds: fc.option(fc.nat(400 * DAY), { nil: undefined }) }),
  fc.record({ mode: fc.constant('cutoff-date' as const), cutoffSeconds: fc.nat(2 ** 32) }),
);
const near = fc.integer({ min: now - 400 * DAY, max: now + 40 * DAY });
const ends = fc.array(fc.oneof(near, fc.constantFrom(0, 2 ** 31, 2 ** 32 - 1, now)), { maxLength: 5 });

t.test('a share goes when it had leases and all of them are over', async (t) => {
  const kinds = fc.constantFrom('immutable' as const, 'mutable' as const);
  const property = fc.property(
    ...[rules, ends, kinds, fc.boolean(), fc.boolean()],
    (rule, expiries, kind, immutable, mutable) => {
      const policy: ExpiryPolicy = { rule, immutable, mutable };
      const wanted = policy[kind] && expiries.length > 0 && expiries.every((expiry) => isOver(rule, expiry));
      const facts = { kind, dataSize: 1, expiries };
      const record = nextRecord(
        undefined,
        { fileSize: 1, diskBytes: 1, stamp: { inode: 1n, modifiedNs: 1n }, facts },
        'data',
      );
      // The index knows the end of the last lease only: a lease that never ends outlasts all.
      return isExpired(policy, facts, now) === wanted && seemsExpired(policy, record, now) === wanted;
    },
  );
  t.doesNotThrow(() => fc.assert(property, { numRuns: 5000 }));
});

t.test('without a duration a lease ends with its own 31 days', async (t) => {
  const policy: ExpiryPolicy = { rule: { mode: 'age', durationSeconds: undefined }, immutable: true, mutable: true };
  const share = (expiry: number) => ({ kind: 'immutable', dataSize: 0, expiries: [expiry] }) as const;
  t.ok(isExpired(policy, share(now - 1), now), 'which with the reference it never does');
  t.notOk(isExpired(policy, share(now), now));
  for (const later of [2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 40]) t.notOk(isExpired(policy, share(2 ** 32 - 1), later));
  const texts = [
    policy,
    { ...policy, mutable: false },
    { ...policy, immutable: false, mutable: false },
    { ...policy, rule: { mode: 'age', durationSeconds: 60 } },
    { ...policy, rule: { mode: 'cutoff-date', cutoffSeconds: 0 } },
  ].map((each) => describePolicy(each as ExpiryPolicy));
  t.equal(new Set(texts).size, texts.length, 'other policies are called otherwise');
});

t.test('a clock that jumps is not believed, nor one that is behind the disk', async (t) => {
  for (const jump of [40 * 365, 1, 0.05, -0.05, -1, -40 * 365]) {
    const clock = new JumpingClock();
    const guard = new ClockGuard(clock);
    const before = clock.nowMs();
    clock.advance(40 * DAY * 1000);
    t.equal(guard.doubt(before), undefined, 'time that passes is no jump');
    clock.jumpMs = jump * DAY * 1000;
    t.match(guard.doubt(before), jump === -40 * 365 || Math.abs(clock.jumpMs) > DISAGREEMENT_MAX_MS ? /clock/ : 'x');
    clock.jumpMs = 0;
    t.equal(guard.doubt(before), undefined, 'it was set right again');
    t.match(guard.doubt(clock.nowMs() + 1), /^the clock is behind 20/);
  }
});
