/**
 * The words that Banana sends as numbers. Both sides begin with the same table, agreed on in negotiation by its number and
 * four digits of its hash; a sender may add words to the receiver's copy of its table later (set-vocab, add-vocab).
 * We use the table and never change it; what peers do with theirs is kept in `IncomingVocabulary`.
 */
import { fromUtf8, utf8 } from '#core/bytes.js';
import { TahoeError } from '#core/errors.js';

/** Words that a peer may have in its table. */
export const VOCABULARY_COUNT_MAX = 1024;
/** The longest word, in bytes: as the reference has it. */
export const VOCABULARY_WORD_SIZE_MAX = 100;

/** The first four digits of SHA-1 over each table's words, joined by NUL bytes. */
export const vocabularyHashes = ['da39', 'bb33'] as const;

const TABLE_1 =
  'none boolean reference dict list tuple set immutable-set unicode set-vocab add-vocab call arguments answer error ' +
  'my-reference your-reference their-reference copyable instance module class method function attrdict';

/** The words of table 0 and of table 1, in the order of their numbers. */
export const vocabularyTables: readonly (readonly string[])[] = [[], TABLE_1.split(' ')];

/** The numbers under which we send words, by the table that was agreed on. */
export function outgoingVocabulary(table: number): ReadonlyMap<string, number> {
  return new Map(vocabularyTables[table]?.map((word, index) => [word, index]));
}

/** What the peer's numbers stand for. */
export class IncomingVocabulary {
  #words: Map<number, Uint8Array>;

  constructor(table: number) {
    this.#words = new Map(vocabularyTables[table]?.map((word, index) => [index, utf8(word)]));
  }

  /** @throws ERR_BANANA when the number stands for nothing. */
  word(index: number | bigint): Uint8Array {
    const word = this.#words.get(Number(index));
    if (word === undefined) throw new TahoeError('ERR_BANANA', { reason: 'a vocabulary number stands for nothing' });
    return word;
  }

  /** @throws ERR_BANANA for too many words, or one that is too long. */
  replace(words: ReadonlyMap<number, Uint8Array>): void {
    this.#words = new Map();
    for (const [index, word] of words) this.add(index, word);
  }

  /** @throws ERR_BANANA as `replace`. */
  add(index: number, word: Uint8Array): void {
    if (word.length > VOCABULARY_WORD_SIZE_MAX || this.#words.size >= VOCABULARY_COUNT_MAX) {
      throw new TahoeError('ERR_BANANA', { reason: 'its vocabulary is too large' });
    }
    this.#words.set(index, word);
  }
}

/** The text of a word, for open types and names. @throws ERR_BANANA when it is not UTF-8. */
export function textOf(word: Uint8Array): string {
  try {
    return fromUtf8(word);
  } catch {
    throw new TahoeError('ERR_BANANA', { reason: 'a name is not UTF-8' });
  }
}
