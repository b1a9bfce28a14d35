/**
 * Paths in what is printed for people: between single quotes when every character can be shown, otherwise
 * between double quotes with the escapes that a shell and Python both understand.
 */

/** Control characters, the single quote, lone surrogates and the like: what single quotes cannot show. */
const UNSHOWABLE = /[^\x20-\x26\x28-\x7e\u00a0-\ud7ff\ue000-\ufdcf\ufdf0-\ufffc]/;
/** What double quotes must escape: the same but for the single quote, and " $ ` \ besides. */
const ESCAPED = /[\ud800-\udbff][\udc00-\udfff]|[^ !#%-[\]-_a-~\u00a0-\ud7ff\ue000-\ufdcf\ufdf0-\ufffc]/g;

/** The path between quotes, as the reference prints it. */
export function quotePath(path: string): string {
  return UNSHOWABLE.test(path) ? `"${path.replaceAll(ESCAPED, escape)}"` : `'${path}'`;
}

/**
 * The text without quotes where nothing in it needs them, for lines of which it is a part.
 * @param alwaysQuoted - whether it stands between quotes in any case.
 */
export function quoteIfNeeded(text: string, alwaysQuoted = false): string {
  return alwaysQuoted || UNSHOWABLE.test(text) || text.startsWith('"') ? quotePath(text) : text;
}

function escape(character: string): string {
  if ('"$`\\'.includes(character)) return `\\${character}`;
  const code = character.codePointAt(0) ?? 0;
  if (code > 0xffff) return `\\U${code.toString(16).padStart(8, '0')}`;
  return code > 0xff ? `\\u${code.toString(16).padStart(4, '0')}` : `\\x${code.toString(16).padStart(2, '0')}`;
}
