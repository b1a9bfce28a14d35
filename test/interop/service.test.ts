/**
 * A node under a service manager: what it tells through systemd-notify, in which order, with a socket in systemd's place;
 * and what systemd's own programs say of the unit file.
 */
import { spawn, spawnSync } from 'node:child_process';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import type { Test } from 'tap';
import { findProgram } from '#test/fixtures/foreign-programs.js';
import { outcomeOf, runInPlace, startProgram, temporaryDirectory } from '../cli/fixtures/program.js';

const receiver = fileURLToPath(new URL('../../../test/interop/notify-socket.py', import.meta.url));
const unit = fileURLToPath(new URL('../../../deploy/tallac@.service', import.meta.url));
/** The node gives a sign of life every 200 ms. */
const WATCHDOG_USEC = '400000';
const SILENCE_MS = 1_500;
/** What `systemd-analyze security` may find at most, in tenths: 0 is sealed, 100 open. */
const EXPOSURE_MAX = 20;

/** What came through the socket, message by message. */
class Messages {
  readonly #waiting: string[] = [];
  #wake: () => void = () => undefined;

  constructor(lines: NodeJS.ReadableStream) {
    createInterface({ input: lines }).on('line', (line) => {
      const words = (JSON.parse(line) as string[]).filter((word) => word !== 'BARRIER=1');
      if (words.length === 0) return;
      this.#waiting.push(words.join(' ').replace(/(MONOTONIC_USEC=)[0-9]+/, '$1N'));
      this.#wake();
    });
  }

  /** The next message. */
  async next(): Promise<string> {
    while (this.#waiting.length === 0) await new Promise<void>((resolve) => (this.#wake = resolve));
    return this.#waiting.shift() ?? '';
  }

  /** The next one that is no sign of life. */
  async nextWord(): Promise<string> {
    for (;;) {
      const message = await this.next();
      if (message !== 'WATCHDOG=1') return message;
    }
  }

  /** Waits until none has come for a while. */
  async silence(): Promise<void> {
    do {
      this.#waiting.length = 0;
      await new Promise((resolve) => setTimeout(resolve, SILENCE_MS));
    } while (this.#waiting.length > 0);
  }
}

async function nodeUnderSystemd(t: Test, ...words: readonly string[]) {
  const [python, notify] = [findProgram(t, 'python3'), findProgram(t, 'systemd-notify')];
  if (python === undefined || notify === undefined) return undefined;
  const directory = await temporaryDirectory(t);
  const socket = join(directory, 'notify');
  const listener = spawn(python, [receiver, socket], { stdio: ['ignore', 'pipe', 'inherit'] });
  t.teardown(() => listener.kill('SIGKILL'));
  await new Promise((resolve) => listener.stdout.once('readable', resolve));
  const messages = new Messages(listener.stdout);
  await runInPlace([...words, 'node'], directory);
  const environment = { NOTIFY_SOCKET: socket, WATCHDOG_USEC };
  const node = startProgram(['run', '--allow-stdin-close', 'node'], { directory, environment });
  t.teardown(() => node.kill('SIGKILL'));
  return { directory, messages, node, ended: outcomeOf(node) };
}

t.test('start, reload, a reload that is refused, stop: the exact order', async (t) => {
  const started = await nodeUnderSystemd(t, 'create-client', '--webport=tcp:0:interface=127.0.0.1');
  if (started === undefined) return;
  const { directory, ended, messages, node } = started;
  t.equal(await messages.next(), 'READY=1 STATUS=serving', 'nothing comes before it');
  t.equal(await messages.next(), 'WATCHDOG=1');
  node.kill('SIGHUP');
  t.equal(await messages.nextWord(), 'RELOADING=1 MONOTONIC_USEC=N');
  t.equal(await messages.nextWord(), 'READY=1 STATUS=serving');
  const path = join(directory, 'node/tahoe.cfg');
  await writeFile(path, (await readFile(path, 'utf8')).replace('shares.needed = 3', 'shares.needed = many'));
  node.kill('SIGHUP');
  t.equal(await messages.nextWord(), 'RELOADING=1 MONOTONIC_USEC=N');
  t.match(await messages.nextWord(), /^READY=1 STATUS=serving with the configuration of before: .*shares\.needed/);
  t.equal(await messages.next(), 'WATCHDOG=1', 'and it goes on');
  node.kill('SIGTERM');
  t.equal(await messages.nextWord(), 'STOPPING=1 STATUS=stopping');
  t.match(await ended, { status: 0, stderr: '' });
  await messages.silence();
});

t.test('a node that hangs gives no sign of life, also one without a gateway', async (t) => {
  const started = await nodeUnderSystemd(t, 'create-client', '--webport=none');
  if (started === undefined) return;
  const { ended, messages, node } = started;
  t.equal(await messages.next(), 'READY=1 STATUS=serving');
  for (let i = 0; i < 3; i++) t.equal(await messages.next(), 'WATCHDOG=1');
  node.kill('SIGSTOP');
  await messages.silence();
  t.pass('systemd would have ended it by now');
  node.kill('SIGCONT');
  t.equal(await messages.next(), 'WATCHDOG=1', 'it was only asleep');
  node.kill('SIGTERM');
  t.equal(await messages.nextWord(), 'STOPPING=1 STATUS=stopping');
  t.match(await ended, { status: 0 });
});

t.test('a node that is not well gives none either, and says why', async (t) => {
  const storage = ['create-node', '--webport=none', '--listen=tcp', '--hostname=127.0.0.1'];
  const started = await nodeUnderSystemd(t, ...storage);
  if (started === undefined) return;
  const { directory, ended, messages, node } = started;
  t.equal(await messages.next(), 'READY=1 STATUS=serving');
  t.equal(await messages.next(), 'WATCHDOG=1');
  await rename(join(directory, 'node/storage'), join(directory, 'gone'));
  t.match(await messages.nextWord(), /^STATUS=not well: the share store's disk: /);
  t.match(await messages.next(), /^STATUS=not well/, 'and no sign of life meanwhile');
  await rename(join(directory, 'gone'), join(directory, 'node/storage'));
  let message = await messages.next();
  while (message.startsWith('STATUS=not well')) message = await messages.next();
  t.equal(message, 'WATCHDOG=1');
  node.kill('SIGTERM');
  t.equal(await messages.nextWord(), 'STOPPING=1 STATUS=stopping');
  t.match(await ended, { status: 0 });
});

t.test('the unit file', async (t) => {
  const analyze = findProgram(t, 'systemd-analyze');
  if (analyze === undefined) return;
  const copy = join(await temporaryDirectory(t), 'tallac@.service');
  // The command need not be installed here.
  await writeFile(copy, (await readFile(unit, 'utf8')).replaceAll('/usr/bin/tallac', process.execPath));
  const run = (...words: string[]) => spawnSync(analyze, [...words, copy], { encoding: 'utf8', timeout: 60_000 });
  const verified = run('verify', '--man=no');
  t.match(verified, { status: 0, stdout: '', stderr: '' }, 'systemd has nothing to say');
  const { stdout } = run('security', '--offline=true', '--no-pager');
  const [, exposure = ''] = /Overall exposure level for .*: ([0-9.]+)/.exec(stdout) ?? [];
  t.comment(`systemd-analyze security: ${exposure}`);
  t.ok(exposure !== '' && Number(exposure) * 10 <= EXPOSURE_MAX, `exposure ${exposure} of 10`);
});
