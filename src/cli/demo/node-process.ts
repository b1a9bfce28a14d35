/**
 * A node of the demonstration as a process: this same program with `run DIRECTORY`.
 *
 * What it prints goes to run.log in its directory, where its start is waited for. Unless it is to outlive the
 * demonstration, it holds a pipe from us as standard input: should we be killed, the pipe ends and the node stops.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Clock } from '#core/environment.js';
import { TahoeError } from '#core/errors.js';
import { waitUntil } from './waiting.js';

const PROGRAM = fileURLToPath(new URL('../main.js', import.meta.url));
const LOG_FILE = 'run.log';
const START_TIMEOUT_MS = 60_000;
/** How long a node has to stop by itself. */
const STOP_TIMEOUT_MS = 5000;
/** How much of the log of a node that did not start is shown, in characters. */
const EXCERPT_LENGTH = 600;

/** What a node is started with. */
export interface NodeStart {
  readonly directory: string;
  /** The demonstration's own; options of other nodes are taken out of it. */
  readonly environment: NodeJS.ProcessEnv;
  readonly clock: Clock;
  /** Whether it goes on when the demonstration ends. */
  readonly outlives: boolean;
}

/** A process that was started. */
export class NodeProcess {
  readonly directory: string;
  readonly #child: ChildProcess;
  readonly #clock: Clock;
  readonly #ended: Promise<void>;
  #hasEnded = false;

  private constructor(child: ChildProcess, { directory, clock }: NodeStart) {
    this.directory = directory;
    this.#child = child;
    this.#clock = clock;
    this.#ended = new Promise((resolve) => {
      child.once('exit', () => {
        this.#hasEnded = true;
        resolve();
      });
    });
  }

  /**
   * Starts the node's process.
   * @throws ERR_DEMO when no process can be started.
   */
  static async start(start: NodeStart): Promise<NodeProcess> {
    const { directory, environment, outlives } = start;
    const words = [PROGRAM, 'run', ...(outlives ? ['--allow-stdin-close'] : []), directory];
    const log = openSync(join(directory, LOG_FILE), 'w');
    try {
      const child = spawn(process.execPath, words, {
        cwd: directory,
        env: environmentOf(environment),
        detached: outlives,
        stdio: [outlives ? 'ignore' : 'pipe', log, log],
      });
      // The pipe breaks when the node ends, which is no news.
      child.stdin?.on('error', () => undefined);
      const node = new NodeProcess(child, start);
      await new Promise<void>((resolve, reject) => {
        child.once('spawn', resolve).once('error', reject);
      });
      return node;
    } catch (error) {
      const reason = `no process could be started for ${basename(directory)}`;
      throw new TahoeError('ERR_DEMO', { reason }, { cause: error });
    } finally {
      closeSync(log);
    }
  }

  /** The process's number. */
  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /**
   * Waits until the node runs.
   * @throws ERR_DEMO with the end of its log when it stops instead, ERR_TIMEOUT, the reason of the signal.
   */
  async running(signal: AbortSignal): Promise<void> {
    const name = basename(this.directory);
    const file = join(this.directory, LOG_FILE);
    const isRunning = async (): Promise<boolean> => {
      const text = await readFile(file, 'utf8');
      if (/^client running$/m.test(text)) return true;
      if (!this.#hasEnded) return false;
      throw new TahoeError('ERR_DEMO', { reason: `${name} did not start: ${text.trim().slice(-EXCERPT_LENGTH)}` });
    };
    const what = `the start of ${name}`;
    await waitUntil(isRunning, { clock: this.#clock, signal, what, timeoutMs: START_TIMEOUT_MS });
  }

  /** Kills the process without any warning, and waits for its end. */
  async kill(): Promise<void> {
    if (!this.#hasEnded) this.#child.kill('SIGKILL');
    await this.#ended;
    this.#child.stdin?.destroy();
  }

  /** Asks the process to stop and waits for its end; kills it when it does not. */
  async stop(): Promise<void> {
    if (!this.#hasEnded) this.#child.kill('SIGTERM');
    const cancel = this.#clock.schedule(STOP_TIMEOUT_MS, () => this.#child.kill('SIGKILL'));
    await this.#ended;
    cancel();
    this.#child.stdin?.destroy();
  }

  /** Lets go of the process: it does not keep us alive. */
  release(): void {
    this.#child.unref();
  }
}

/** Options in the environment belong to other nodes. A demonstration may use the last free gigabyte. */
function environmentOf(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const others = Object.entries(environment).filter(
    ([name]) => !name.startsWith('TAHOE_') && !name.startsWith('TALLAC_'),
  );
  return { ...Object.fromEntries(others), TAHOE_STORAGE_RESERVED_SPACE: '0' };
}
