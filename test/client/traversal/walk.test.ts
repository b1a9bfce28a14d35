/** Traversals: the reference's order and sums, then bounded parallel ones, damage, cancelling and limits. */
import t from 'tap';
import fc from 'fast-check';
import { dangerouslyFormatCapability } from '#core/capability/format.js';
import { readCapabilityOf, verifyCapabilityOf } from '#core/capability/attenuate.js';
import { literalCapability } from '#core/capability/types.js';
import type { Child } from '#core/directory/child.js';
import { packDirectory } from '#core/directory/entries.js';
import { TahoeError } from '#core/errors.js';
import { openDirectory } from '#client/directory/directory.js';
import type { DirectoryContext } from '#client/directory/directory.js';
import { bucketOf, deepSizeOf, DeepStatsCounter } from '#client/traversal/deep-stats.js';
import { dangerouslyDescribeNode } from '#client/traversal/manifest.js';
import { walk, WALK_DEPTH_MAX, WALK_PARALLEL_MAX } from '#client/traversal/walk.js';
import type { WalkOptions, WalkProgress, WalkStep } from '#client/traversal/walk.js';
import { settle } from '../../fixtures/clock.js';
import { crypto } from '../../fixtures/crypto.js';
import { childOf, directoryVectors } from '../../fixtures/directory-vectors.js';
import type { WalkAnswer, WalkEvent } from '../../fixtures/directory-vectors.js';
import { MemoryGrid } from '../../fixtures/memory-grid.js';
import { directoryCapability, MemoryMutables, mutableDirectory } from '../../fixtures/memory-mutable.js';
import { fromText } from '../../fixtures/mutable-vectors.js';

function makeWorld(): { mutables: MemoryMutables; context: DirectoryContext } {
  const mutables = new MemoryMutables();
  return { mutables, context: { ...new MemoryGrid(1).context, openMutable: mutables.open } };
}

function worldOf(answer: WalkAnswer): ReturnType<typeof makeWorld> & { root: ReturnType<typeof directoryCapability> } {
  const world = makeWorld();
  for (const [text, contents] of answer.trees)
    world.mutables.setContents(directoryCapability(text), fromText(contents));
  return { ...world, root: directoryCapability(answer.trees[0]?.[0] ?? '') };
}

async function collect<Step>(steps: AsyncIterable<Step>): Promise<Step[]> {
  const all: Step[] = [];
  for await (const step of steps) all.push(step);
  return all;
}

/** A step as the reference's recorder writes it. */
function eventOf(step: WalkStep): WalkEvent {
  if (step.kind === 'listed') {
    return { entered: dangerouslyFormatCapability(step.capability), size: step.sizeBytes, children: step.childCount };
  }
  if (step.kind === 'unreadable') throw step.error;
  const line = dangerouslyDescribeNode(crypto, step);
  return {
    node: line.path,
    cap: line.cap,
    verify: line.verifycap || null,
    repair: line.repaircap || null,
    storageIndex: line['storage-index'] || null,
  };
}

t.test('trees are walked in the order of the reference, with its sums', async (t) => {
  for (const answer of directoryVectors.walks.trees) {
    const { context, root } = worldOf(answer);
    const steps = await collect(walk(context, root));
    t.same(steps.map(eventOf), answer.events);
    const counter = new DeepStatsCounter();
    for (const step of steps) counter.add(step);
    t.same(counter.stats(), answer.stats);
    t.same(Object.keys(counter.stats()), Object.keys(answer.stats), 'in its order too');
    const lines = steps.flatMap((step) => (step.kind === 'node' ? [dangerouslyDescribeNode(crypto, step)] : []));
    const distinct = (values: string[]): string[] => [...new Set(values.filter((value) => value !== ''))].sort();
    t.same(distinct(lines.map(({ verifycap }) => verifycap)), answer.verifycaps);
    t.same(distinct(lines.map((line) => line['storage-index'])), answer.storageIndexes);
    const { stats } = answer;
    t.equal(deepSizeOf(counter.stats()), Number(stats['size-immutable-files']) + Number(stats['size-directories']));
  }
});

t.test('sizes fall into the buckets of the reference', async (t) => {
  const wrong = directoryVectors.walks.buckets.filter(([min, max]) => {
    return [min, max, Math.floor((min + max) / 2)].some((size) => String(bucketOf(size)) !== String([min, max]));
  });
  t.same(wrong, []);
  t.ok(directoryVectors.walks.buckets.length > 30);
});

