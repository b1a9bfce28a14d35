/** The part of the catalogue of failures that is about helpers, who upload on behalf of others. */
import { entry } from './error-entry.js';

/** By their codes. */
export const helperErrors = {
  ERR_HELPER: entry<{ helper: string; reason: string }>(
    'unavailable',
    (f) =>
      `the helper ${f.helper} did not store the file: ${f.reason}; try again, which goes on where it stopped, or take ` +
      '[client]helper.furl and helper_nurl out to upload without a helper',
  ),
  ERR_HELPER_RESULT: entry<{ helper: string; reason: string }>(
    'unavailable',
    (f) =>
      `the file was not stored as it is: what the helper ${f.helper} says of it is wrong (${f.reason}); its operator can look ` +
      'into it; without [client]helper.furl and helper_nurl this node uploads by itself',
  ),
  ERR_NO_CIPHERTEXT: entry<{ reason: string }>(
    'unavailable',
    (f) => `no client is left that sends the file: ${f.reason}; upload it again, which goes on where it stopped`,
  ),
} as const;
