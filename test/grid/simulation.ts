/**
 * One seed is one scenario: a grid, and a client that stores, reads, checks and repairs while servers hang, lie, die
 * and come back. In the end all servers are well again, and what was acknowledged must be in order.
 *
 * What a client does is the business of workloads; one for each kind of thing that is kept in a grid.
 */
import { createHash } from 'node:crypto';
import { ImmutableWorkload } from './immutable-workload.js';
import { MutableWorkload } from './mutable-workload.js';
import type { SimServer } from './sim-server.js';
import { inVirtualTime } from './virtual-time.js';
import { Violation, World } from './world.js';

const OPERATIONS_MIN = 8;
const OPERATIONS_MORE = 16;
const DISTURBANCES_MAX = 3;
const DISTURBANCE_WITHIN_MS = 6_000;
const PAUSE_MAX_MS = 30_000;
const TRACE_SHOWN = 12;

/** The time that an operation takes. */
export interface Period {
  /** The servers that the client knew at its beginning and that have been well ever since. */
  wellThroughout(): readonly SimServer[];
  /** Whether the server has said nothing since its beginning that is not so. */
  isHonest(server: SimServer): boolean;
}

/** One thing that the client does. */
export interface Operation {
  readonly name: string;
  /** Virtual time in which it must have ended, well or not. */
  readonly deadlineMs: number;
  /**
   * Does it and judges what came of it.
   * @returns what came of it, in a word or two.
   * @throws Violation when something is as it must never be.
   */
  run(signal: AbortSignal, period: Period): Promise<string>;
}

/** What the client does with one kind of thing. */
export interface Workload {
  next(): Operation;
  /** When all servers are well again: what must succeed then. */
  finally(): readonly Operation[];
}

/** Makes a workload in a new world. */
export type MakeWorkload = (world: World) => Workload;

/** Every workload there is. */
export const allWorkloads: readonly MakeWorkload[] = [
  (world) => new ImmutableWorkload(world),
  (world) => new MutableWorkload(world),
];

/** What came of one seed. */
export interface Scenario {
  readonly violations: readonly string[];
  /** By the operation's first word and what came of it. */
  readonly outcomes: ReadonlyMap<string, number>;
  /** The longest that an operation of each kind took, in virtual milliseconds. */
  readonly longestMs: ReadonlyMap<string, number>;
  readonly virtualMs: number;
  /** Of everything that happened and when: the same seed gives the same. */
  readonly digest: string;
}

/** Runs one seed. */
export async function simulate(seed: number, workloads: readonly MakeWorkload[] = allWorkloads): Promise<Scenario> {
  const simulation = new Simulation(seed, workloads);
  await simulation.run();
  return simulation.scenario();
}

class Simulation {
  readonly #world: World;
  readonly #workloads: readonly Workload[];
  readonly #violations: string[] = [];
  readonly #outcomes = new Map<string, number>();
  readonly #longestMs = new Map<string, number>();

  constructor(seed: number, workloads: readonly MakeWorkload[]) {
    this.#world = new World(seed);
    this.#workloads = workloads.map((make) => make(this.#world));
  }

  async run(): Promise<void> {
    const world = this.#world;
    const { chance } = world;
    try {
      await world.start();
      const count = OPERATIONS_MIN + chance.below(OPERATIONS_MORE);
      for (let i = 0; i < count && this.#violations.length === 0; i++) {
        for (let times = chance.below(DISTURBANCES_MAX); times > 0; times--) world.disturb();
        if (chance.oneIn(4)) await world.pass(chance.below(PAUSE_MAX_MS));
        await this.#perform(chance.pick(this.#workloads).next());
      }
      await world.heal();
      for (const operation of this.#workloads.flatMap((workload) => workload.finally()))
        if (this.#violations.length === 0) await this.#perform(operation);
      await world.close();
    } catch (error) {
      this.#violations.push(this.#told('the grid', error));
    }
  }

  scenario(): Scenario {
    const { clock, trace } = this.#world;
    return {
      violations: this.#violations,
      outcomes: this.#outcomes,
      longestMs: this.#longestMs,
      virtualMs: clock.monotonicMs(),
      digest: createHash('sha256').update(trace.join('\n')).digest('hex'),
    };
  }

  /** Runs one operation, half of the time with trouble in the midst of it. */
  async #perform(operation: Operation): Promise<void> {
    const world = this.#world;
    const { clock, chance } = world;
    const begunMs = clock.monotonicMs();
    const wellAtFirst = world.wellServers();
    const period: Period = {
      wellThroughout: () => wellAtFirst.filter((server) => server.wellSince(begunMs)),
      isHonest: (server) => server.honestSince(begunMs),
    };
    const isTroubled = wellAtFirst.length < world.servers.length && chance.oneIn(2);
    const cancelTrouble = isTroubled
      ? clock.schedule(1 + chance.below(DISTURBANCE_WITHIN_MS), () => {
          world.disturb();
        })
      : undefined;
    const controller = new AbortController();
    const outcome = await inVirtualTime(clock, operation.run(controller.signal, period), operation.deadlineMs);
    cancelTrouble?.();
    controller.abort();
    const kind = operation.name.replace(/ .*/, '');
    this.#longestMs.set(kind, Math.max(this.#longestMs.get(kind) ?? 0, outcome.elapsedMs));
    if (outcome.kind === 'done') {
      this.#count(`${kind}: ${outcome.value}`);
      world.note(`${operation.name}: ${outcome.value}`);
    } else {
      const error = outcome.kind === 'failed' ? outcome.error : new Violation(`it is ${outcome.kind}`);
      this.#violations.push(this.#told(operation.name, error));
    }
  }

  #count(outcome: string): void {
    this.#outcomes.set(outcome, (this.#outcomes.get(outcome) ?? 0) + 1);
  }

  #told(what: string, error: unknown): string {
    const reason = error instanceof Violation ? error.message : error instanceof Error ? error.stack : String(error);
    return [`${what}: ${reason ?? ''}`, ...this.#world.trace.slice(-TRACE_SHOWN)].join('\n    ');
  }
}
