/**
 * Commands that are killed at any moment: nothing that is there in part passes for whole, and the same command once
 * more does what it should. TALLAC_KILLS is how many, TALLAC_SEED the first seed.
 */
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import t from 'tap';
import type { Test } from 'tap';
import { Chance } from '#test/fixtures/chance.js';
import { GatewayUser } from '../cli/fixtures/gateway-user.js';
import { startProgram } from '../cli/fixtures/program.js';

const kills = Number(process.env['TALLAC_KILLS'] ?? 24);
const firstSeed = Number(process.env['TALLAC_SEED'] ?? 1);
/** Longer than a command takes: some come to their end. */
const LIFE_MS_MAX = 900;
const FILES = 30;

const contentOf = (i: number): string => `file ${String(i)} `.repeat(100 + i * 30);
const files = Object.fromEntries(
  Array.from({ length: FILES }, (_none, i) => [`tree/${String(i % 3)}/${String(i)}.txt`, contentOf(i)]),
);

/** Runs a command for a while. */
async function runAndKill(user: GatewayUser, words: readonly string[], lifeMs: number): Promise<void> {
  const child = startProgram(words, { directory: user.directory, stdio: 'ignore' });
  const ended = once(child, 'exit');
  await Promise.race([ended, setTimeout(lifeMs)]);
  child.kill('SIGKILL');
  await ended;
}

/** Every file below a local directory that has its own name is whole. */
async function checkLocal(t: Test, user: GatewayUser, below: string): Promise<void> {
  const entries = await readdir(join(user.directory, below), { recursive: true, withFileTypes: true }).catch(() => []);
  for (const entry of entries.filter((one) => one.isFile() && !one.name.endsWith('.unfinished'))) {
    const text = await readFile(join(entry.parentPath, entry.name), 'utf8');
    t.equal(text, contentOf(Number.parseInt(entry.name)), `${entry.name} is whole`);
  }
}

t.test(`${String(kills)} kills from seed ${String(firstSeed)}`, { timeout: 850_000 }, async (t) => {
  for (let seed = firstSeed; seed < firstSeed + kills; seed += 3) {
    const chance = new Chance(seed);
    const life = (): number => 50 + chance.below(LIFE_MS_MAX);
    const user = await GatewayUser.make(t, files);
    const tree = Object.keys(files).length;

    await runAndKill(user, ['cp', '-r', 'tree', 'A:'], life());
    const { stdout } = await user.run(['ls', 'A:']);
    if (stdout.includes('tree')) await user.expect('cp', '-r', 'A:tree', 'seen');
    const seen = stdout.includes('tree') ? (await user.names('seen/tree')).length : 0;
    t.ok(seen === 0 || seen === tree, `seed ${String(seed)}: cp up: ${String(seen)} of ${String(tree)} are there`);
    await user.expect('cp', '-r', 'tree', 'A:');

    await runAndKill(user, ['cp', '-r', 'A:tree', 'down'], life());
    await checkLocal(t, user, 'down');
    await user.expect('cp', '-r', 'A:tree', 'down');
    t.equal((await user.names('down/tree')).filter((name) => !name.endsWith('.unfinished')).length, tree);

    await runAndKill(user, ['backup', 'tree', 'A:b'], life());
    const latest = await user.run(['ls', 'A:b/Latest']);
    if (latest.status === 0) t.equal(latest.stdout, '0\n1\n2\n', 'Latest is whole');
    const again = await user.expect('backup', 'tree', 'A:b');
    t.match(again, new RegExp(`${String(tree)} files|reused`));
    await user.expect('cp', '-r', 'A:b/Latest', 'restored');
    t.equal((await user.names('restored/Latest')).length, tree);
    await checkLocal(t, user, 'restored');
  }
});
