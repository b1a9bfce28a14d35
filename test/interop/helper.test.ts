/**
 * Helpers and their clients of both programs: a file that goes through a helper has the capability that it has without one, both
 * programs read it back, and the helper has fetched each byte once and kept none.
 */
import t from 'tap';
import type { Test } from 'tap';
import { seededBytes } from '#test/fixtures/crypto.js';
import { hasReference, ProcessGrid } from '#test/fixtures/process-grid.js';
import type { GridNode, Program } from '#test/fixtures/process-grid.js';
import { getFile, isHealthy, putFile } from './gateway-talk.js';
import { figuresOf, startHelped, startHelper } from './helper-nodes.js';
import type { HelperPlan } from './helper-nodes.js';

const skip = hasReference ? false : 'no reference';
const programs: readonly Program[] = ['ours', 'reference'];
const encoding = { needed: 2, happy: 3, total: 4 };
const sizes = [56, 131_072, 1_048_577, 5_000_000];

async function startGrid(t: Test): Promise<HelperPlan> {
  const convergenceSecret = seededBytes('convergence', 32);
  const storage: readonly Program[] = ['ours', 'reference', 'ours', 'reference'];
  const grid = await ProcessGrid.start({ storage, gateways: programs, encoding, convergenceSecret });
  t.teardown(() => grid.stop());
  return { grid, encoding, convergenceSecret };
}

t.test('helpers and clients of both programs', { skip, timeout: 600_000 }, async (t) => {
  const plan = await startGrid(t);
  for (const program of programs) {
    const helper = await startHelper(plan, program);
    t.teardown(() => helper.stop('SIGKILL'));
    for (const [user, way] of usersOf(program)) {
      const client = await startHelped(plan, user, helper, way);
      t.teardown(() => client.stop('SIGKILL'));
      for (const size of sizes) await one(t, plan, { client, helper, size });
      await client.stop();
    }
    t.notMatch(helper.output, /Traceback|foolscap-connection-dropped/);
    await helper.stop();
  }
});

/** Between two of ours over HTTPS as well. */
function usersOf(program: Program): readonly (readonly [Program, 'foolscap' | 'https'])[] {
  const users = programs.map((user) => [user, 'foolscap'] as const);
  return program === 'ours' ? [...users, ['ours', 'https']] : users;
}

async function one(
  t: Test,
  { grid }: HelperPlan,
  { client, helper, size }: { readonly client: GridNode; readonly helper: GridNode; readonly size: number },
): Promise<void> {
  const what = `${String(size)} bytes, ${client.name}`;
  const content = seededBytes(what, size);
  const before = await figuresOf(helper);
  const capability = await putFile(client, content);
  const after = await figuresOf(helper);
  const grown = (name: string): number => (after[name] ?? 0) - (before[name] ?? 0);
  t.equal(grown('fetched_bytes'), size, `${what}: fetched once`);
  t.equal(grown('encoded_bytes'), size, `${what}: and encoded`);
  t.same([after['incoming_count'], after['encoding_count'], after['active_uploads']], [0, 0, 0], `${what}: none kept`);
  for (const gateway of grid.gateways) {
    t.ok((await getFile(gateway, capability)).equals(content), `${what}: read by ${gateway.program}`);
    t.equal(await putFile(gateway, content), capability, `${what}: the same without a helper, of ${gateway.program}`);
  }
  t.ok(await isHealthy(grid.gateway('reference'), capability), `${what}: every share verified`);
  t.equal(await putFile(client, content), capability, `${what}: put again`);
  const again = await figuresOf(helper);
  t.equal(again['upload_already_present'], (after['upload_already_present'] ?? 0) + 1, `${what}: it is there already`);
}
