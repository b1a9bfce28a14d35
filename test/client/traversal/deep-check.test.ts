/** Deep checks over any function that checks one object: what it is asked of, how many at once, what its failures do. */
import t from 'tap';
import { dangerouslyFormatCapability } from '#core/capability/format.js';
import { TahoeError } from '#core/errors.js';
import { openDirectory } from '#client/directory/directory.js';
import type { DirectoryContext } from '#client/directory/directory.js';
import { DeepCheckCounter, DeepRepairCounter } from '#client/traversal/check-counts.js';
import type { CheckVerdict } from '#client/traversal/check-counts.js';
import { CHECK_PARALLEL_MAX, deepCheck } from '#client/traversal/deep-check.js';
import type { DeepCheckStep } from '#client/traversal/deep-check.js';
import { walk } from '#client/traversal/walk.js';
import type { VisitedNode } from '#client/traversal/walk.js';
import { settle } from '../../fixtures/clock.js';
import { crypto } from '../../fixtures/crypto.js';
import { childOf } from '../../fixtures/directory-vectors.js';
import { MemoryGrid } from '../../fixtures/memory-grid.js';
import { MemoryMutables, mutableDirectory } from '../../fixtures/memory-mutable.js';

const FILE_COUNT = 60;
const root = mutableDirectory(0);
const mutables = new MemoryMutables();
const context: DirectoryContext = { ...new MemoryGrid(1).context, openMutable: mutables.open };
const file = (number: number): string =>
  dangerouslyFormatCapability(mutableDirectory(number)).replace('URI:DIR2:', 'URI:SSK:');
await openDirectory(context, root).link([
  ...Array.from({ length: FILE_COUNT }, (_, i) => ({
    name: `f${String(i).padStart(2, '0')}`,
    child: childOf(file(100 + i), null),
  })),
  { name: 'literal', child: childOf('URI:LIT:me', null) },
  { name: 'future', child: childOf(null, 'URI:FUTURE:1') },
  { name: 'broken', child: mutableDirectory(1) },
]);
mutables.setContents(mutableDirectory(1), new Uint8Array(5));

const nameOf = ({ path }: VisitedNode): string => path.join('/');

async function collect(
  check: (node: VisitedNode) => Promise<string>,
  parallel?: number,
): Promise<DeepCheckStep<string>[]> {
  const steps: DeepCheckStep<string>[] = [];
  const options = parallel === undefined ? {} : { parallel };
  for await (const step of deepCheck(walk(context, root), { crypto, check, ...options })) steps.push(step);
  return steps;
}

t.test('what has shares is checked, in order, and the rest is told', async (t) => {
  const asked: string[] = [];
  const steps = await collect((node) => {
    asked.push(nameOf(node));
    return Promise.resolve(`report of ${nameOf(node)}`);
  });
  const files = Array.from({ length: FILE_COUNT }, (_, i) => `f${String(i).padStart(2, '0')}`);
  t.same(asked, ['', ...files, 'broken']);
  const checked = steps.flatMap((step) => (step.kind === 'checked' ? [[nameOf(step.node), step.report]] : []));
  t.same(checked, [
    ['', 'report of '],
    ['future', undefined],
    ...files.map((name) => [name, `report of ${name}`]),
    ['literal', undefined],
    ['broken', 'report of broken'],
  ]);
  t.match(
    steps.filter(({ kind }) => kind !== 'checked'),
    [
      { kind: 'listed', path: [] },
      { kind: 'unreadable', path: ['broken'] },
    ],
  );
});

t.test('so many are checked at once, and all are told', async (t) => {
  for (const parallel of [1, 5, CHECK_PARALLEL_MAX + 20]) {
    let [checking, most] = [0, 0];
    const steps = await collect(async (node) => {
      most = Math.max(most, ++checking);
      await settle(1 + (node.path.join('').length % 3));
      checking--;
      return 'done';
    }, parallel);
    t.equal(most, Math.min(parallel, CHECK_PARALLEL_MAX));
    t.equal(steps.filter((step) => step.kind === 'checked' && step.report === 'done').length, FILE_COUNT + 2);
  }
});

