/**
 * Whether a node lives and whether it may be asked: what /healthz and /readyz answer.
 *
 * A check that hangs, as on a disk that has gone, counts as failed after its time limit. It is not started again
 * before it has ended: each one that hangs holds a thread of four.
 */
import type { Clock } from '#core/environment.js';
import { reasonOf, TahoeError } from '#core/errors.js';

/** How long one check may take, in milliseconds. */
export const CHECK_TIMEOUT_MS = 2_000;

/** Something that must work. It throws, or rejects, when it does not. */
export interface HealthCheck {
  /** Such as `the share store's disk`. */
  readonly name: string;
  /** Whether a node that fails it should be started again, or only be left alone for a while. */
  readonly vital: boolean;
  readonly run: () => Promise<unknown>;
}

/** Something that those who look after the node should know, and that keeps it from nothing it has to do. */
export interface HealthNote {
  readonly name: string;
  /** @returns a sentence, or undefined when there is nothing to say. */
  readonly run: () => Promise<string | undefined>;
}

/** The answer: nothing failed, or what did. */
export interface HealthReport {
  readonly ok: boolean;
  /** `NAME: REASON` for each failure. */
  readonly failures: readonly string[];
  /** `NAME: SENTENCE` for each note. */
  readonly notes: readonly string[];
}

/** The health of one node. */
export class NodeHealth {
  readonly #clock: Clock;
  readonly #checks: HealthCheck[] = [];
  readonly #notes: HealthNote[] = [];
  readonly #running = new Map<HealthCheck, Promise<unknown>>();
  #state: 'starting' | 'serving' | 'stopping' = 'starting';

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  addCheck(check: HealthCheck): void {
    this.#checks.push(check);
  }

  addNote(note: HealthNote): void {
    this.#notes.push(note);
  }

  /** Everything has started. */
  serving(): void {
    this.#state = 'serving';
  }

  /** The node was told to stop, or did not start. */
  stopping(): void {
    this.#state = 'stopping';
  }

  /** Whether the process is worth keeping. That it answers shows that its event loop turns. */
  live(): Promise<HealthReport> {
    return this.#report(
      this.#checks.filter(({ vital }) => vital),
      [],
    );
  }

  /** Whether it should be sent requests. */
  ready(): Promise<HealthReport> {
    return this.#report(this.#checks, this.#state === 'serving' ? [] : [`the node: it is ${this.#state}`], this.#notes);
  }

  async #report(
    checks: readonly HealthCheck[],
    failures: readonly string[],
    notes: readonly HealthNote[] = [],
  ): Promise<HealthReport> {
    const results = await Promise.all(checks.map((check) => this.#run(check)));
    const all = [...failures, ...results.filter((failure) => failure !== undefined)];
    // A node that is not well says nothing else.
    const said = all.length > 0 ? [] : await Promise.all(notes.map((note) => this.#sentenceOf(note)));
    return { ok: all.length === 0, failures: all, notes: said.filter((note) => note !== undefined) };
  }

  /** @returns the failure. */
  async #run(check: HealthCheck): Promise<string | undefined> {
    try {
      await this.#within(this.#start(check));
      return undefined;
    } catch (error) {
      return `${check.name}: ${reasonOf(error)}`;
    }
  }

  /** @returns the note; undefined also when it takes too long. */
  async #sentenceOf({ name, run }: HealthNote): Promise<string | undefined> {
    const sentence = await this.#within(run()).catch(() => undefined);
    return sentence === undefined ? undefined : `${name}: ${sentence}`;
  }

  async #within<Result>(running: Promise<Result>): Promise<Result> {
    let cancel: () => void = () => undefined;
    const overdue = new Promise<never>((_resolve, reject) => {
      cancel = this.#clock.schedule(CHECK_TIMEOUT_MS, () => {
        reject(new TahoeError('ERR_TIMEOUT', { what: 'it', timeoutMs: CHECK_TIMEOUT_MS }));
      });
    });
    try {
      return await Promise.race([running, overdue]);
    } finally {
      cancel();
    }
  }

  #start(check: HealthCheck): Promise<unknown> {
    const running = this.#running.get(check);
    if (running !== undefined) return running;
    const started = check.run().finally(() => {
      this.#running.delete(check);
    });
    this.#running.set(check, started);
    return started;
  }
}
