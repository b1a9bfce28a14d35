/** Options of our own that concern the node as a whole and its client half, for tallac.cfg. */
import { cryptoNames } from '#core/crypto.js';
import type { CryptoName } from '#core/crypto.js';
import type { Nurl } from '#wire/nurl.js';
import type { Option } from './option.js';
import { listPlaces } from './list-place.js';
import type { ListPlace } from './list-place.js';
import { boolean, nurl, oneOf } from './values.js';

const crypto: Option<CryptoName> = {
  file: 'tallac.cfg',
  effect: 'now',
  section: 'node',
  name: 'crypto',
  kind: oneOf(...cryptoNames),
  fallback: 'native',
  shown: 'native',
  says: 'Who encrypts, hashes and signs: native is OpenSSL, portable the WebAssembly of this program, which is several times slower and gives the same bytes.',
};

const serverLists: Option<readonly ListPlace[]> = {
  file: 'tallac.cfg',
  effect: 'now',
  section: 'client',
  name: 'server_lists',
  kind: listPlaces,
  fallback: [],
  shown: '',
  says: 'Signed lists of storage servers, which need no introducer: URL KEY, with a comma before the next; KEY is what grid-manager public-identity prints. Several URLs with one KEY are copies of one list.',
};

const helperNurl: Option<Nurl | undefined> = {
  file: 'tallac.cfg',
  effect: 'now',
  section: 'client',
  name: 'helper_nurl',
  kind: nurl,
  fallback: undefined,
  shown: '',
  says: 'A helper of this program, by its NURL: spoken to over HTTPS, and before the one of helper.furl while it is connected.',
};

/** Those of the client half, by the names the code calls them. */
export const ownClient = { helperNurl, serverLists };

const foolscap: Option<boolean> = {
  file: 'tallac.cfg',
  effect: 'now',
  section: 'node',
  name: 'foolscap',
  kind: boolean,
  fallback: true,
  shown: 'true',
  says: 'Whether this node speaks Foolscap, beside HTTPS and on the same port, with nodes that speak nothing else.',
};

/** By the names the code calls them. */
export const ownNode = { crypto, foolscap };