t.test('a check that fails is told, and a fault of ours is thrown', async (t) => {
  const failing = (error: Error) => (node: VisitedNode) =>
    nameOf(node) === 'f07' ? Promise.reject(error) : Promise.resolve('done');
  for (const parallel of [1, 8]) {
    const steps = await collect(failing(new TahoeError('ERR_TIMEOUT', { what: 'x', timeoutMs: 1 })), parallel);
    t.match(
      steps.filter(({ kind }) => kind === 'unchecked'),
      [{ node: { path: ['f07'] }, error: { code: 'ERR_TIMEOUT' } }],
    );
    t.equal(steps.filter(({ kind }) => kind === 'checked').length, FILE_COUNT + 3);
    await t.rejects(collect(failing(new RangeError('x')), parallel), RangeError);
  }
});

t.test('it is cancelled while checks hang, and ends them', async (t) => {
  const abort = new AbortController();
  const ended: string[] = [];
  const check = (node: VisitedNode, signal: AbortSignal): Promise<never> => {
    signal.addEventListener('abort', () => ended.push(nameOf(node)));
    return new Promise(() => undefined);
  };
  const steps = deepCheck(walk(context, root), { crypto, check, parallel: 4, signal: abort.signal });
  const next = (async () => {
    for await (const step of steps) t.not(step.kind, 'unchecked');
  })();
  await settle();
  abort.abort();
  await t.rejects(next, { code: 'ERR_CANCELLED' });
  t.equal(ended.length, 4);
});

t.test('who stops taking results ends the checks', async (t) => {
  const ended: string[] = [];
  const check = (node: VisitedNode, signal: AbortSignal): Promise<string> => {
    if (node.path.length === 0) return Promise.resolve('done');
    signal.addEventListener('abort', () => ended.push(nameOf(node)));
    return new Promise(() => undefined);
  };
  for await (const step of deepCheck(walk(context, root), { crypto, check, parallel: 4 })) {
    if (step.kind === 'checked' && step.node.path[0] === 'future') break;
  }
  t.ok(ended.length >= 2, String(ended));
});

t.test('sums of checks and repairs', async (t) => {
  const verdict = (healthy: boolean, recoverable: boolean, corrupt: number): CheckVerdict => ({
    healthy,
    recoverable,
    corruptShares: Array<number>(corrupt).fill(0),
  });
  const [good, bad, lost] = [verdict(true, true, 0), verdict(false, true, 2), verdict(false, false, 1)];
  const checks = new DeepCheckCounter();
  for (const each of [good, good, bad, lost]) checks.add(each);
  t.same(checks.counts(), {
    'count-objects-checked': 4,
    'count-objects-healthy': 2,
    'count-objects-unhealthy': 2,
    'count-objects-unrecoverable': 1,
    'count-corrupt-shares': 3,
  });
  const repairs = new DeepRepairCounter();
  repairs.add({ repairAttempted: false, repairSuccessful: false, before: good, after: good });
  repairs.add({ repairAttempted: true, repairSuccessful: true, before: bad, after: good });
  repairs.add({ repairAttempted: true, repairSuccessful: false, before: lost, after: lost });
  t.same(repairs.counts(), {
    'count-objects-checked': 3,
    'count-objects-healthy-pre-repair': 1,
    'count-objects-unhealthy-pre-repair': 2,
    'count-objects-unrecoverable-pre-repair': 1,
    'count-objects-healthy-post-repair': 2,
    'count-objects-unhealthy-post-repair': 1,
    'count-objects-unrecoverable-post-repair': 1,
    'count-repairs-attempted': 2,
    'count-repairs-successful': 1,
    'count-repairs-unsuccessful': 1,
    'count-corrupt-shares-pre-repair': 3,
    'count-corrupt-shares-post-repair': 1,
  });
});
