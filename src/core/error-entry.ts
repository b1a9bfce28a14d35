/** What the catalogue of failures (errors.ts) and its parts are made of. */

/** The eight kinds of failure; who can mend it differs: the sender, the peer, the operator or time. */
export type ErrorFamily =
  'malformed' | 'integrity' | 'authority' | 'missing' | 'conflict' | 'limit' | 'unavailable' | 'usage';

/** One code of the catalogue. */
export interface CatalogueEntry<Facts> {
  readonly family: ErrorFamily;
  readonly sentence: (facts: Facts) => string;
}

/** A code of that family; its sentence says what is wrong, where, and what to do. */
export function entry<Facts>(family: ErrorFamily, sentence: (facts: Facts) => string): CatalogueEntry<Facts> {
  return { family, sentence };
}
