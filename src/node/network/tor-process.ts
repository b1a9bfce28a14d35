/**
 * A Tor of the node's own, for `[tor]launch = true`: its state is in private/tor-statedir, where it also says which port
 * of 127.0.0.1 it chose for its control. It ends with this process, however that ends.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { ChildProcess } from 'node:child_process';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pause, withDeadline } from '#client/deadline.js';
import type { Clock, Log } from '#core/environment.js';
import { reasonOf, TahoeError } from '#core/errors.js';
import type { ProxyPlace } from '../config/proxy-place.js';

/** How long it may take to open its control port, and to end, in milliseconds. */
const START_TIMEOUT_MS = 30_000;
const STOP_TIMEOUT_MS = 3_000;
const LOOK_INTERVAL_MS = 50;
const CONTROL_PORT_FILE = 'control-port';

/** How to start one. */
export interface TorProcessOptions {
  /** The program; undefined for `tor` on the PATH. */
  readonly executable: string | undefined;
  /** For its state; it is made when it is not there. */
  readonly directory: string;
  readonly clock: Clock;
  readonly log: Log;
}

/** One that runs. */
export class TorProcess {
  /** Where its control port is. */
  readonly control: ProxyPlace;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, control: ProxyPlace) {
    this.#child = child;
    this.control = control;
  }

  /** @throws ERR_PROXY when it cannot be started, or ends at once; ERR_TIMEOUT, ERR_CANCELLED. */
  static async start(options: TorProcessOptions, signal: AbortSignal): Promise<TorProcess> {
    const { clock, directory, executable = 'tor', log } = options;
    const portFile = join(directory, CONTROL_PORT_FILE);
    await rm(portFile, { force: true });
    const child = spawn(executable, wordsFor(directory, portFile), { stdio: ['ignore', 'ignore', 'ignore'] });
    let failure: string | undefined;
    child.once('error', (error) => {
      failure = `it cannot be started: ${error.message}; install it, or set [tor]tor.executable`;
    });
    child.once('exit', (status) => {
      failure ??= `it ended with status ${String(status)}; '${directory}' is for it alone`;
    });
    try {
      const limit = { clock, timeoutMs: START_TIMEOUT_MS, what: 'Tor', signal };
      const control = await withDeadline(limit, async (ended) => {
        for (;;) {
          if (failure !== undefined) throw new TahoeError('ERR_PROXY', { proxy: 'Tor', reason: failure });
          const place = await readPlace(portFile);
          if (place !== undefined) return place;
          await pause(clock, LOOK_INTERVAL_MS, ended);
        }
      });
      log.info('Tor started', { pid: child.pid });
      return new TorProcess(child, control);
    } catch (error) {
      child.kill('SIGKILL');
      throw error;
    }
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Ends it. */
  async close(clock: Clock): Promise<void> {
    if (!this.isRunning) return;
    const exited = once(this.#child, 'exit');
    this.#child.kill('SIGTERM');
    const cancel = clock.schedule(STOP_TIMEOUT_MS, () => this.#child.kill('SIGKILL'));
    await exited.catch((error: unknown) => reasonOf(error));
    cancel();
  }
}

/** No file of options is read: a node's Tor is as this says, whatever else runs on the machine. */
function wordsFor(directory: string, portFile: string): string[] {
  const options: Readonly<Record<string, string>> = {
    DataDirectory: directory,
    ControlPort: 'auto',
    ControlPortWriteToFile: portFile,
    CookieAuthentication: '1',
    SocksPort: 'auto',
    __OwningControllerProcess: String(process.pid),
  };
  const files = ['--defaults-torrc', '/nonexistent', '-f', '/nonexistent', '--ignore-missing-torrc', '--quiet'];
  return [...files, ...Object.entries(options).flatMap(([name, value]) => [`--${name}`, value])];
}

/** Tor writes `PORT=127.0.0.1:12345`, into another file first. */
async function readPlace(file: string): Promise<ProxyPlace | undefined> {
  const text = await readFile(file, 'latin1').catch(() => '');
  const [, port] = /^PORT=127\.0\.0\.1:([0-9]{1,5})$/m.exec(text) ?? [];
  return port === undefined ? undefined : { host: '127.0.0.1', port: Number(port) };
}
