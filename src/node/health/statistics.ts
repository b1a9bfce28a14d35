/**
 * The figures of a node under the names that they have in the reference: how long it runs, what it takes of the processor,
 * and what its storage half adds.
 * @see Tahoe-LAFS docs/stats.rst
 */
import type { Clock } from '#core/environment.js';
import { cpuUsage } from 'node:process';

const SAMPLING_MS = 60_000;
const AVERAGES: readonly (readonly [name: string, minutes: number])[] = [
  ['1min', 1],
  ['5min', 5],
  ['15min', 15],
];
const SAMPLES_MAX = 16;

/** Figures by name. */
export type Figures = Readonly<Record<string, number>>;

/** The figures of one node. `close` ends what it measures by itself. */
export class NodeStatistics {
  readonly #clock: Clock;
  readonly #startedMs: number;
  readonly #sources: (() => Promise<Figures>)[] = [];
  /** Seconds of the processor, each a minute after the one before. */
  readonly #samples: number[] = [];
  #cancelTimer: () => void = () => undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#startedMs = clock.monotonicMs();
    this.#sample();
  }

  /** Adds figures that are asked for whenever somebody looks. Those that cannot be had are left out. */
  add(read: () => Promise<Figures>): void {
    this.#sources.push(read);
  }

  /** All figures. */
  async read(): Promise<Figures> {
    const own = { 'node.uptime': (this.#clock.monotonicMs() - this.#startedMs) / 1000, ...this.#processor() };
    const added = await Promise.all(this.#sources.map((read) => read().catch(() => ({}))));
    return Object.assign({}, own, ...added) as Figures;
  }

  /** Stops measuring. */
  close(): void {
    this.#cancelTimer();
  }

  #processor(): Figures {
    const newest = this.#samples.length - 1;
    const averages = AVERAGES.filter(([, minutes]) => minutes <= newest).map(([name, minutes]) => {
      const seconds = (this.#samples[newest] ?? 0) - (this.#samples[newest - minutes] ?? 0);
      return [`cpu_monitor.${name}_avg`, seconds / (minutes * 60)] as const;
    });
    return { ...Object.fromEntries(averages), 'cpu_monitor.total': processorSeconds() };
  }

  #sample(): void {
    this.#samples.push(processorSeconds());
    if (this.#samples.length > SAMPLES_MAX) this.#samples.shift();
    this.#cancelTimer = this.#clock.schedule(SAMPLING_MS, () => {
      this.#sample();
    });
  }
}

function processorSeconds(): number {
  const { system, user } = cpuUsage();
  return (system + user) / 1e6;
}
