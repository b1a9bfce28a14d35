/**
 * Gateways of both programs write to one directory and to one file at the same time.
 *
 * Ours add to a directory all at once, on storage nodes of both programs: every acknowledged entry is there in the end.
 * So it is when the reference's gateways add too, as long as each has the directory for itself while it writes. Without
 * that, acknowledged entries may go, as has been seen also between two of the reference's on its own storage nodes: how
 * many is told, and what is left must be readable by both and written by somebody. The reference's code has one way to
 * that: a change that met another is tried again on the version that was read at first (`MutableFileVersion._version`
 * in mutable/filenode.py), out of a map that forgets no share until its server shows another. Whether it is the only
 * way is not known. Who writes over a file without reading it gets an error or a version of its own.
 * TALLAC_RACE_CHANGES is the number of each writer's changes (200 in the long version).
 */
import t from 'tap';
import type { Test } from 'tap';
import { parseCapability } from '#core/capability/parse.js';
import { MutableFile } from '#client/mutable/mutable-file.js';
import { openLibraryClient } from '#test/fixtures/library-client.js';
import { hasReference, ProcessGrid } from '#test/fixtures/process-grid.js';
import type { GridNode } from '#test/fixtures/process-grid.js';
import { ask, getFile, makeDirectory, namesIn, pathOf, putMutable } from './gateway-talk.js';

const skip = hasReference ? false : 'no reference';
const changes = Number(process.env.TALLAC_RACE_CHANGES ?? '3');
/** A change that fails is tried so often; then it counts as given up, which is no loss: nobody was told that it is done. */
const TRIES_MAX = 20;
const encoding = { needed: 2, happy: 2, total: 4 };
const CHILD = 'URI:LIT:nbswy3dp';
/** The reference's writers, told that they met another, may leave too few shares of any version behind. */
const LEFT_NOTHING = 'nothing that can be recovered was left; the next write of ours';

interface Outcome {
  readonly acknowledged: string[];
  readonly tried: string[];
  met: number;
}

type Change = (gateway: GridNode, name: string) => Promise<number>;

/** Every writer makes its changes, one after the other, and all writers at once. */
async function race(writers: readonly GridNode[], change: Change): Promise<Outcome> {
  const outcome: Outcome = { acknowledged: [], tried: [], met: 0 };
  const work = async (gateway: GridNode): Promise<void> => {
    for (let i = 0; i < changes; i++) {
      const name = `${gateway.name} ${String(i)}`;
      outcome.tried.push(name);
      for (let tries = 0; tries < TRIES_MAX; tries++) {
        const status = await change(gateway, name);
        if (status < 300) {
          outcome.acknowledged.push(name);
          break;
        }
        if (![409, 410, 500, 503].includes(status)) throw new Error(`${gateway.name} answers ${String(status)}`);
        outcome.met++;
      }
    }
  };
  await Promise.all(writers.map(work));
  return outcome;
}

/** The same, where a change of the reference's waits for all others to end, and they for it. */
function withTurns(change: Change): Change {
  let shared: Promise<unknown>[] = [];
  let alone: Promise<unknown> = Promise.resolve();
  return (gateway, name) => {
    const turn = (): Promise<number> => change(gateway, name);
    if (gateway.program === 'ours') {
      const done = alone.then(turn);
      shared.push(done.catch(() => undefined));
      return done;
    }
    const done = Promise.all([alone, ...shared]).then(turn);
    shared = [];
    alone = done.catch(() => undefined);
    return done;
  };
}

async function putEntry(gateway: GridNode, directory: string, name: string): Promise<number> {
  const path = `${pathOf(directory)}/${encodeURIComponent(name)}?t=uri`;
  return (await ask(gateway, path, { method: 'PUT', body: Buffer.from(CHILD) })).status;
}

async function sequenceNumberOf(grid: ProcessGrid, text: string): Promise<number> {
  const capability = parseCapability(text);
  if (capability.kind !== 'ssk') throw new Error('no file was made');
  const client = await openLibraryClient(grid.storage, encoding);
  try {
    return (await new MutableFile(client.context, capability).read()).version.sequenceNumber;
  } finally {
    await client.close();
  }
}

