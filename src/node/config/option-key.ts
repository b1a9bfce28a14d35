/** Options by the names that people type: `client.shares.needed`, `[client]shares.needed` or `shares.needed`. */
import { TahoeError } from '#core/errors.js';
import { nearestWord } from './nearest.js';
import type { ConfigurationFileName, Option } from './option.js';
import { allOptions, freeSections } from './schema.js';

/** A place in a file; of a section whose names are the owner's choice there is no option. */
export interface OptionPlace {
  readonly file: ConfigurationFileName;
  readonly section: string;
  readonly name: string;
  readonly option: Option<unknown> | undefined;
}

/** All options that a word names. @throws ERR_USAGE with the nearest one when there is none. */
export function optionsNamed(word: string): readonly Option<unknown>[] {
  const key = keyOf(word).toLowerCase();
  const found = allOptions.filter(({ section, name }) =>
    [`${section}.${name}`, name].some((known) => known.toLowerCase() === key),
  );
  if (found.length > 0) return found;
  const names = allOptions.flatMap(({ section, name }) => [`${section}.${name}`, name]);
  const nearest = nearestWord(key, names);
  const hint = nearest === undefined ? 'tallac config render lists them all' : `did you mean ${nearest}?`;
  throw new TahoeError('ERR_USAGE', { reason: `there is no option ${word}; ${hint}` });
}

/** The one place that a word names. @throws ERR_USAGE when there is none, or more than one. */
export function placeNamed(word: string): OptionPlace {
  const key = keyOf(word);
  for (const { exact, prefix: section } of freeSections) {
    const name = key.slice(section.length + 1);
    if (exact && key.startsWith(`${section}.`) && name !== '')
      return { file: 'tahoe.cfg', section, name, option: undefined };
  }
  const [option, ...others] = optionsNamed(word);
  if (option === undefined || others.length > 0) {
    const names = [option, ...others].map((one) => `${one?.section ?? ''}.${one?.name ?? ''}`).join(', ');
    throw new TahoeError('ERR_USAGE', { reason: `${word} names several options; say which: ${names}` });
  }
  return { file: option.file, section: option.section, name: option.name, option };
}

function keyOf(word: string): string {
  return word.replace(/^\[([^\]]*)\]/, '$1.');
}
