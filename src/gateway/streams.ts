/**
 * `t=stream-manifest` and `t=stream-deep-check`: a line of JSON for each object as the walk comes to it, and the sums in
 * the last. What cannot be read is told behind all of it, on lines that begin with `ERROR:`.
 * @see Tahoe-LAFS docs/frontends/webapi.rst, "t=stream-manifest"
 */
import type { DirectoryCapability } from '#core/capability/types.js';
import { isTahoeError } from '#core/errors.js';
import type { TahoeError } from '#core/errors.js';
import { DeepStatsCounter } from '#client/traversal/deep-stats.js';
import { dangerouslyDescribeNode } from '#client/traversal/manifest.js';
import { checkJson, repairJson } from './check-json.js';
import { jsonLine } from './python-json.js';
import type { GatewayServices } from './services.js';
import { failureName, survey } from './survey.js';
import type { Surveyed, SurveyOptions } from './survey.js';

/** How many failures are told. */
const FAILURES_MAX = 100;

/** What is collected beside the lines. */
class StreamEnd {
  readonly stats = new DeepStatsCounter();
  readonly #failures: TahoeError[] = [];

  addFailure(error: TahoeError): void {
    if (this.#failures.length < FAILURES_MAX) this.#failures.push(error);
  }

  *lines(): Generator<string, void, undefined> {
    yield jsonLine({ type: 'stats', stats: this.stats.stats() });
    for (const error of this.#failures) yield failureLine(error);
  }
}

/** All objects, with their capabilities. */
export function manifestLines(
  services: GatewayServices,
  root: DirectoryCapability,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  return asStream(async function* (end) {
    for await (const step of services.walk(root, signal)) {
      end.stats.add(step);
      if (step.kind === 'unreadable') end.addFailure(step.error);
      if (step.kind === 'node') yield jsonLine(dangerouslyDescribeNode(services.crypto, step));
    }
  });
}

/** The same with a check of each, and its repair where that is asked for. */
export function deepCheckLines(
  services: GatewayServices,
  root: DirectoryCapability,
  options: SurveyOptions,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  return asStream(async function* (end) {
    for await (const step of survey(services, root, options, signal)) {
      if (step.kind === 'unreadable' || step.kind === 'unchecked') end.addFailure(step.error);
      if (step.kind === 'listed') end.stats.add(step);
      if (step.kind !== 'checked' && step.kind !== 'unchecked') continue;
      end.stats.add(step.node);
      if (step.kind === 'unchecked') continue;
      const described = dangerouslyDescribeNode(services.crypto, step.node);
      yield jsonLine({ ...described, ...resultsOf(step.report, options.repair) });
    }
  });
}

function resultsOf(report: Surveyed | undefined, isRepair: boolean): object {
  if (!isRepair) return { 'check-results': checkJson(asCheck(report)) };
  if (report === undefined) {
    return { 'check-and-repair-results': { 'storage-index': '', 'repair-attempted': false } };
  }
  return { 'check-and-repair-results': 'before' in report ? repairJson(report) : checkJson(report) };
}

function asCheck(report: Surveyed | undefined): Parameters<typeof checkJson>[0] {
  if (report === undefined) return { kind: 'literal', healthy: true };
  return 'before' in report ? report.before : report;
}

async function* asStream(
  lines: (end: StreamEnd) => AsyncGenerator<string, void, undefined>,
): AsyncGenerator<Uint8Array, void, undefined> {
  const end = new StreamEnd();
  try {
    for await (const line of lines(end)) yield Buffer.from(`${line}\n`);
    for (const line of end.lines()) yield Buffer.from(`${line}\n`);
  } catch (error) {
    if (!isTahoeError(error)) throw error;
    yield Buffer.from(isTahoeError(error, 'ERR_CANCELLED') ? 'Operation Cancelled' : `${failureLine(error)}\n`);
  }
}

function failureLine(error: TahoeError): string {
  return `ERROR: ${failureName(error)}(${error.message})`;
}
