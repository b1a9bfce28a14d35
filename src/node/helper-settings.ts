/** The settings of both ends of a helper: whether this node is one, and which one it uses. */
import { isTahoeError } from '#core/errors.js';
import { parseFurl } from '#wire/foolscap/furl.js';
import type { Nurl } from '#wire/nurl.js';
import type { Configuration } from './config/configuration.js';
import type { Option } from './config/option.js';
import { options } from './config/schema.js';

/** Of one node. */
export interface HelperSettings {
  /** Whether this node uploads on behalf of others. */
  readonly isEnabled: boolean;
  /** What files that it uploads for them may take together, in bytes. */
  readonly sizeMax: number;
  /** The helper that uploads for this node, by its furl; undefined for none. Secret. */
  readonly furl: string | undefined;
  /** The same over HTTPS, which goes before. */
  readonly nurl: Nurl | undefined;
}

/** @throws ERR_CONFIG where nobody could reach the helper, or the one that is named cannot be used. */
export function readHelper(configuration: Configuration): HelperSettings {
  const { helper, helperEnabled, helperNurl, helperSize } = options;
  const isEnabled = configuration.get(helperEnabled);
  const given = configuration.get(helper);
  const furl = given === 'None' ? undefined : given;
  if (furl !== undefined) checkFurl(configuration, helper, furl);
  if (isEnabled && configuration.get(options.tubPort) === 'disabled') {
    const problem = 'a helper is enabled, but tub.port is disabled, so nobody could reach it; set [node]tub.port';
    throw configuration.error(helperEnabled, problem);
  }
  if (furl !== undefined && !configuration.get(options.foolscap)) {
    const problem =
      'a furl is for Foolscap, which [node]foolscap of tallac.cfg turns off; [client]helper_nurl there needs none';
    throw configuration.error(helper, problem);
  }
  return { isEnabled, sizeMax: configuration.get(helperSize), furl, nurl: configuration.get(helperNurl) };
}

/** @throws ERR_CONFIG, which repeats nothing of it, where an option holds what is no furl. */
export function checkFurl(configuration: Configuration, option: Option<unknown>, furl: string): void {
  try {
    parseFurl(furl);
  } catch (error) {
    if (!isTahoeError(error, 'ERR_FURL')) throw error;
    throw configuration.error(option, error.facts.reason);
  }
}
