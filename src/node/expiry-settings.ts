/**
 * Which shares a storage node lets go of, as [storage]expire.* says: the same options as the reference's, with the
 * meaning that its documentation promises.
 * @see Tahoe-LAFS docs/garbage-collection.rst
 */
import type { ExpiryPolicy, ExpiryRule } from '#storage/index/expiry-policy.js';
import type { Configuration } from './config/configuration.js';
import { options } from './config/schema.js';

/** Whether shares are removed, and which. */
export interface ExpirySettings {
  readonly isEnabled: boolean;
  /** What is, or would be removed. */
  readonly policy: ExpiryPolicy;
}

/** @throws ERR_CONFIG when the options contradict each other, also where nothing is to be removed. */
export function readExpiry(configuration: Configuration): ExpirySettings {
  return {
    isEnabled: configuration.get(options.expireEnabled),
    policy: {
      rule: readRule(configuration),
      immutable: configuration.get(options.expireImmutable),
      mutable: configuration.get(options.expireMutable),
    },
  };
}

function readRule(configuration: Configuration): ExpiryRule {
  const { expireEnabled, expireMode, expireCutoff, expireDuration } = options;
  const mode = configuration.get(expireMode);
  const isUnset = mode === '' && !configuration.get(expireEnabled);
  if (mode === 'age' || isUnset) return { mode: 'age', durationSeconds: configuration.get(expireDuration) };
  if (mode !== 'cutoff-date') {
    throw configuration.error(expireMode, `GC mode '${mode}' must be 'age' or 'cutoff-date'`);
  }
  const cutoffSeconds = configuration.get(expireCutoff);
  if (cutoffSeconds === undefined) {
    throw configuration.error(expireCutoff, 'with expire.mode = cutoff-date it must be set, as in 2026-01-31');
  }
  return { mode: 'cutoff-date', cutoffSeconds };
}
