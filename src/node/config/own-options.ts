/** Options of our own that concern the node as a whole, for tallac.cfg. */
import { cryptoNames } from '#core/crypto.js';
import type { CryptoName } from '#core/crypto.js';
import type { Option } from './option.js';
import { oneOf } from './values.js';

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

/** By the names the code calls them. */
export const ownNode = { crypto };
