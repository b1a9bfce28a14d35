/**
 * Helpers and their clients that are killed in the middle of an upload, as processes: the same upload once more gives the right
 * capability, and what had come in is not sent again, but for the last piece that was not synced. Every other round goes over HTTPS.
 * TALLAC_KILLS is how many, TALLAC_SEED the first seed.
 */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import t from 'tap';
import type { Test } from 'tap';
import { formatBase32 } from '#core/base32.js';
import { dangerouslyFormatCapability } from '#core/capability/format.js';
import { storageIndexOf } from '#core/capability/attenuate.js';
import { SYNC_SIZE } from '#node/helper/helper-files.js';
import { Chance } from '#test/fixtures/chance.js';
import { crypto, seededBytes } from '#test/fixtures/crypto.js';
import { MemoryGrid } from '#test/fixtures/memory-grid.js';
import { ProcessGrid } from '#test/fixtures/process-grid.js';
import type { GridNode } from '#test/fixtures/process-grid.js';
import { getFile, putFile } from '../interop/gateway-talk.js';
import { figuresOf, startHelped, startHelper } from '../interop/helper-nodes.js';

const kills = Number(process.env['TALLAC_KILLS'] ?? 8);
const firstSeed = Number(process.env['TALLAC_SEED'] ?? 1);
const SIZE = 12_000_000;
/** Of those that are killed at any moment. */
const LIFE_MS_MAX = 700;
const CONNECT_TIMEOUT_MS = 60_000;

// A server waits half an hour for the rest of a share whose uploader is dead, and meanwhile takes it from nobody else but
// that uploader when it runs again: there is no server to spare, and each file is happy only on both.
const encoding = { needed: 1, happy: 2, total: 2 };
const convergenceSecret = seededBytes('convergence', 32);

interface Subject {
  readonly helper: GridNode;
  readonly client: GridNode;
}

/** What a file is called, and where it is held on its way. */
async function namesOf(content: Uint8Array): Promise<{ readonly capability: string; readonly name: string }> {
  const capability = await new MemoryGrid(3, encoding, convergenceSecret).uploadChk(content);
  const storageIndex = storageIndexOf(crypto, capability) ?? new Uint8Array(0);
  return { capability: dangerouslyFormatCapability(capability), name: formatBase32(storageIndex) };
}

/** What a helper has of a file, in bytes; whole files are the last to count. */
async function heldBy(helper: GridNode, name: string): Promise<number> {
  const sizes = ['CHK_incoming', 'CHK_encoding'].map(async (folder) => {
    const found = await stat(join(helper.directory, 'helper', folder, name)).catch(() => undefined);
    return found?.size ?? 0;
  });
  return Math.max(...(await Promise.all(sizes)));
}

/** Waits until the helper has so many bytes of a file, or `lifeMs` are over, or nobody waits any more. */
async function untilHeld(
  helper: GridNode,
  name: string,
  { lifeMs, signal, target }: { readonly target: number; readonly lifeMs: number; readonly signal: AbortSignal },
): Promise<void> {
  const deadline = Date.now() + lifeMs;
  while (Date.now() < deadline && !signal.aborted && (await heldBy(helper, name)) <= target) await setTimeout(2);
}

/** Waits until the client has found its helper so many times in this life. */
async function linked(client: GridNode, times: number): Promise<void> {
  const deadline = Date.now() + CONNECT_TIMEOUT_MS;
  while (client.output.split('"helper connected"').length - 1 < times) {
    if (Date.now() > deadline) throw new Error(`the client does not find its helper: ${client.output}`);
    await setTimeout(20);
  }
}

async function kill(subject: Subject, victim: keyof Subject): Promise<void> {
  const node = subject[victim];
  await node.stop('SIGKILL');
}

async function revive({ client, helper }: Subject, victim: keyof Subject, links: number): Promise<void> {
  if (victim === 'helper') await helper.start();
  else await client.start();
  await linked(client, victim === 'helper' ? links + 1 : 1);
}

const linksOf = (client: GridNode): number => client.output.split('"helper connected"').length - 1;

/** @returns whether the kill came in the middle of something. */
async function round(t: Test, subject: Subject, seed: number, way: string): Promise<boolean> {
  const chance = new Chance(seed);
  const victim = chance.pick(['helper', 'client'] as const);
  const said = `seed ${String(seed)}, over ${way}: the ${victim} is killed`;
  const content = seededBytes(said, SIZE);
  const { capability, name } = await namesOf(content);
  const links = linksOf(subject.client);
  const before = (await figuresOf(subject.helper))['fetched_bytes'] ?? 0;
  const outcome = putFile(subject.client, content).catch((error: unknown) => error);
  // Most when so much of the file has come in, so that it does not depend on how fast that is; some at any moment.
  const target = chance.below(4) === 0 ? Infinity : chance.below(SIZE);
  const lifeMs = target === Infinity ? 30 + chance.below(LIFE_MS_MAX) : CONNECT_TIMEOUT_MS;
  const over = new AbortController();
  const ended = outcome.finally(() => {
    over.abort();
  });
  await Promise.race([ended, untilHeld(subject.helper, name, { target, lifeMs, signal: over.signal })]);
  await kill(subject, victim);
  const first = await outcome;
  if (typeof first === 'string') t.equal(first, capability, `${said}: what ended well has the right name`);
  const held = await heldBy(subject.helper, name);
  await revive(subject, victim, links);
  t.equal(await putFile(subject.client, content), capability, `${said}: once more, and it has the right name`);
  const fetched = (await figuresOf(subject.helper))['fetched_bytes'] ?? 0;
  // The client's death takes nothing from the helper; its own takes what was not synced.
  const limit = victim === 'client' ? before + SIZE : SIZE - Math.floor(Math.max(0, held - 1) / SYNC_SIZE) * SYNC_SIZE;
  const told = `${said}: ${String(fetched)} bytes fetched, ${String(held)} were there`;
  t.ok(fetched <= limit, told);
  t.ok((await getFile(subject.client, capability)).equals(content), `${said}: it is read back`);
  t.equal(await heldBy(subject.helper, name), 0, `${said}: nothing is left`);
  return typeof first !== 'string' && held > 0;
}

t.test(`${String(kills)} kills from seed ${String(firstSeed)}`, { timeout: 2_300_000 }, async (t) => {
  const grid = await ProcessGrid.start({ storage: ['ours', 'ours'], gateways: ['ours'], encoding });
  t.teardown(() => grid.stop());
  const plan = { grid, encoding, convergenceSecret };
  const helper = await startHelper(plan, 'ours');
  t.teardown(() => helper.stop('SIGKILL'));
  const ways = ['foolscap', 'https'] as const;
  const interrupted = { foolscap: 0, https: 0 };
  for (const [i, way] of ways.entries()) {
    const client = await startHelped(plan, 'ours', helper, way);
    t.teardown(() => client.stop('SIGKILL'));
    for (let seed = firstSeed + i; seed < firstSeed + kills; seed += ways.length) {
      if (await round(t, { helper, client }, seed, way)) interrupted[way]++;
    }
    await client.stop();
  }
  for (const [way, count] of Object.entries(interrupted)) {
    t.ok(count >= Math.floor(kills / 8), `${String(count)} over ${way} had sent a part of the file`);
  }
});
