/** The settings of both ends of a helper: whether this node is one, and which one it uses. */
import { isTahoeError } from '#core/errors.js';
import { parseFurl } from '#wire/foolscap/furl.js';
import type { Configuration } from './config/configuration.js';
import { options } from './config/schema.js';

/** Of one node. */
export interface HelperSettings {
  /** Whether this node uploads on behalf of others. */
  readonly isEnabled: boolean;
  /** What files that it uploads for them may take together, in bytes. */
  readonly sizeMax: number;
  /** The helper that uploads for this node, by its furl; undefined for none. Secret. */
  readonly furl: string | undefined;
}

/** @throws ERR_CONFIG where nobody could reach the helper, or the one that is named cannot be used. */
export function readHelper(configuration: Configuration): HelperSettings {
  const { helper, helperEnabled, helperSize } = options;
  const isEnabled = configuration.get(helperEnabled);
  const furl = configuration.get(helper);
  if (isEnabled && configuration.get(options.tubPort) === 'disabled') {
    const problem = 'a helper is enabled, but tub.port is disabled, so nobody could reach it; set [node]tub.port';
    throw configuration.error(helperEnabled, problem);
  }
  for (const [option, isSet] of [
    [helperEnabled, isEnabled],
    [helper, furl !== undefined && furl !== 'None'],
  ] as const) {
    if (!isSet || configuration.get(options.foolscap)) continue;
    throw configuration.error(option, 'helpers speak Foolscap, and [node]foolscap of tallac.cfg turns it off');
  }
  const sizeMax = configuration.get(helperSize);
  return { isEnabled, sizeMax, furl: furl === undefined || furl === 'None' ? undefined : checked(configuration, furl) };
}

function checked(configuration: Configuration, furl: string): string {
  try {
    parseFurl(furl);
    return furl;
  } catch (error) {
    if (!isTahoeError(error, 'ERR_FURL')) throw error;
    throw configuration.error(options.helper, error.facts.reason);
  }
}
