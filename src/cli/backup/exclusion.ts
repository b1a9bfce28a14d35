/**
 * What a backup leaves out, by patterns as shells have them: `*` any characters, `?` one, `[…]` one of some, `[!…]`
 * one of all others. A pattern is held against the name alone, not against the path.
 * @see Tahoe-LAFS docs/frontends/CLI.rst, "tahoe backup"
 */

/** What version control systems leave in a tree. */
export const VERSION_CONTROL = [
  'CVS',
  'RCS',
  'SCCS',
  '.git',
  '.gitignore',
  '.cvsignore',
  '.svn',
  '.arch-ids',
  '{arch}',
  '=RELEASE-ID',
  '=meta-update',
  '=update',
  '.bzr',
  '.bzrignore',
  '.bzrtags',
  '.hg',
  '.hgignore',
  '_darcs',
] as const;

/** @returns whether a name is left out. Blank patterns count for nothing. */
export function exclusionOf(patterns: Iterable<string>): (name: string) => boolean {
  const expressions = [...new Set([...patterns].map((pattern) => pattern.trim()))]
    .filter((pattern) => pattern !== '')
    .map(patternExpression);
  return (name) => expressions.some((expression) => expression.test(name));
}

function patternExpression(pattern: string): RegExp {
  let source = '';
  for (let at = 0; at < pattern.length;) {
    const { text, end } = patternPart(pattern, at);
    source += text;
    at = end;
  }
  return new RegExp(`^${source}$`, 'su');
}

function patternPart(pattern: string, at: number): { readonly text: string; readonly end: number } {
  const character = String.fromCodePoint(pattern.codePointAt(at) ?? 0);
  const next = at + character.length;
  if (character === '*') return { text: '.*', end: next };
  if (character === '?') return { text: '.', end: next };
  if (character !== '[') return { text: quoted(character), end: next };
  // A bracket that stands first in the set is one of its characters.
  const start = pattern[next] === '!' ? next + 1 : next;
  const close = pattern.indexOf(']', start + 1);
  if (close < 0) return { text: '\\[', end: next };
  return { text: setExpression(pattern.slice(start, close), start > next), end: close + 1 };
}

function setExpression(characters: string, isNegated: boolean): string {
  const parts: string[] = [];
  const units = Array.from(characters);
  for (let i = 0; i < units.length; i++) {
    const [from = '', dash, to] = [units[i], units[i + 1], units[i + 2]];
    if (dash !== '-' || to === undefined) {
      parts.push(quotedInSet(from));
      continue;
    }
    i += 2;
    // A range that goes backwards holds nothing.
    if ((from.codePointAt(0) ?? 0) <= (to.codePointAt(0) ?? 0)) parts.push(`${quotedInSet(from)}-${quotedInSet(to)}`);
  }
  if (parts.length === 0) return isNegated ? '.' : '(?!)';
  return `[${isNegated ? '^' : ''}${parts.join('')}]`;
}

function quoted(character: string): string {
  return /[\\^$.*+?()[\]{}|/]/.test(character) ? `\\${character}` : character;
}

function quotedInSet(character: string): string {
  return /[\\^\-[\]/&|(){}]/.test(character) ? `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}` : character;
}
