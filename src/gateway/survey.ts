/** Goes through everything below a directory, as streams and operations tell of it. */
import type { DirectoryCapability } from '#core/capability/types.js';
import { isTahoeError } from '#core/errors.js';
import type { TahoeError } from '#core/errors.js';
import type { CheckReport, RepairReport } from '#client/check/check-report.js';
import { deepCheck } from '#client/traversal/deep-check.js';
import type { DeepCheckStep } from '#client/traversal/deep-check.js';
import type { VisitedNode } from '#client/traversal/walk.js';
import type { Arguments } from './arguments.js';
import type { GatewayServices } from './services.js';

/** How many objects are checked at once; their order stays that of the walk as far as one can see. */
const PARALLEL = 4;

/** How each object is checked. */
export interface SurveyOptions {
  readonly verify: boolean;
  readonly repair: boolean;
  readonly addLease: boolean;
}

/** What became of one object that has shares. */
export type Surveyed = CheckReport | RepairReport;

/** What a request asks for. @throws ERR_USAGE */
export function surveyOptions(args: Arguments): SurveyOptions {
  return {
    verify: args.flag('verify', false),
    repair: args.flag('repair', false),
    addLease: args.flag('add-lease', false),
  };
}

/** Checks, or repairs, all that is there. @throws what the walk throws. */
export function survey(
  services: GatewayServices,
  root: DirectoryCapability,
  options: SurveyOptions,
  signal: AbortSignal,
): AsyncIterable<DeepCheckStep<Surveyed>> {
  return deepCheck(services.walk(root, signal), {
    crypto: services.crypto,
    signal,
    parallel: PARALLEL,
    check: (node, ended) => surveyNode(services, node, options, ended),
  });
}

/** What was found before any repair. */
export function beforeRepair(report: Surveyed): CheckReport {
  return 'before' in report ? report.before : report;
}

/** What the reference calls such a failure. */
export function failureName(error: TahoeError): string {
  return error.family === 'missing' || error.family === 'integrity' ? 'UnrecoverableFileError' : error.code;
}

async function surveyNode(
  services: GatewayServices,
  { child }: VisitedNode,
  { repair, ...how }: SurveyOptions,
  signal: AbortSignal,
): Promise<Surveyed> {
  if (child.kind === 'unknown') throw new RangeError('an unknown child has no shares to check');
  const options = { ...how, signal };
  const outcome = repair
    ? await services.repair(child, options).catch((error: unknown) => failedRepair(services, child, options, error))
    : await services.check(child, options);
  if (outcome.kind === 'literal') throw new RangeError('a literal has no shares to check');
  return outcome;
}

/** A repair that cannot be is told as one that did not succeed; the rest of the tree goes on. */
async function failedRepair(
  services: GatewayServices,
  child: Exclude<VisitedNode['child'], { readonly kind: 'unknown' }>,
  options: Omit<SurveyOptions, 'repair'> & { readonly signal: AbortSignal },
  error: unknown,
): Promise<RepairReport> {
  if (!isTahoeError(error) || options.signal.aborted) throw error;
  const report = await services.check(child, options);
  if (report.kind === 'literal') throw error;
  return { kind: 'shares', repairAttempted: true, repairSuccessful: false, before: report, after: report };
}
