/** Invitations between the two programs, through the mailbox server that magic-wormhole's own users have. */
import t from 'tap';
import type { Test } from 'tap';
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { allocatePort } from '#node/endpoint.js';
import { commandOf, hasReference, referenceCommand } from '../fixtures/process-grid.js';
import type { Program } from '../fixtures/process-grid.js';

const INTRODUCER = 'pb://iivrxpsm5nqsxzptgkx5pmgsyfcqwyir@tcp:127.0.0.1:40000/2wsuxpcjjvhqhkqt3ihoszmdcvcqa3qj';

/** What a command printed when it ended. */
interface Ended {
  readonly status: number | null;
  readonly output: string;
}

class Running {
  readonly #child: ChildProcess;
  output = '';

  constructor(program: Program, args: readonly string[], input = '') {
    const [file, words] = commandOf(program, args);
    this.#child = spawn(file, words, { env: { ...process.env, NODE_OPTIONS: '', PYTHONUNBUFFERED: '1' } });
    const take = (chunk: Buffer): void => {
      this.output += chunk.toString();
    };
    this.#child.stdout?.on('data', take);
    this.#child.stderr?.on('data', take);
    this.#child.stdin?.end(input);
  }

  async code(): Promise<string> {
    for (;;) {
      const code = /Invite Code for client: (\S+)\n/.exec(this.output)?.[1];
      if (code !== undefined) return code;
      if (this.#child.exitCode !== null) throw new Error(`there is no code: ${this.output}`);
      await delay(50);
    }
  }

  async ended(): Promise<Ended> {
    if (this.#child.exitCode === null) await once(this.#child, 'exit');
    return { status: this.#child.exitCode, output: this.output };
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }
}

/** Starts the mailbox server. @returns its address. */
async function startMailboxServer(t: Test): Promise<string> {
  const port = String(await allocatePort());
  const directory = await mkdtemp(join(tmpdir(), 'tallac-mailbox-'));
  const twist = join(dirname(referenceCommand), 'twist');
  const server = spawn(twist, ['wormhole-mailbox', `--port=tcp:${port}:interface=127.0.0.1`], { cwd: directory });
  t.teardown(async () => {
    server.kill('SIGKILL');
    await rm(directory, { recursive: true, force: true });
  });
  for (;;) {
    const socket = connect(Number(port), '127.0.0.1');
    const answer = await Promise.race([once(socket, 'connect'), once(socket, 'error')]).catch(() => undefined);
    socket.destroy();
    if (answer?.length === 0) return `ws://127.0.0.1:${port}/v1`;
    if (server.exitCode !== null) throw new Error('the mailbox server has ended');
    await delay(100);
  }
}

t.test(
  'invitations between the two programs',
  { skip: hasReference ? false : 'the reference is not installed' },
  async (t) => {
    const relay = await startMailboxServer(t);
    const directory = await mkdtemp(join(tmpdir(), 'tallac-invitation-'));
    t.teardown(() => rm(directory, { recursive: true, force: true }));
    for (const inviter of ['ours', 'reference'] as const) {
      const home = join(directory, inviter);
      const made = new Running(inviter, ['create-client', `--introducer=${INTRODUCER}`, '--shares-total=5', home]);
      t.equal((await made.ended()).status, 0);
      for (const joiner of ['ours', 'reference'] as const) {
        const name = `${inviter} invites ${joiner}`;
        const place = join(directory, `${inviter}-${joiner}`);
        const inviting = new Running(inviter, [
          ...['--wormhole-server', relay, '-d', home],
          ...['invite', '--shares-needed=2', '--shares-happy=4', 'Zoë’s node'],
        ]);
        const code = await inviting.code();
        const words = ['--wormhole-server', relay, 'create-client', `--join=${code}`, place];
        const joined = await new Running(joiner, words).ended();
        const ended = await inviting.ended();
        t.equal(ended.status, 0, `${name}: ${ended.output}`);
        t.match(
          ended.output,
          /received client introduction\n {2}transmitting configuration\nCompleted successfully\n$/,
        );
        t.equal(joined.status, 0, `${name}: ${joined.output}`);
        t.match(
          joined.output,
          /Encoding: 2 of 5 shares, on at least 4 servers\nOverriding the following config:\n/,
          name,
        );
        t.notMatch(joined.output, INTRODUCER, 'the address of the introducer is not shown');
        const settings = await readFile(join(place, 'tahoe.cfg'), 'utf8');
        const lines = ['shares.needed = 2', 'shares.happy = 4', 'shares.total = 5', 'nickname = Zoë’s node'];
        // The reference tells counts as texts, and writes a text as b'2'.
        const isGarbled = inviter === 'reference' && joiner === 'reference';
        for (const line of lines.slice(isGarbled ? 3 : 0)) t.ok(settings.includes(`${line}\n`), `${name}: ${line}`);
        t.ok((await readFile(join(place, 'private/introducers.yaml'), 'utf8')).includes(INTRODUCER), name);
      }
    }
  },
);

t.test('a wrong code', { skip: hasReference ? false : 'the reference is not installed' }, async (t) => {
  const relay = await startMailboxServer(t);
  const directory = await mkdtemp(join(tmpdir(), 'tallac-invitation-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  const home = join(directory, 'home');
  await new Running('ours', ['create-client', `--introducer=${INTRODUCER}`, home]).ended();
  for (const inviter of ['ours', 'reference'] as const) {
    const place = join(directory, inviter);
    const inviting = new Running(inviter, ['--wormhole-server', relay, '-d', home, 'invite', 'x']);
    const [nameplate = ''] = (await inviting.code()).split('-');
    const words = ['--wormhole-server', relay, 'create-client', '--join=-', place];
    const { output, status } = await new Running('ours', words, `${nameplate}-wrong-words\n`).ended();
    t.equal(status, 1);
    t.match(output, /does not have the same code/, `invited by ${inviter}`);
    t.not((await inviting.ended()).status, 0);
    await t.rejects(readFile(join(place, 'tahoe.cfg')), 'nothing is made');
  }
});
