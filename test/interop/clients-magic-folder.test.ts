/**
 * magic-folder, unchanged: two participants, each with a gateway of ours, see each other's files, changes and deletions.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import type { Test } from 'tap';
import { allocatePort } from '#node/endpoint.js';
import { seededBytes } from '#test/fixtures/crypto.js';
import { findProgram, Home } from '#test/fixtures/foreign-programs.js';
import { ProcessGrid } from '#test/fixtures/process-grid.js';

const WAIT_MS = 90_000;

/** Looks until it is so, or it has been too long. */
async function until(what: string, isSo: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + WAIT_MS;
  while (!(await isSo())) {
    if (Date.now() > deadline) throw new Error(`it took too long until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

/** One of them: a daemon, a folder and the programs that talk to it. */
class Participant {
  readonly folder: string;
  readonly #name: string;
  readonly #home: Home;
  readonly #programs: Readonly<Record<'folder' | 'api', string>>;

  constructor(name: string, home: Home, programs: Readonly<Record<'folder' | 'api', string>>) {
    this.#name = name;
    this.#home = home;
    this.#programs = programs;
    this.folder = join(home.directory, 'documents');
  }

  async start(t: Test, nodeDirectory: string): Promise<void> {
    const endpoint = `tcp:${String(await allocatePort())}:interface=127.0.0.1`;
    await this.folderDo('init', '--listen-endpoint', endpoint, '--node-directory', nodeDirectory);
    const { directory: cwd, environment: env } = this.#home;
    const daemon = spawn(this.#programs.folder, ['--config', 'settings', 'run'], {
      cwd,
      env,
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    t.teardown(async () => {
      if (daemon.exitCode !== null || daemon.signalCode !== null) return;
      const ended = once(daemon, 'exit');
      daemon.kill('SIGKILL');
      await ended;
    });
    let said = '';
    for (const stream of [daemon.stdout, daemon.stderr])
      stream.on('data', (piece: Buffer) => (said += piece.toString()));
    await until(`the daemon of ${this.#name} runs: ${said}`, () =>
      Promise.resolve(/Connected to [0-9]+ storage/.test(said)),
    );
    await mkdir(this.folder);
    const often = ['--poll-interval', '1', '--scan-interval', '1'];
    await this.folderDo('add', '--name', 'docs', '--author', this.#name, ...often, this.folder);
  }

  /** The capability under which others read what this one writes. */
  async personalDirectory(): Promise<string> {
    const { [this.#name]: own } = JSON.parse(await this.#apiDo('list-participants')) as Record<
      string,
      { personal_dmd: string }
    >;
    if (own === undefined) throw new Error('it is no participant of its own folder');
    return own.personal_dmd;
  }

  async know(name: string, capability: string): Promise<void> {
    await this.#apiDo('add-participant', '--author-name', name, '--personal-dmd', capability);
  }

  read(name: string): Promise<Buffer | undefined> {
    return readFile(join(this.folder, name)).catch(() => undefined);
  }

  folderDo(...words: string[]): Promise<string> {
    return this.#home.expect(this.#programs.folder, '--config', 'settings', ...words);
  }

  #apiDo(operation: string, ...words: string[]): Promise<string> {
    return this.#home.expect(this.#programs.api, '--config', 'settings', operation, '--folder', 'docs', ...words);
  }
}

t.test('two participants', { timeout: 400_000 }, async (t) => {
  const folder = findProgram(t, 'magic-folder');
  const api = folder === undefined ? undefined : findProgram(t, 'magic-folder-api');
  if (folder === undefined || api === undefined) return;
  const encoding = { needed: 1, happy: 1, total: 2 };
  const grid = await ProcessGrid.start({ storage: ['ours'], gateways: ['ours', 'ours'], encoding });
  t.teardown(() => grid.stop());
  const people = await Promise.all(
    grid.gateways.map(async ({ directory }, i) => {
      const home = await mkdtemp(join(tmpdir(), 'tallac-magic-'));
      t.teardown(() => rm(home, { recursive: true, force: true, maxRetries: 5 }));
      const one = new Participant(`person${String(i)}`, await Home.make(home, directory), { folder, api });
      await one.start(t, directory);
      return one;
    }),
  );
  const [first, second] = people;
  if (first === undefined || second === undefined) throw new RangeError('two people');
  await first.know('person1', await second.personalDirectory());
  await second.know('person0', await first.personalDirectory());

  const picture = Buffer.from(seededBytes('picture', 300_000));
  await mkdir(join(first.folder, 'sub'));
  await writeFile(join(first.folder, 'sub/picture é'), picture);
  await writeFile(join(first.folder, 'letter'), 'from the first\n');
  const has = (who: Participant, name: string, content: Buffer | string) => async (): Promise<boolean> =>
    (await who.read(name))?.equals(Buffer.from(content)) === true;
  await until('the second has the letter', has(second, 'letter', 'from the first\n'));
  await until('and the picture', has(second, 'sub/picture é', picture));
  await writeFile(join(second.folder, 'letter'), 'from the first\nand the second\n');
  await writeFile(join(second.folder, 'answer'), 'an answer\n');
  await until('the first has the answer', has(first, 'answer', 'an answer\n'));
  await until('and the change', has(first, 'letter', 'from the first\nand the second\n'));
  await rm(join(first.folder, 'answer'));
  await until('it is gone at the second, too', async () => (await second.read('answer')) === undefined);
  t.match(await second.read('letter'), Buffer.from('from the first\nand the second\n'));
  t.pass('files, changes and a deletion went both ways');
});
