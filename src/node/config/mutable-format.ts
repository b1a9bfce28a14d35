/** The option for the format of mutable files, for tahoe.cfg. */
import type { MutableFormat } from '#core/capability/types.js';
import type { Option } from './option.js';
import { oneOf } from './values.js';

/** As with the reference it counts for directories; a file that is to be mutable is SDMF unless a format is named. */
export const mutableFormat: Option<MutableFormat> = {
  file: 'tahoe.cfg',
  effect: 'now',
  section: 'client',
  name: 'mutable.format',
  kind: oneOf('sdmf', 'mdmf'),
  fallback: 'sdmf',
  shown: 'sdmf',
  says: 'The format of new directories for which none is named: sdmf or mdmf.',
};
