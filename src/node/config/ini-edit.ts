/**
 * Sets or removes one option in the text of a tahoe.cfg and leaves every other line as it stands: comments, order,
 * indentation, line ends. An option that occurs several times is changed where it counts, at its last place.
 * Text in, text out.
 */
import { TahoeError } from '#core/errors.js';
import { foldName, scanIni, strip } from './ini.js';
import type { IniEntry } from './ini.js';

/** Which option gets which value. */
export interface OptionChange {
  readonly section: string;
  readonly option: string;
  /** As it shall be read back: `%` is doubled on writing. */
  readonly value: string;
}

/**
 * The text with the option set: parsing it gives `value` back, and all else as before.
 * @param text - the file's text; may be empty, and may begin with a byte-order mark.
 * @throws ERR_CONFIG when the text itself cannot be parsed.
 * @throws ERR_USAGE when the syntax has no way to write this name or this value.
 */
export function setOption(text: string, change: OptionChange): string {
  requireWritable(change);
  const entries = scanIni(text, 'tahoe.cfg');
  const newline = text.includes('\r\n') ? '\r\n' : '\n';
  const last = entries.findLastIndex((entry) => entry.section === change.section);
  const old = entries.findLast(
    (entry) => entry.kind === 'option' && entry.section === change.section && entry.option === foldName(change.option),
  );
  if (old?.kind === 'option') return replaceOption(text, old, change.value, newline);
  return last < 0 ? appendSection(text, change, newline) : insertBehind(text, entries, last, change, newline);
}

/**
 * The text without the option, wherever it stood; its section stays.
 * @throws ERR_CONFIG when the text itself cannot be parsed.
 */
export function removeOption(text: string, { option, section }: Pick<OptionChange, 'option' | 'section'>): string {
  const dropped = new Set<number>();
  for (const entry of scanIni(text, 'tahoe.cfg')) {
    if (entry.kind !== 'option' || entry.section !== section || entry.option !== foldName(option)) continue;
    for (const line of [entry.line, ...entry.continuationLines]) dropped.add(line);
  }
  return text
    .split('\n')
    .filter((_line, number) => !dropped.has(number))
    .join('\n');
}

function replaceOption(
  text: string,
  old: Extract<IniEntry, { kind: 'option' }>,
  value: string,
  newline: string,
): string {
  const dropped = new Set(old.continuationLines);
  const lines = text.split('\n').flatMap((line, number) => {
    if (dropped.has(number)) return [];
    if (number !== old.line) return [line];
    const name = line.slice(0, line.search(/[=:]/) + 1);
    const indent = indentOf(line, old.indent);
    const end = line.endsWith('\r') ? '\r' : '';
    return [optionLines(name, indent, value).join(newline) + end];
  });
  return lines.join('\n');
}

function insertBehind(
  text: string,
  entries: readonly IniEntry[],
  last: number,
  change: OptionChange,
  newline: string,
): string {
  const lines = text.split('\n');
  const previous = entries[last];
  const at = previous === undefined ? 0 : lastLine(previous);
  const line = lines[at] ?? '';
  // Behind an option, its indentation; behind a bare header, that of what follows, which a shallower line would swallow.
  const model = previous?.kind === 'option' ? previous : (entries[last + 1] ?? previous);
  const indent = indentOf(lines[model?.line ?? 0] ?? '', model?.indent ?? 0);
  const added = optionLines(`${indent}${change.option} =`, indent, change.value).join(newline);
  // The new line takes over the end of the line before it, which may be the file's last and have none.
  lines[at] = line.endsWith('\r') ? `${line}\n${added}\r` : `${line}${newline}${added}`;
  return lines.join('\n');
}

function lastLine(entry: IniEntry): number {
  return entry.kind === 'option' ? Math.max(entry.line, ...entry.continuationLines) : entry.line;
}

function appendSection(text: string, change: OptionChange, newline: string): string {
  const gap = strip(text) === '' ? '' : text.endsWith('\n') ? newline : newline + newline;
  const lines = [`[${change.section}]`, ...optionLines(`${change.option} =`, '', change.value), ''];
  return text + gap + lines.join(newline);
}

/** The lines of an option; its continuation lines stand one tab deeper than itself. */
function optionLines(name: string, indent: string, value: string): string[] {
  const [first = '', ...rest] = value.replaceAll('%', '%%').split('\n');
  return [first === '' ? name : `${name} ${first}`, ...rest.map((line) => (line === '' ? '' : `${indent}\t${line}`))];
}

/** The white space a line begins with; a byte-order mark before it is not part of it. */
function indentOf(line: string, width: number): string {
  return line.replace(/^\ufeff/, '').slice(0, width);
}

function requireWritable({ section, option, value }: OptionChange): void {
  const nameIsGood = option !== '' && option === strip(option) && !/[=:\n\r]|^[#;[\ufeff]/.test(option);
  const sectionIsGood = section !== '' && !/[\n\r]/.test(section);
  if (!nameIsGood || !sectionIsGood) throw unwritable(section, option, 'the name cannot be written in tahoe.cfg');
  const lines = value.split('\n');
  if (lines.some((line) => line !== strip(line))) {
    throw unwritable(section, option, 'a line of the value begins or ends with white space, which would be lost');
  }
  if (lines.slice(1).some((line) => /^[#;]/.test(line))) {
    throw unwritable(section, option, 'a further line of the value begins with # or ;, which would make it a comment');
  }
  if (lines.length > 1 && lines.at(-1) === '') throw unwritable(section, option, 'the value ends with an empty line');
}

function unwritable(section: string, option: string, reason: string): TahoeError {
  return new TahoeError('ERR_USAGE', { reason: `cannot set [${section}]${option}: ${reason}` });
}