/** A tree of `width` directories each holding `width` more, `depth` deep, with a file in each; and a link back to its root. */
async function plant(context: DirectoryContext, width: number, depth: number): Promise<number> {
  let count = 1;
  const fill = async (number: number, left: number): Promise<void> => {
    const links: { name: string; child: Child }[] = [
      { name: 'file', child: childOf('URI:LIT:me', null) },
      { name: 'root', child: mutableDirectory(0) },
    ];
    const children: number[] = [];
    for (let i = 0; left > 0 && i < width; i++) {
      children.push(count++);
      links.push({ name: `d${String(i)}`, child: mutableDirectory(count - 1) });
    }
    await openDirectory(context, mutableDirectory(number)).link(links);
    for (const child of children) await fill(child, left - 1);
  };
  await fill(0, depth);
  return count;
}

function shape(steps: readonly WalkStep[]): string[] {
  return steps.map(({ kind, path }) => `${kind} ${path.join('/')}`).sort();
}

t.test('in parallel the same is found, and never more is read at once', async (t) => {
  const { context, mutables } = makeWorld();
  const count = await plant(context, 6, 2);
  const inOrder = await collect(walk(context, mutableDirectory(0)));
  t.equal(inOrder.filter(({ kind }) => kind === 'listed').length, count);
  for (const parallel of [1, 2, 7, WALK_PARALLEL_MAX + 50]) {
    let [reading, most] = [0, 0];
    mutables.beforeRead = async () => {
      most = Math.max(most, ++reading);
      for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve));
      reading--;
    };
    const steps = await collect(walk(context, mutableDirectory(0), { parallel }));
    t.same(shape(steps), shape(inOrder));
    t.equal(most, Math.min(parallel, WALK_PARALLEL_MAX), `${String(parallel)} at once`);
    if (parallel === 1) t.same(steps, inOrder);
  }
});

t.test('each object comes once, by whatever capability', async (t) => {
  const { context } = makeWorld();
  const [root, inner] = [mutableDirectory(0), mutableDirectory(1)];
  const reader = readCapabilityOf(crypto, inner);
  if (reader === undefined) throw new Error('it can be read');
  await openDirectory(context, inner).link([{ name: 'up', child: root }]);
  await openDirectory(context, root).link([
    { name: 'a', child: reader },
    { name: 'b', child: inner },
    { name: 'self', child: root },
  ]);
  const steps = await collect(walk(context, root));
  t.same(shape(steps), ['listed ', 'listed a', 'node ', 'node a']);
});

t.test('a damaged directory is reported and stops nothing', async (t) => {
  const { context, mutables } = makeWorld();
  await plant(context, 3, 2);
  const whole = await collect(walk(context, mutableDirectory(0)));
  mutables.setContents(mutableDirectory(9), new Uint8Array([1, 2, 3]));
  mutables.fail(
    mutableDirectory(5),
    new TahoeError('ERR_NOT_ENOUGH_SHARES', { storageIndex: 'x', needed: 3, found: 2, detail: 'x' }),
  );
  for (const parallel of [1, 4]) {
    const steps = await collect(walk(context, mutableDirectory(0), { parallel }));
    const bad = steps.flatMap((step) => (step.kind === 'unreadable' ? [step.error.code] : []));
    t.same(bad.sort(), ['ERR_DIRECTORY', 'ERR_NOT_ENOUGH_SHARES']);
    const nodes = (all: readonly WalkStep[]): number => all.filter(({ kind }) => kind === 'node').length;
    t.equal(nodes(steps), nodes(whole) - 2, 'all else was visited: two literals are missing');
  }
  mutables.fail(mutableDirectory(0), new TahoeError('ERR_DIRECTORY', { reason: 'x' }));
  t.same(shape(await collect(walk(context, mutableDirectory(0)))), ['node ', 'unreadable ']);
  mutables.fail(mutableDirectory(0), new RangeError('a fault of ours'));
  await t.rejects(collect(walk(context, mutableDirectory(0))), RangeError);
});

t.test('what cannot be opened is refused at once', async (t) => {
  const { context } = makeWorld();
  await t.rejects(walk(context, literalCapability(new Uint8Array(1))).next(), { code: 'ERR_NOT_A_DIRECTORY' });
  const verifier = verifyCapabilityOf(crypto, mutableDirectory(1));
  if (verifier === undefined) throw new Error('it can be verified');
  await t.rejects(walk(context, verifier).next(), { code: 'ERR_NOT_A_DIRECTORY', message: /only verifies/ });
});

