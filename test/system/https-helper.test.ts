/**
 * A helper and its clients as processes, over HTTPS alone: a file that goes through the helper has the capability that it has without
 * one, and is read back; one that was cut is gone on with; with the helper gone uploads go straight to the servers.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import t from 'tap';
import { dangerouslyFormatCapability } from '#core/capability/format.js';
import { SYNC_SIZE } from '#node/helper/helper-files.js';
import { seededBytes } from '#test/fixtures/crypto.js';
import { MemoryGrid } from '#test/fixtures/memory-grid.js';
import { ProcessGrid } from '#test/fixtures/process-grid.js';
import { getFile, putFile } from '../interop/gateway-talk.js';
import { figuresOf, startHelped, startHelper } from '../interop/helper-nodes.js';

const encoding = { needed: 1, happy: 2, total: 2 };
const convergenceSecret = seededBytes('convergence', 32);
const DEADLINE_MS = 60_000;

async function until(what: string, is: () => Promise<boolean> | boolean): Promise<void> {
  const deadline = Date.now() + DEADLINE_MS;
  while (!(await is())) {
    if (Date.now() > deadline) throw new Error(`${what}: not within a minute`);
    await setTimeout(20);
  }
}

async function nameOf(content: Uint8Array): Promise<string> {
  return dangerouslyFormatCapability(await new MemoryGrid(3, encoding, convergenceSecret).uploadChk(content));
}

t.test('a helper over HTTPS, without Foolscap', { timeout: 240_000 }, async (t) => {
  const grid = await ProcessGrid.start({ storage: ['ours', 'ours'], gateways: ['ours'], encoding });
  t.teardown(() => grid.stop());
  const plan = { grid, encoding, convergenceSecret };
  const helper = await startHelper(plan, 'ours');
  t.teardown(() => helper.stop('SIGKILL'));
  await helper.stop();
  await writeFile(join(helper.directory, 'tallac.cfg'), '[node]\nfoolscap = false\n');
  await helper.start();
  await grid.connected(helper);
  const client = await startHelped(plan, 'ours', helper, 'https');
  t.teardown(() => client.stop('SIGKILL'));

  const first = seededBytes('first', 3_000_000);
  const before = (await figuresOf(helper))['fetched_bytes'] ?? 0;
  t.equal(await putFile(client, first), await nameOf(first));
  t.equal(((await figuresOf(helper))['fetched_bytes'] ?? 0) - before, first.length, 'sent once');
  t.ok((await getFile(client, await nameOf(first))).equals(first));
  t.equal(await putFile(client, first), await nameOf(first));
  t.equal(((await figuresOf(helper))['fetched_bytes'] ?? 0) - before, first.length, 'and not again');

  const second = seededBytes('second', 40_000_000);
  const failing = putFile(client, second).catch((error: unknown) => String(error));
  await until('some of it is sent', async () => ((await figuresOf(helper))['incoming_size'] ?? 0) > 3 * SYNC_SIZE);
  await helper.stop('SIGKILL');
  t.match(await failing, /ERR_HELPER|did not store the file/);
  const third = seededBytes('third', 1_000_000);
  t.equal(await putFile(client, third), await nameOf(third), 'straight to the servers');
  const links = client.output.split('"helper connected"').length;
  await helper.start();
  await until('it is back', () => client.output.split('"helper connected"').length > links);
  t.equal(await putFile(client, second), await nameOf(second));
  const figures = await figuresOf(helper);
  t.ok((figures['fetched_bytes'] ?? second.length) <= second.length - 2 * SYNC_SIZE, JSON.stringify(figures));
  t.match(figures, { resumes: 1, incoming_count: 0, encoding_count: 0 });
  for (const node of [helper, client])
    t.notMatch(node.output, new RegExp((await helper.read('private/helper.nurl')).trim()));
});
