/**
 * The syntax of tahoe.cfg: INI files as Python's ConfigParser reads them when duplicates are allowed.
 *
 *     [section]
 *     name = value            `:` serves as well as `=`; names are folded to lower case
 *         more of the value   a line indented deeper than its option continues it
 *     # a comment is a whole line that begins with # or ;
 *
 * Sections and options that occur twice are merged, the last value wins. Options of [DEFAULT] show in every
 * section. `%%` in a value stands for a percent sign and `%(name)s` for another option's value.
 * Text in, values out: no file is read here. Writing is in ini-edit.ts.
 * @see https://docs.python.org/3.11/library/configparser.html
 */
import { TahoeError } from '#core/errors.js';

/** The section whose options every other section shows. */
export const DEFAULT_SECTION = 'DEFAULT';

/** How deep `%(name)s` may refer to options that refer to others: ConfigParser's own limit. */
const INTERPOLATION_DEPTH_MAX = 10;
/** No interpolated value grows beyond this many characters, however its references fan out. */
const INTERPOLATED_LENGTH_MAX = 1_048_576;

/** What str.isspace() of Python calls white space; String.trim differs in five characters. */
const SPACE = '\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000';
const LEADING_SPACE = new RegExp(`^[${SPACE}]+`);
const TRAILING_SPACE = new RegExp(`[${SPACE}]$`);
const REFERENCE = /^%\(([^)]+)\)s/;

/** One section header or one option with its continuation lines. Line numbers count from 0. */
export type IniEntry =
  | { readonly kind: 'section'; readonly section: string; readonly line: number; readonly indent: number }
  | {
      readonly kind: 'option';
      readonly section: string;
      /** Folded to lower case. */
      readonly option: string;
      readonly line: number;
      readonly indent: number;
      /** The stripped pieces of the value; empty lines inside it are empty pieces. */
      readonly pieces: string[];
      /** The lines that continue the value, empty ones left out. */
      readonly continuationLines: number[];
    };

/** `text` without Python's white space at its start. */
function stripStart(text: string): string {
  return text.replace(LEADING_SPACE, '');
}

/** `text` without Python's white space at its end. */
function stripEnd(text: string): string {
  let end = text.length;
  while (end > 0 && TRAILING_SPACE.test(text.charAt(end - 1))) end--;
  return text.slice(0, end);
}

/** `text` without Python's white space at both ends. */
export function strip(text: string): string {
  return stripStart(stripEnd(text));
}

/** An option's name as it is compared: in lower case. */
export function foldName(name: string): string {
  return name.toLowerCase();
}

type OptionEntry = Extract<IniEntry, { kind: 'option' }>;

/** Reads a file line by line; the state is what ConfigParser's reader keeps between lines. */
class Scanner {
  readonly entries: IniEntry[] = [];
  readonly #file: string;
  #section: string | undefined;
  #option: OptionEntry | undefined;
  #indent = 0;

  constructor(file: string) {
    this.#file = file;
  }

