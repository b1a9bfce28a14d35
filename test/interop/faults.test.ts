/**
 * Our gateway with storage nodes of both programs, of which one of the reference's stands still or dies at the worst
 * moment: what can be read is read, what can be stored is stored, and what cannot is said.
 */
import { createHash } from 'node:crypto';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { request } from 'undici';
import { seededBytes } from '#test/fixtures/crypto.js';
import { hasReference, ProcessGrid } from '#test/fixtures/process-grid.js';
import type { GridNode } from '#test/fixtures/process-grid.js';
import { ask, getFile, pathOf, putFile } from './gateway-talk.js';
import { readShares } from './share-files.js';

const READ_TIMEOUT_MS = 60_000;
const SHARE_TIMEOUT_MS = 20_000;
const POLL_INTERVAL_MS = 2;
const WRITTEN_BYTES_MIN = 1_000_000;
/** So large that most of it is still on the servers when the first piece arrives. */
const SIZE = 40_000_000;

t.test('storage nodes that fail', { skip: hasReference ? false : 'no reference', timeout: 240_000 }, async (t) => {
  const grid = await ProcessGrid.start({
    storage: ['ours', 'reference', 'ours', 'reference'],
    gateways: ['ours', 'reference'],
    encoding: { needed: 3, happy: 4, total: 4 },
  });
  t.teardown(() => grid.stop());
  const ours = grid.gateway('ours');
  const references = grid.storage.filter((node) => node.program === 'reference');
  const content = seededBytes('content', SIZE);
  const digest = createHash('sha256').update(content).digest('hex');

  // Three of four are read from: at least one of the two that stand still was in use.
  await t.test('one stands still while a file is read', async (t) => {
    const capability = await putFile(ours, content);
    for (const node of references) {
      t.teardown(() => {
        node.resume();
      });
      t.equal(await digestOfFile(ours, capability, () => node.pause()), digest, `${node.name} paused`);
      t.equal(await digestOfFile(ours, capability, () => undefined), digest, `${node.name} paused from the start`);
      node.resume();
      await grid.connected(ours);
    }
  });

  await t.test('one dies while a file is stored, and all are needed', async (t) => {
    const [victim] = references;
    if (victim === undefined) return;
    const sent = seededBytes('never stored', SIZE);
    const [reply] = await Promise.all([ask(ours, 'uri', { method: 'PUT', body: sent }), killWhenWrittenTo(victim)]);
    t.equal(reply.status, 500);
    t.match(reply.body.toString(), /servers/);
    t.notMatch(reply.body.toString(), /URI:/);
    await victim.start();
  });

  await t.test('one dies while a file is stored, and three are enough', async (t) => {
    await grid.changeEncoding({ needed: 2, happy: 3, total: 4 });
    const [, victim] = references;
    if (victim === undefined) return;
    const sent = seededBytes('stored', SIZE);
    const [capability] = await Promise.all([putFile(ours, sent), killWhenWrittenTo(victim)]);
    const shares = await readShares(grid.storage, capability);
    t.notOk(
      shares.some(({ node }) => node === victim),
      'its share was not complete',
    );
    t.equal(new Set(shares.map(({ node }) => node)).size, 3, 'the others hold theirs');
    t.ok((await getFile(ours, capability)).equals(sent), 'read by ours');
    t.ok((await getFile(grid.gateway('reference'), capability)).equals(sent), 'read by the reference');
    await victim.start();
    await grid.connected(ours);
    t.equal(await putFile(ours, sent), capability, 'stored again, now that it is back');
    const completed = await readShares(grid.storage, capability);
    t.equal(new Set(completed.map(({ shareNumber }) => shareNumber)).size, 4, 'every share is there');
    t.ok(
      completed.some(({ node }) => node === victim),
      'one of them where it was missing',
    );
  });
});

/** Reads a file in pieces and calls `afterFirst` after the first of them. */
async function digestOfFile(gateway: GridNode, capability: string, afterFirst: () => void): Promise<string> {
  const signal = AbortSignal.timeout(READ_TIMEOUT_MS);
  const { body, statusCode } = await request(`${await gateway.url()}${pathOf(capability)}`, { signal });
  if (statusCode !== 200) throw new Error(`status ${String(statusCode)}: ${(await body.text()).slice(0, 500)}`);
  const hash = createHash('sha256');
  let pieceCount = 0;
  for await (const piece of body) {
    hash.update(piece as Buffer);
    if (pieceCount++ === 0) afterFirst();
  }
  return hash.digest('hex');
}

/** Waits until a good part of a share has been written to the node, and kills it then. */
async function killWhenWrittenTo(node: GridNode): Promise<void> {
  const incoming = join(node.directory, 'storage/shares/incoming');
  const deadline = Date.now() + SHARE_TIMEOUT_MS;
  for (;;) {
    const names = await readdir(incoming, { recursive: true }).catch(() => []);
    const sizes = await Promise.all(names.map((name) => writtenBytes(join(incoming, name))));
    if (Math.max(0, ...sizes) >= WRITTEN_BYTES_MIN) return node.stop('SIGKILL');
    if (Date.now() > deadline) throw new Error(`nothing is written to ${node.name}`);
    await new Promise((resolve) => setTimeout(resolve, POLL_INTERVAL_MS));
  }
}

/** How much of a file is on the disk: an upload has its full length from the beginning. */
async function writtenBytes(path: string): Promise<number> {
  return stat(path).then(
    (found) => found.blocks * 512,
    () => 0,
  );
}
