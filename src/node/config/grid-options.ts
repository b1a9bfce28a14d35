/** Options of tahoe.cfg that say how a node meets its grid. */
import type { Option } from './option.js';
import { boolean, introducerAddress } from './values.js';

const introducer: Option<string | undefined> = {
  file: 'tahoe.cfg',
  effect: 'now',
  section: 'client',
  name: 'introducer.furl',
  kind: introducerAddress,
  fallback: undefined,
  shown: '',
  says: 'An introducer, by its furl; here also by its NURL, which tahoe-lafs refuses. More of them: private/introducers.yaml.',
};

const gridManagement: Option<boolean> = {
  file: 'tahoe.cfg',
  effect: 'now',
  section: 'storage',
  name: 'grid_management',
  kind: boolean,
  fallback: false,
  shown: 'false',
  says: 'Whether the certificates of [grid_manager_certificates] are announced.',
};

/** By the names the code calls them. */
export const gridOptions = { introducer, gridManagement };
