/**
 * Tells the service manager how the node is: systemd, and whatever else sets $NOTIFY_SOCKET, in the words of sd_notify.
 *
 *     READY=1  RELOADING=1  STOPPING=1  WATCHDOG=1  MONOTONIC_USEC=…  STATUS=a sentence for people
 *
 * They are datagrams to a Unix socket, and Node.js has none. The program systemd-notify, a part of systemd, sends them:
 * a few a minute are not worth native code. systemd looks at who sends: the program speaks in the name of the process
 * that started it where it may, and else in its own, so that a unit needs NotifyAccess=all; it ends only when systemd
 * has read the message (BARRIER=1), which could not tell its unit otherwise. MAINPID= is not told: the node is the very
 * process that the unit starts. One message goes at a time, so that none passes another.
 * @see sd_notify(3), systemd-notify(1)
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Clock } from '#core/environment.js';
import { reasonOf } from '#core/errors.js';
import type { EnvironmentVariables } from './config/load.js';

/** How long one message may take. systemd-notify itself waits five seconds for systemd to read it. */
const SEND_TIMEOUT_MS = 10_000;
/** A status beyond this is cut. */
const STATUS_LENGTH_MAX = 200;

/** Sends one message of some lines. */
export type SendNotification = (lines: readonly string[]) => Promise<void>;

/** What the messages need. */
export interface ServiceManagerOptions {
  readonly send: SendNotification;
  readonly clock: Clock;
  /** CLOCK_MONOTONIC, in microseconds. */
  readonly monotonicMicroseconds: () => bigint;
  /** From one sign of life to the next; undefined when nobody waits for them. */
  readonly watchdogMs: number | undefined;
  /** Is told why a message was not sent. */
  readonly onFailure: (reason: string) => void;
}

/** The service manager of a node. */
export class ServiceManager {
  readonly #options: ServiceManagerOptions;
  #last: Promise<void> = Promise.resolve();
  #cancel: () => void = () => undefined;
  #isStopping = false;

  constructor(options: ServiceManagerOptions) {
    this.#options = options;
  }

  /** The node serves, for the first time or again. */
  ready(status: string): Promise<void> {
    return this.#tell('READY=1', statusLine(status));
  }

  /** It reads its configuration again, until it is ready. */
  reloading(): Promise<void> {
    return this.#tell('RELOADING=1', `MONOTONIC_USEC=${String(this.#options.monotonicMicroseconds())}`);
  }

  /** It ends: no more signs of life. */
  stopping(): Promise<void> {
    this.#isStopping = true;
    this.#cancel();
    return this.#tell('STOPPING=1', statusLine('stopping'));
  }

  /**
   * Gives signs of life from now on, at half the time that the service manager waits for them. A node that is not
   * well gives none, and one whose event loop hangs cannot.
   * @param problem - why the node is not well; undefined when it is.
   */
  watch(problem: () => Promise<string | undefined>): void {
    const { clock, watchdogMs } = this.#options;
    if (watchdogMs === undefined || this.#isStopping) return;
    this.#cancel = clock.schedule(watchdogMs, () => {
      void this.#signOfLife(problem).then(() => this.watch(problem));
    });
  }

  async #signOfLife(problem: () => Promise<string | undefined>): Promise<void> {
    const found = await problem().catch(reasonOf);
    if (this.#isStopping) return;
    await this.#tell(found === undefined ? 'WATCHDOG=1' : statusLine(`not well: ${found}`));
  }

  /** Never fails. @returns when the message was sent, or given up. */
  #tell(...lines: readonly string[]): Promise<void> {
    const { onFailure, send } = this.#options;
    this.#last = this.#last.then(() => send(lines)).catch((error: unknown) => onFailure(reasonOf(error)));
    return this.#last;
  }
}

/** In one line: a second one would be taken for another word. */
function statusLine(status: string): string {
  return `STATUS=${status.replaceAll(/\s+/g, ' ').slice(0, STATUS_LENGTH_MAX)}`;
}

/** The service manager that the environment names; undefined where there is none. */
export function findServiceManager(
  environment: EnvironmentVariables,
  { clock, onFailure }: Pick<ServiceManagerOptions, 'clock' | 'onFailure'>,
): ServiceManager | undefined {
  const { NOTIFY_SOCKET: socket, PATH, WATCHDOG_PID: pid, WATCHDOG_USEC } = environment;
  if (socket === undefined || socket === '') return undefined;
  const isForUs = pid === undefined || pid === String(process.pid);
  const watchdogMs = isForUs && /^[0-9]{4,18}$/.test(WATCHDOG_USEC ?? '') ? Number(WATCHDOG_USEC) / 2_000 : undefined;
  const send = sendBySystemdNotify({ NOTIFY_SOCKET: socket, PATH });
  const monotonicMicroseconds = (): bigint => process.hrtime.bigint() / 1000n;
  return new ServiceManager({ send, clock, monotonicMicroseconds, watchdogMs, onFailure });
}

function sendBySystemdNotify(environment: NodeJS.ProcessEnv): SendNotification {
  const options = { env: environment, timeout: SEND_TIMEOUT_MS, killSignal: 'SIGKILL' } as const;
  return async (lines) => {
    await promisify(execFile)('systemd-notify', lines, options);
  };
}
