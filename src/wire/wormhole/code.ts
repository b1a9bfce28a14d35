/**
 * The code of a wormhole, `4-purple-sausages`: a nameplate, which says where both sides meet, and words, which nobody
 * else knows. The whole text is the password.
 */
import type { Random } from '#core/environment.js';
import { TahoeError } from '#core/errors.js';
import { evenWords, oddWords } from './code-words.js';

const CODE = /^([0-9]{1,18})-[^\s]{1,200}$/u;

/** A code and the nameplate in it. Secret until it was used. */
export interface WormholeCode {
  readonly nameplate: string;
  readonly text: string;
}

/** @throws ERR_USAGE for what is no code. */
export function parseWormholeCode(text: string): WormholeCode {
  const nameplate = CODE.exec(text.trim())?.[1];
  if (nameplate !== undefined) return { nameplate, text: text.trim() };
  throw new TahoeError('ERR_USAGE', {
    reason: 'that is not the code of an invitation: a number and words are expected, as in 4-purple-sausages',
  });
}

/** Two words, one of 65 536 pairs. */
export function makeWormholeCode(nameplate: string, random: Random): WormholeCode {
  const [first = 0, second = 0] = random.bytes(2);
  return { nameplate, text: `${nameplate}-${oddWords[first] ?? ''}-${evenWords[second] ?? ''}` };
}