t.test('a walk is cancelled at any step, and while it waits for ever', async (t) => {
  const { context, mutables } = makeWorld();
  await plant(context, 2, 3);
  const count = (await collect(walk(context, mutableDirectory(0)))).length;
  for (let stopAt = 0; stopAt < count; stopAt += 3) {
    const abort = new AbortController();
    let taken = 0;
    const run = async (options: WalkOptions): Promise<void> => {
      for await (const step of walk(context, mutableDirectory(0), options)) {
        t.ok(step);
        if (taken++ === stopAt) abort.abort();
      }
    };
    await t.rejects(run({ signal: abort.signal, parallel: 3 }), { code: 'ERR_CANCELLED' });
  }
  const abort = new AbortController();
  mutables.beforeRead = () => new Promise(() => undefined);
  const waiting = collect(walk(context, mutableDirectory(0), { signal: abort.signal, parallel: 4 }));
  await settle();
  abort.abort();
  await t.rejects(waiting, { code: 'ERR_CANCELLED' });
});

t.test('who stops taking steps ends the reading', async (t) => {
  const { context, mutables } = makeWorld();
  await plant(context, 4, 2);
  const signals: boolean[] = [];
  const open = mutables.open;
  const watched: DirectoryContext = {
    ...context,
    openMutable: (capability) => ({
      ...open(capability),
      read: (options) =>
        new Promise((resolve, reject) => {
          options?.signal?.addEventListener('abort', () => {
            signals.push(true);
            reject(new TahoeError('ERR_CANCELLED', { what: 'reading' }));
          });
          if (signals.length === 0 && mutables.reads++ === 0) resolve(mutables.contentsOf(mutableDirectory(0)));
        }),
    }),
  };
  mutables.reads = 0;
  for await (const step of walk(watched, mutableDirectory(0), { parallel: 4 })) if (step.path[0] === 'd2') break;
  await settle();
  t.ok(signals.length >= 2, String(signals.length));
});

t.test('progress adds up', async (t) => {
  const { context } = makeWorld();
  const count = await plant(context, 3, 2);
  const seen: WalkProgress[] = [];
  const steps = await collect(walk(context, mutableDirectory(0), { progress: (progress) => seen.push(progress) }));
  t.equal(seen.length, steps.length);
  t.same(seen.at(-1), { visitedNodes: 2 * count, finishedDirectories: count, waitingDirectories: 0 });
});

t.test('a tree without end is walked only so deep', async (t) => {
  const { context } = makeWorld();
  let number = 0;
  const endless: DirectoryContext = {
    ...context,
    openMutable: (capability) => ({
      read: () => {
        if (capability.kind !== 'ssk') throw new Error('it can be written');
        const access = { kind: 'write', writeKey: capability.writeKey } as const;
        const child = mutableDirectory(++number);
        return Promise.resolve(packDirectory(crypto, access, [{ name: 'd', child, metadata: new Map() }]));
      },
      modify: () => Promise.reject(new Error('nobody writes')),
    }),
  };
  const steps = await collect(walk(endless, mutableDirectory(0)));
  t.match(steps.at(-1), { kind: 'unreadable', error: { code: 'ERR_TOO_MANY' } });
  t.equal(steps.at(-1)?.path.length, WALK_DEPTH_MAX + 1);
});

t.test('any graph is walked once, in any order', async () => {
  const graph = fc.array(fc.array(fc.nat(7), { maxLength: 5 }), { minLength: 8, maxLength: 8 });
  await fc.assert(
    fc.asyncProperty(graph, fc.integer({ min: 1, max: 5 }), async (edges, parallel) => {
      const { context } = makeWorld();
      for (const [from, targets] of edges.entries()) {
        const links = targets.map((target, i) => ({ name: String(i), child: mutableDirectory(target) }));
        await openDirectory(context, mutableDirectory(from)).link(links);
      }
      const reachable = new Set([0]);
      for (const from of reachable) for (const target of edges[from] ?? []) reachable.add(target);
      const steps = await collect(walk(context, mutableDirectory(0), { parallel }));
      const capabilities = steps.flatMap((step) =>
        step.kind === 'node' && step.child.kind === 'directory' ? [step.child] : [],
      );
      const texts = new Set(capabilities.map((each) => dangerouslyFormatCapability(each)));
      const expected = [...reachable].map((number) => dangerouslyFormatCapability(mutableDirectory(number)));
      return capabilities.length === reachable.size && expected.every((text) => texts.has(text));
    }),
    { numRuns: 40 },
  );
});