function withoutReason(names: readonly string[], expected: readonly string[]): string[] {
  return names.filter((name) => !expected.includes(name));
}

t.test('writers of both programs', { skip, timeout: 10_800_000 }, async (t) => {
  const programs = ['ours', 'reference', 'ours', 'reference'] as const;
  const ours = Array.from({ length: 8 }, () => 'ours' as const);
  const theirs = Array.from({ length: 4 }, () => 'reference' as const);
  const grid = await ProcessGrid.start({ storage: programs, gateways: [...ours, ...theirs], encoding });
  t.teardown(() => grid.stop());
  const own = grid.gateways.filter(({ program }) => program === 'ours');
  const others = grid.gateways.filter(({ program }) => program === 'reference');
  const [first, other] = [own[0], others[0]];
  if (first === undefined || other === undefined) throw new Error('a gateway is missing');
  const both = (count: number): GridNode[] => [...own.slice(0, count / 2), ...others.slice(0, count / 2)];
  const add = (t: Test, writers: readonly GridNode[], prepare: (change: Change) => Change) => async () => {
    const directory = await makeDirectory(first, 'sdmf');
    const outcome = await race(
      writers,
      prepare((gateway, name) => putEntry(gateway, directory, name)),
    );
    const { acknowledged, met, tried } = outcome;
    t.comment(`${String(acknowledged.length)} of ${String(tried.length)} acknowledged, told ${String(met)} times`);
    const isMixed = prepare !== withTurns && writers.some(({ program }) => program === 'reference');
    if (isMixed && (await ask(first, `${pathOf(directory)}?t=json`)).status === 410) {
      t.comment(`${LEFT_NOTHING} makes the directory again`);
      tried.push('the next');
      t.equal(await putEntry(first, directory, 'the next'), 200, 'who adds next is not held up');
    }
    const names = await Promise.all([namesIn(first, directory), namesIn(other, directory)]);
    t.strictSame(names[0], names[1], 'both programs list the same');
    t.strictSame(withoutReason(names[0], tried), [], 'and nothing that nobody added');
    return { ...outcome, lost: withoutReason(acknowledged, names[0]) };
  };
  for (const count of [2, 4, 8]) {
    await t.test(`${String(count)} of ours add to a directory at once`, async (t) => {
      const { acknowledged, lost, tried } = await add(t, own.slice(0, count), (change) => change)();
      t.strictSame(lost, [], 'every acknowledged entry is there');
      t.equal(acknowledged.length, tried.length, 'nobody gave up');
    });
    await t.test(`${String(count)} of both add to a directory, the reference's by turns`, async (t) => {
      const { acknowledged, lost, tried } = await add(t, both(count), withTurns)();
      t.strictSame(lost, [], 'every acknowledged entry is there');
      t.equal(acknowledged.length, tried.length, 'nobody gave up');
    });
    await t.test(`${String(count)} of both add to a directory at once`, async (t) => {
      const { acknowledged, lost } = await add(t, both(count), (change) => change)();
      t.comment(
        `${String(lost.length)} of ${String(acknowledged.length)} acknowledged entries are gone: ${lost.join()}`,
      );
    });
    await t.test(`${String(count)} of both write over a file`, async (t) => {
      const file = await putMutable(first, Buffer.from('the first'), 'sdmf');
      const before = await sequenceNumberOf(grid, file);
      const { acknowledged, met, tried } = await race(both(count), async (gateway, name) => {
        return (await ask(gateway, pathOf(file), { method: 'PUT', body: Buffer.from(name) })).status;
      });
      t.comment(`${String(acknowledged.length)} of ${String(tried.length)} acknowledged, told ${String(met)} times`);
      if ((await ask(first, pathOf(file))).status === 410) {
        t.comment(`${LEFT_NOTHING} makes the file again`);
        const again = await ask(first, pathOf(file), { method: 'PUT', body: Buffer.from(tried[0] ?? '') });
        t.equal(again.status, 200, 'who writes next is not held up');
      }
      t.ok(tried.includes((await getFile(first, file)).toString()), 'what is there was written by one of them');
      const made = (await sequenceNumberOf(grid, file)) - before;
      t.ok(made >= acknowledged.length, `${String(made)} versions for ${String(acknowledged.length)} acknowledged`);
    });
  }
});
