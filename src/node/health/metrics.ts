/**
 * The figures of one node, for Prometheus: counted as things happen, or asked for when somebody looks.
 *
 * Labels are of fixed sets: services, endpoints by their pattern, statuses, kinds of events. No storage index, no
 * address and no secret is in any of them. Each node has registries of its own, one for each text format.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { IntervalHistogram } from 'node:perf_hooks';
import { Counter, Gauge, Histogram, openMetricsContentType, Registry } from 'prom-client';
import type { OpenMetricsContentType } from 'prom-client';

/** Upper ends of the classes of durations, in seconds. */
const DURATION_BUCKETS = [0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10, 60];
/** How finely the delay of the event loop is sampled, in milliseconds. */
const LOOP_SAMPLING_MS = 20;
const NANOSECONDS = 1e9;

/** One request that was answered. */
export interface AnsweredRequest {
  /** A method and a pattern, such as `GET /uri/*`. */
  readonly endpoint: string;
  readonly status: number;
  readonly seconds: number;
  /** Of the bodies, as their heads announced them. */
  readonly receivedBytes: number;
  readonly sentBytes: number;
}

/** A text and what it is. */
export interface MetricsText {
  readonly contentType: string;
  readonly text: string;
}

/** The figures. `close` ends what it measures by itself. */
export class NodeMetrics {
  readonly #prometheus = new Registry();
  readonly #openMetrics = new Registry<OpenMetricsContentType>();
  readonly #loopDelay: IntervalHistogram;
  readonly #requests: Counter<'service' | 'endpoint' | 'status'>;
  readonly #durations: Histogram<'service' | 'endpoint'>;
  readonly #received: Counter<'service'>;
  readonly #sent: Counter<'service'>;

  constructor() {
    this.#openMetrics.setContentType(openMetricsContentType);
    const registers = this.#registers;
    this.#requests = new Counter({
      name: 'tallac_requests_total',
      help: 'Requests that were answered.',
      labelNames: ['service', 'endpoint', 'status'],
      registers,
    });
    this.#durations = new Histogram({
      name: 'tallac_request_duration_seconds',
      help: 'From the head of a request to the end of its answer.',
      labelNames: ['service', 'endpoint'],
      buckets: DURATION_BUCKETS,
      registers,
    });
    this.#received = this.#counter('tallac_received_bytes_total', 'Bodies of requests, as announced.', ['service']);
    this.#sent = this.#counter('tallac_sent_bytes_total', 'Bodies of answers, as announced.', ['service']);
    this.#loopDelay = monitorEventLoopDelay({ resolution: LOOP_SAMPLING_MS });
    this.#loopDelay.enable();
    this.#addProcess();
  }

  /** Counts a request. @param service - `storage` or `gateway`. */
  answered(service: 'storage' | 'gateway', request: AnsweredRequest): void {
    const { endpoint, receivedBytes, seconds, sentBytes, status } = request;
    this.#requests.inc({ service, endpoint, status });
    this.#durations.observe({ service, endpoint }, seconds);
    this.#received.inc({ service }, receivedBytes);
    this.#sent.inc({ service }, sentBytes);
  }

  /** Makes a counter with one label. @returns what counts one more. */
  addCounter(name: string, help: string, label: string): (value: string) => void {
    const counter = this.#counter(name, help, [label]);
    return (value) => {
      counter.inc({ [label]: value });
    };
  }

  /** Asks for a figure whenever somebody looks. One that cannot be had is left out. */
  addGauge(name: string, help: string, read: () => number | Promise<number>): void {
    new Gauge({
      name,
      help,
      registers: this.#registers,
      async collect() {
        try {
          this.set(await read());
        } catch {
          this.set(Number.NaN);
        }
      },
    });
  }

  /** @param accept - of the request that looks: OpenMetrics for whoever names it, else the older text. */
  async text(accept = ''): Promise<MetricsText> {
    const registry = accept.includes('application/openmetrics-text') ? this.#openMetrics : this.#prometheus;
    return { contentType: registry.contentType, text: await registry.metrics() };
  }

  /** Stops measuring. */
  close(): void {
    this.#loopDelay.disable();
  }

  get #registers(): (Registry | Registry<OpenMetricsContentType>)[] {
    return [this.#prometheus, this.#openMetrics];
  }

  #counter<Label extends string>(name: string, help: string, labelNames: Label[]): Counter<Label> {
    return new Counter({ name, help, labelNames, registers: this.#registers });
  }

  #addProcess(): void {
    const delay = this.#loopDelay;
    this.addGauge('tallac_event_loop_delay_seconds', 'The longest delay of the event loop since the last look.', () => {
      const longest = delay.max / NANOSECONDS;
      delay.reset();
      return longest;
    });
    this.addGauge('process_resident_memory_bytes', 'Memory that the process holds.', () => process.memoryUsage.rss());
    this.addGauge('nodejs_heap_used_bytes', 'Memory that its objects take.', () => process.memoryUsage().heapUsed);
    this.addGauge('process_cpu_seconds', 'Processor time that it has used.', () => {
      const { system, user } = process.cpuUsage();
      return (system + user) / 1e6;
    });
    this.addGauge('process_uptime_seconds', 'How long it has run.', () => process.uptime());
  }
}
