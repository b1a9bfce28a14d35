/**
 * Checks, or repairs, everything that a walk comes to, with a function that does it to one object. What cannot be checked
 * is reported, and the rest goes on.
 */
import { verifyCapabilityOf } from '#core/capability/attenuate.js';
import type { CryptoProvider } from '#core/crypto.js';
import { isTahoeError } from '#core/errors.js';
import type { TahoeError } from '#core/errors.js';
import { InFlight } from './in-flight.js';
import type { ListedDirectory, UnreadableDirectory, VisitedNode, WalkStep } from './walk.js';

/** How many objects may be checked at once. */
export const CHECK_PARALLEL_MAX = 32;

/** An object that was checked. */
export interface CheckedNode<Report> {
  readonly kind: 'checked';
  readonly node: VisitedNode;
  /** Undefined where there are no shares to check: of literals and unknown children. */
  readonly report: Report | undefined;
}

/** An object whose check failed. */
export interface UncheckedNode {
  readonly kind: 'unchecked';
  readonly node: VisitedNode;
  readonly error: TahoeError;
}

/** What a deep check tells, one after the other. */
export type DeepCheckStep<Report> = CheckedNode<Report> | UncheckedNode | ListedDirectory | UnreadableDirectory;

/** How to check. */
export interface DeepCheckOptions<Report> {
  readonly crypto: CryptoProvider;
  /** Checks one object, and repairs it where that is asked for. Ends when the signal says so. */
  check(node: VisitedNode, signal: AbortSignal): Promise<Report>;
  readonly signal?: AbortSignal;
  /** How many are checked at once, at most CHECK_PARALLEL_MAX; more than one gives up the order. One if not said. */
  readonly parallel?: number;
}

/**
 * Checks what `steps` come to. Whoever stops taking results ends the walk too.
 * @throws what the walk throws, and ERR_CANCELLED.
 */
export async function* deepCheck<Report>(
  steps: AsyncIterable<WalkStep>,
  options: DeepCheckOptions<Report>,
): AsyncGenerator<DeepCheckStep<Report>, void, undefined> {
  const stopped = new AbortController();
  const signal = options.signal === undefined ? stopped.signal : AbortSignal.any([options.signal, stopped.signal]);
  const parallel = Math.min(options.parallel ?? 1, CHECK_PARALLEL_MAX);
  const checks = new InFlight<CheckedNode<Report> | UncheckedNode>('the check', signal);
  try {
    for await (const step of steps) {
      if (step.kind !== 'node') {
        yield step;
        continue;
      }
      checks.start(checkNode(step, options, signal));
      if (checks.size >= parallel) yield await checks.next();
    }
    while (checks.size > 0) yield await checks.next();
  } finally {
    stopped.abort();
  }
}

async function checkNode<Report>(
  node: VisitedNode,
  options: DeepCheckOptions<Report>,
  signal: AbortSignal,
): Promise<CheckedNode<Report> | UncheckedNode> {
  const { child } = node;
  const hasShares = child.kind !== 'unknown' && verifyCapabilityOf(options.crypto, child) !== undefined;
  try {
    return { kind: 'checked', node, report: hasShares ? await options.check(node, signal) : undefined };
  } catch (error) {
    if (isTahoeError(error)) return { kind: 'unchecked', node, error };
    throw error;
  }
}