  line(text: string, number: number): void {
    const content = strip(text);
    if (content.startsWith('#') || content.startsWith(';')) return;
    if (content === '') {
      this.#option?.pieces.push('');
      return;
    }
    const indent = text.length - stripStart(text).length;
    if (this.#option !== undefined && indent > this.#indent) {
      this.#option.pieces.push(content);
      this.#option.continuationLines.push(number);
      return;
    }
    this.#indent = indent;
    if (!this.#header(content, number)) this.#optionLine(content, number);
  }

  #header(content: string, line: number): boolean {
    const close = content.lastIndexOf(']');
    if (!content.startsWith('[') || close < 2) return false;
    this.#section = content.slice(1, close);
    this.#option = undefined;
    this.entries.push({ kind: 'section', section: this.#section, line, indent: this.#indent });
    return true;
  }

  #optionLine(content: string, line: number): void {
    if (this.#section === undefined) throw this.#malformed(line, 'stands before the first [section]');
    const delimiter = content.search(/[=:]/);
    const option = foldName(stripEnd(content.slice(0, Math.max(delimiter, 0))));
    if (option === '') throw this.#malformed(line, 'is neither a [section], nor name = value, nor a # comment');
    const pieces = [strip(content.slice(delimiter + 1))];
    this.#option = {
      kind: 'option',
      section: this.#section,
      option,
      line,
      indent: this.#indent,
      pieces,
      continuationLines: [],
    };
    this.entries.push(this.#option);
  }

  #malformed(line: number, reason: string): TahoeError {
    return new TahoeError('ERR_CONFIG', { file: this.#file, reason: `line ${String(line + 1)} ${reason}` });
  }
}

/**
 * The headers and options of `text` in the order of their lines.
 * @param file - what errors call the text.
 * @throws ERR_CONFIG naming the first line that is no header, option, continuation or comment.
 */
export function scanIni(text: string, file: string): readonly IniEntry[] {
  const scanner = new Scanner(file);
  const lines = text.replace(/^\ufeff/, '').split('\n');
  for (const [number, line] of lines.entries()) {
    // What follows the last line's end is no line: it must not count as an empty one.
    if (number < lines.length - 1 || line !== '') scanner.line(line, number);
  }
  return scanner.entries;
}

/** A parsed file. Its values are read one at a time: a bad `%` in one option does not spoil the others. */
export class Ini {
  readonly #file: string;
  readonly #sections = new Map<string, Map<string, string>>();
  readonly #defaults = new Map<string, string>();

  /** @param entries - as scanIni gives them. */
  constructor(entries: readonly IniEntry[], file: string) {
    this.#file = file;
    for (const entry of entries) {
      const options = this.#open(entry.section);
      if (entry.kind === 'option') options.set(entry.option, stripEnd(entry.pieces.join('\n')));
    }
  }

  /** The sections in the order of their first headers, without [DEFAULT]. */
  sections(): readonly string[] {
    return [...this.#sections.keys()];
  }

  /** The folded names of a section's options, those of [DEFAULT] included; none when it is not there. */
  options(section: string): readonly string[] {
    const options = this.#sections.get(section);
    return options === undefined ? [] : [...new Set([...options.keys(), ...this.#defaults.keys()])];
  }

  /** The value as the file writes it, `%` not interpolated; undefined when it is not there. */
  raw(section: string, option: string): string | undefined {
    const options = section === DEFAULT_SECTION ? this.#defaults : this.#sections.get(section);
    if (options === undefined) return undefined;
    const name = foldName(option);
    return options.get(name) ?? this.#defaults.get(name);
  }

  /**
   * The value of an option; undefined when the section or the option is not there.
   * @throws ERR_CONFIG naming the option when its `%` is neither doubled nor a reference that can be followed.
   */
  get(section: string, option: string): string | undefined {
    const raw = this.raw(section, option);
    return raw === undefined ? undefined : this.#interpolate(raw, section, option, 1);
  }

  #open(section: string): Map<string, string> {
    if (section === DEFAULT_SECTION) return this.#defaults;
    const options = this.#sections.get(section) ?? new Map<string, string>();
    this.#sections.set(section, options);
    return options;
  }

  #interpolate(raw: string, section: string, option: string, depth: number): string {
    if (depth > INTERPOLATION_DEPTH_MAX)
      throw this.#bad(section, option, 'its %(name)s references go round or too deep');
    let value = '';
    for (let at = 0; at < raw.length;) {
      const percent = raw.indexOf('%', at);
      const plainEnd = percent < 0 ? raw.length : percent;
      value += raw.slice(at, plainEnd);
      if (percent < 0) break;
      const { text, end } = this.#percent(raw, percent, section, option, depth);
      value += text;
      at = end;
      if (value.length > INTERPOLATED_LENGTH_MAX) throw this.#bad(section, option, 'it grows too long');
    }
    return value;
  }

  #percent(raw: string, at: number, section: string, option: string, depth: number): { text: string; end: number } {
    if (raw.startsWith('%%', at)) return { text: '%', end: at + 2 };
    const [reference, name] = REFERENCE.exec(raw.slice(at)) ?? [];
    if (reference === undefined || name === undefined) {
      throw this.#bad(section, option, "a '%' must be doubled ('%%') or begin a reference '%(name)s'");
    }
    const other = this.raw(section, name);
    if (other === undefined) throw this.#bad(section, option, `it refers to '${foldName(name)}', which is not set`);
    const text = other.includes('%') ? this.#interpolate(other, section, option, depth + 1) : other;
    return { text, end: at + reference.length };
  }

  #bad(section: string, option: string, problem: string): TahoeError {
    return new TahoeError('ERR_CONFIG', { file: this.#file, reason: `[${section}]${option}: ${problem}` });
  }
}

/**
 * Parses the text of a file.
 * @param text - decoded from UTF-8; one byte-order mark at its start is skipped.
 * @param file - what errors call the text.
 * @throws ERR_CONFIG naming the first line that cannot be read.
 */
export function parseIni(text: string, file: string): Ini {
  return new Ini(scanIni(text, file), file);
}
