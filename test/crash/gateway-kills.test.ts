/**
 * Gateways and commands that are killed while they work, as processes on a grid of processes: what is there afterwards is
 * there whole or not at all, a command that ended well has done all of it, and the same once more does what it should.
 * TALLAC_KILLS is how many, TALLAC_SEED the first seed.
 */
import { once } from 'node:events';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import t from 'tap';
import type { Test } from 'tap';
import { Chance } from '#test/fixtures/chance.js';
import { seededBytes } from '#test/fixtures/crypto.js';
import { ProcessGrid } from '#test/fixtures/process-grid.js';
import { outcomeOf, startProgram, temporaryDirectory } from '../cli/fixtures/program.js';
import type { Outcome } from '../cli/fixtures/program.js';

const kills = Number(process.env['TALLAC_KILLS'] ?? 16);
const firstSeed = Number(process.env['TALLAC_SEED'] ?? 1);
/** Longer than most commands take: some come to their end. */
const LIFE_MS_MAX = 1_200;
const FILES = 24;
const LARGE_SIZE = 8_000_000;

// A server waits half an hour for the rest of a share whose gateway is dead, and meanwhile takes it from nobody else but
// that gateway when it runs again: there is no server to spare, and each file is happy only on both.
const grid = await ProcessGrid.start({
  storage: ['ours', 'ours'],
  gateways: ['ours'],
  encoding: { needed: 1, happy: 2, total: 2 },
});
t.teardown(() => grid.stop());
const gateway = grid.gateway('ours');

/** A person with files; everything of one round has the name of its seed. */
class Person {
  readonly directory: string;

  constructor(directory: string) {
    this.directory = directory;
  }

  start(words: readonly string[]): ReturnType<typeof startProgram> {
    const child = startProgram(['-d', gateway.directory, ...words], { directory: this.directory });
    child.stdin?.end();
    return child;
  }

  run(...words: readonly string[]): Promise<Outcome> {
    return outcomeOf(this.start(words));
  }

  async expect(...words: readonly string[]): Promise<string> {
    const { status, stdout, stderr } = await this.run(...words);
    if (status !== 0) throw new Error(`${words.join(' ')}: status ${String(status)}: ${stderr}`);
    return stdout;
  }

  /** Runs a command, and kills it or its gateway. @returns how it ended; the gateway runs again. */
  async runAndKill(words: readonly string[], victim: 'command' | 'gateway', lifeMs: number): Promise<Outcome> {
    const child = this.start(words);
    const outcome = outcomeOf(child);
    await Promise.race([once(child, 'exit'), setTimeout(lifeMs)]);
    if (victim === 'command') child.kill('SIGKILL');
    else await gateway.stop('SIGKILL');
    const ended = await outcome;
    if (victim === 'gateway') {
      await gateway.start();
      await grid.connected(gateway);
    }
    return ended;
  }
}

/** What is done, and what is looked at afterwards. */
interface Task {
  readonly words: readonly string[];
  /** Whether all of it is there; undefined where nothing is. @throws what is there in part. */
  look(): Promise<boolean>;
}

function contentOf(seed: number, i: number): Buffer {
  return Buffer.from(seededBytes(`${String(seed)}-${String(i)}`, 100 + i * 900));
}

function largeOf(seed: number): Buffer {
  return Buffer.from(seededBytes(`large ${String(seed)}`, LARGE_SIZE));
}

async function makeTree(directory: string, seed: number): Promise<void> {
  for (let i = 0; i < FILES; i++) {
    const path = join(directory, `tree${String(seed)}`, String(i % 3), String(i));
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, contentOf(seed, i));
  }
}

/** Whether a local copy is the tree. */
async function isTree(directory: string, seed: number): Promise<boolean> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  for (const { name, parentPath } of files) {
    if (!(await readFile(join(parentPath, name))).equals(contentOf(seed, Number(name)))) return false;
  }
  return files.length === FILES;
}

/** Whether what a path in the grid leads to is the tree, or is not there. */
async function treeAt(person: Person, seed: number, parent: string, name: string): Promise<boolean> {
  const listing = await person.run('ls', parent);
  if (listing.status === 2 || !listing.stdout.split('\n').includes(name)) return false;
  const copy = join(person.directory, `copy${String(seed)}`);
  await rm(copy, { recursive: true, force: true });
  await mkdir(copy);
  await person.expect('cp', '-r', `${parent}/${name}`.replace(':/', ':'), copy);
  if (!(await isTree(copy, seed))) throw new Error(`${parent}/${name} is there in part`);
  return true;
}

function taskOf(kind: 'put' | 'get' | 'cp' | 'backup', person: Person, seed: number): Task {
  const id = String(seed);
  const large = largeOf(kind === 'put' ? seed : 0);
  switch (kind) {
    case 'put':
      return {
        words: ['put', `large${id}`, `A:put${id}`],
        look: async () => {
          const { status, stdout } = await person.run('ls', '--json', `A:put${id}`);
          if (status !== 0) return false;
          const local = join(person.directory, 'seen');
          await person.expect('get', `A:put${id}`, local);
          if (!stdout.includes(String(LARGE_SIZE)) || !(await readFile(local)).equals(large))
            throw new Error('in part');
          return true;
        },
      };
    case 'get':
      return {
        words: ['get', 'A:large', `got${id}`],
        look: async () => {
          const bytes = await readFile(join(person.directory, `got${id}`)).catch(() => undefined);
          if (bytes?.equals(large) === false) throw new Error('the local file is there in part');
          return bytes !== undefined;
        },
      };
    case 'cp':
      return { words: ['cp', '-r', `tree${id}`, 'A:'], look: () => treeAt(person, seed, 'A:', `tree${id}`) };
    case 'backup':
      return { words: ['backup', `tree${id}`, `A:b${id}`], look: () => treeAt(person, seed, `A:b${id}`, 'Latest') };
  }
}

t.test(`${String(kills)} kills from seed ${String(firstSeed)}`, { timeout: 2_300_000 }, async (t: Test) => {
  const person = new Person(await temporaryDirectory(t));
  await writeFile(join(person.directory, 'large'), largeOf(0));
  await person.expect('create-alias', 'A');
  await person.expect('put', 'large', 'A:large');
  let interrupted = 0;
  for (let seed = firstSeed; seed < firstSeed + kills; seed++) {
    const chance = new Chance(seed);
    const kind = chance.pick(['put', 'get', 'cp', 'backup'] as const);
    const victim = chance.pick(['command', 'gateway'] as const);
    const said = `seed ${String(seed)}: ${kind}, and the ${victim} is killed`;
    if (kind === 'cp' || kind === 'backup') await makeTree(person.directory, seed);
    if (kind === 'put') await writeFile(join(person.directory, `large${String(seed)}`), largeOf(seed));
    const task = taskOf(kind, person, seed);
    const { status } = await person.runAndKill(task.words, victim, 60 + chance.below(LIFE_MS_MAX));
    const isThere = await task.look();
    if (status === 0) t.ok(isThere, `${said}: what ended well is there`);
    else interrupted++;
    await person.expect(...task.words);
    t.ok(await task.look(), `${said}: once more, and it is there`);
  }
  t.ok(interrupted >= kills / 4, `${String(interrupted)} of them were in the middle of something`);
});
