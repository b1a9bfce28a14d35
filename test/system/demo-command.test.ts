/** The demonstration: its parts. The whole of it is in demo-run.test.ts. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import { NodeProcess } from '#cli/demo/node-process.js';
import { Fingerprint, takeSample } from '#cli/demo/sample.js';
import { chooseSurvivors, contains, findShares } from '#cli/demo/shares.js';
import { Story } from '#cli/demo/story.js';
import { waitUntil } from '#cli/demo/waiting.js';
import { createClient } from '#node/create.js';
import { systemClock } from '#node/clock.js';
import { ManualClock, settle } from '#test/fixtures/clock.js';
import { Collector, commandContext, runInPlace, temporaryDirectory } from '../cli/fixtures/program.js';

t.test('survivors hold a share each, and anybody may be one', async (t) => {
  const shares = Array.from({ length: 10 }, (_, node) => ({ node }));
  t.same(
    chooseSurvivors(shares, 3, () => 0),
    [0, 1, 2],
  );
  t.same(
    chooseSurvivors(shares, 3, (below) => below - 1),
    [7, 8, 9],
  );
  t.same(
    chooseSurvivors([{ node: 4 }, { node: 4 }, { node: 2 }], 3, () => 0),
    [2, 4],
  );
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 10 })), fc.infiniteStream(fc.nat()), (nodes, chance) => {
      const pick = (below: number): number => (chance.next().value ?? 0) % below;
      const survivors = chooseSurvivors(
        nodes.map((node) => ({ node })),
        3,
        pick,
      );
      const holders = new Set(nodes);
      return (
        survivors.length === Math.min(3, holders.size) &&
        new Set(survivors).size === survivors.length &&
        survivors.every((node) => holders.has(node))
      );
    }),
  );
});

t.test('shares are found by their paths; uploads in progress are none', async (t) => {
  const directory = await temporaryDirectory(t);
  t.same(await findShares(1, join(directory, 'absent')), []);
  const index = 'a'.repeat(26);
  await mkdir(join(directory, 'aa', index), { recursive: true });
  await mkdir(join(directory, 'incoming', 'aa', index), { recursive: true });
  await writeFile(join(directory, 'aa', index, '7'), 'seven b');
  await writeFile(join(directory, 'aa', index, 'notes'), '');
  await writeFile(join(directory, 'incoming', 'aa', index, '8'), '');
  t.match(await findShares(4, directory), [
    { node: 4, shareNumber: 7, sizeBytes: 7, path: join(directory, 'aa', index, '7') },
  ]);
  t.equal((await findShares(4, directory)).length, 1);
});

t.test('an excerpt is found wherever it stands', async (t) => {
  const path = join(await temporaryDirectory(t), 'share');
  const excerpt = Buffer.from('thirty-two bytes of something...');
  const boundary = 1 << 20;
  for (const at of [0, 5, boundary - 31, boundary - 1, boundary, 2 * boundary - 16]) {
    const share = Buffer.alloc(2 * boundary + 100, 'x');
    excerpt.copy(share, at);
    await writeFile(path, share);
    t.equal(await contains(path, excerpt), true, String(at));
    share.write('!', at + 16);
    await writeFile(path, share);
    t.equal(await contains(path, excerpt), false, String(at));
  }
});

t.test('a file that would need no server is refused', async (t) => {
  const directory = await temporaryDirectory(t);
  await writeFile(join(directory, 'small'), Buffer.alloc(55));
  await writeFile(join(directory, 'enough'), Buffer.alloc(56));
  t.match(await takeSample(join(directory, 'enough')), { sizeBytes: 56, excerpt: undefined });
  for (const [name, sentence] of [
    ['small', /more than 55 bytes/],
    ['/dev/null', /regular file/],
    ['absent', /there is no such file/],
    ['.', /it is a directory/],
  ] as const) {
    t.match(await runInPlace(['demo', name], directory), { status: 1, stdout: '', stderr: sentence });
  }
});

t.test('a fingerprint is of all bytes, however they come', async (t) => {
  const whole = new Fingerprint();
  const parts = new Fingerprint();
  await whole.read(
    (async function* () {
      yield Buffer.from('abc');
    })(),
  );
  for await (const piece of parts.take(
    (async function* () {
      yield Buffer.from('a');
      yield Buffer.from('bc');
    })(),
  ))
    t.ok(piece);
  const result = { sizeBytes: 3, digest: 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad' };
  t.same(whole.result(), result);
  t.same(parts.result(), result);
});

t.test('the story tells the time', async (t) => {
  const clock = new ManualClock();
  const stdout = new Collector();
  const story = new Story(commandContext('/', { clock, stdout }));
  clock.advance(2340);
  await story.step('Something happens.');
  await story.explain('It means this.', 'And that.');
  t.equal(stdout.text, '[  2.3 s] Something happens.\n          It means this.\n          And that.\n');
  await new Story(commandContext('/', { clock, stdout: new Collector(), isQuiet: true })).step('nothing');
});

t.test('a wait ends when it is there, when it takes too long, or when it is given up', async (t) => {
  const clock = new ManualClock();
  const controller = new AbortController();
  const wait = { clock, signal: controller.signal, what: 'it', timeoutMs: 1000 };
  let looks = 0;
  const there = waitUntil(() => Promise.resolve(++looks === 3), wait);
  for (let i = 0; i < 3; i++) {
    await settle();
    clock.advance(25);
  }
  await there;
  t.equal(looks, 3);
  const never = waitUntil(() => Promise.resolve(false), wait);
  never.catch(() => undefined);
  await settle();
  for (let ms = 0; ms < 1000; ms += 25) {
    clock.advance(25);
    await settle();
  }
  await t.rejects(never, { code: 'ERR_TIMEOUT', message: 'it gave no answer within 1 s' });
  controller.abort(new Error('given up'));
  await t.rejects(
    waitUntil(() => Promise.resolve(true), wait),
    { message: 'given up' },
  );
});

t.test('a node that does not start is told by the end of its log', async (t) => {
  const directory = await temporaryDirectory(t);
  const start = { directory, environment: { TAHOE_NODE_WEB_PORT: 'nonsense' }, clock: systemClock, outlives: false };
  const stranger = await NodeProcess.start(start);
  const { signal } = new AbortController();
  await t.rejects(stranger.running(signal), {
    code: 'ERR_DEMO',
    message: /did not start: [^]*not a recognizable node directory/,
  });
  await stranger.stop();

  const path = join(directory, 'client');
  await createClient(path, { webport: 'none' });
  const node = await NodeProcess.start({ ...start, directory: path });
  await node.running(signal);
  t.doesNotThrow(() => process.kill(node.pid, 0));
  await node.stop();
  t.throws(() => process.kill(node.pid, 0));
  await node.kill();
});
