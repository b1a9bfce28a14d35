/**
 * The kinds of value that options hold, from text to value with the reference's rules: what it accepts is
 * accepted here. Problems quote the text back, except where it may be a secret.
 */
import { reasonOf } from '#core/errors.js';
import { parseNurl } from '#wire/nurl.js';
import type { Nurl } from '#wire/nurl.js';
import type { Parsed, ValueKind } from './option.js';

const TRUE_WORDS = new Set(['1', 'yes', 'true', 'on']);
const FALSE_WORDS = new Set(['0', 'no', 'false', 'off']);
const SIZE = /^([0-9]+)([KMGTPE]?)(I?)B?$/;
const SIZE_PREFIXES = 'KMGTPE';

/** Any text; blanks around it are gone already. */
export const text: ValueKind<string> = { parse: (given) => ({ value: given }) };

/** A text where an empty one means that the option is not used. */
export const optionalText: ValueKind<string | undefined> = {
  parse: (given) => ({ value: given === '' ? undefined : given }),
};

/** 1/yes/true/on or 0/no/false/off, in any case. */
export const boolean: ValueKind<boolean> = {
  parse: (given) => {
    const word = given.toLowerCase();
    if (TRUE_WORDS.has(word)) return { value: true };
    if (FALSE_WORDS.has(word)) return { value: false };
    return { problem: `'${given}' is not a boolean; write true or false` };
  },
};

/** A decimal integer from `minimum` to `maximum`. */
export function integer(minimum: number, maximum: number): ValueKind<number> {
  return {
    parse: (given) => {
      const value = /^[+-]?[0-9]+$/.test(given) ? Number(given) : Number.NaN;
      if (value >= minimum && value <= maximum) return { value };
      return { problem: `'${given}' is not an integer from ${String(minimum)} to ${String(maximum)}` };
    },
  };
}

/** The same, or nothing. */
export function optionalInteger(minimum: number, maximum: number): ValueKind<number | undefined> {
  const { parse } = integer(minimum, maximum);
  return { parse: (given) => (given === '' ? { value: undefined } : parse(given)) };
}

/**
 * Bytes: an integer with K, M, G, T, P or E (powers of 1000), or KI, MI … (powers of 1024), then perhaps B; in any
 * case, no blank between. An empty text is 0. What exceeds 2^53−1 counts as 2^53−1.
 */
export const size: ValueKind<number> = {
  parse: (given) => {
    if (given === '') return { value: 0 };
    const [match, digits = '', prefix = '', binary] = SIZE.exec(given.toUpperCase()) ?? [];
    if (match === undefined) return { problem: `'${given}' is not a size; write bytes, or for instance 10G or 5MiB` };
    const power = prefix === '' ? 0 : SIZE_PREFIXES.indexOf(prefix) + 1;
    const bytes = Number(digits) * (binary === 'I' ? 1024 : 1000) ** power;
    return { value: Math.min(bytes, Number.MAX_SAFE_INTEGER) };
  },
};

/** One of some words, in any case; the value is the word as listed. */
export function oneOf<Word extends string>(...words: readonly Word[]): ValueKind<Word> {
  return {
    parse: (given) => {
      const value = words.find((word) => word === given.toLowerCase());
      return value === undefined ? { problem: `'${given}' is not one of ${words.join(', ')}` } : { value };
    },
  };
}

/**
 * A furl, or nothing. It opens what it names, so no problem repeats it.
 * A `#` in it is refused: it is mostly a comment that was meant to stand on a line of its own.
 */
export const furl: ValueKind<string | undefined> = {
  parse: (given) => {
    if (given.includes('#')) return { problem: "the furl contains an unescaped '#' character" };
    return optionalText.parse(given);
  },
};

/** The furl or the NURL of an introducer, or nothing. No problem repeats it. */
export const introducerAddress: ValueKind<string | undefined> = {
  parse: (given) => {
    if (!given.endsWith('#v=1')) return furl.parse(given);
    try {
      return { value: parseNurl(given).dangerouslyFormat() };
    } catch (error) {
      return { problem: reasonOf(error) };
    }
  },
};

/** A NURL, or nothing. No problem repeats it. */
export const nurl: ValueKind<Nurl | undefined> = {
  parse: (given) => {
    try {
      return { value: given === '' ? undefined : parseNurl(given) };
    } catch (error) {
      return { problem: reasonOf(error) };
    }
  },
};

/** Items between commas; blanks around them and empty ones are dropped. */
export const list: ValueKind<readonly string[]> = {
  parse: (given): Parsed<readonly string[]> => ({
    value: given
      .split(',')
      .map((item) => item.trim())
      .filter((item) => item !== ''),
  }),
};

const DAY_SECONDS = 86_400;
const DURATION = /^([0-9]+) *(s|seconds?|days?|mo|months?|years?)$/;

/** Seconds, from an integer and its unit: s, day, mo or month (31 days), year (365 days); undefined of an empty text. */
export const duration: ValueKind<number | undefined> = {
  parse: (given) => {
    if (given === '') return { value: undefined };
    const [match, digits = '', unit = ''] = DURATION.exec(given.toLowerCase()) ?? [];
    if (match === undefined) return { problem: `'${given}' is not a duration; write for instance 60 days or 2 months` };
    const days = { s: 1 / DAY_SECONDS, d: 1, m: 31, y: 365 }[unit.charAt(0)] ?? 0;
    return { value: Math.round(Number(digits) * days * DAY_SECONDS) };
  },
};

/** A day as YYYY-MM-DD: its first second in UTC, Unix seconds; undefined of an empty text. */
export const date: ValueKind<number | undefined> = {
  parse: (given) => {
    if (given === '') return { value: undefined };
    const ms = /^[0-9]{4}-[0-9]{2}-[0-9]{2}$/.test(given) ? Date.parse(`${given}T00:00:00Z`) : Number.NaN;
    const isDay = Number.isFinite(ms) && new Date(ms).toISOString().startsWith(given);
    return isDay ? { value: ms / 1000 } : { problem: `'${given}' is not a day; write for instance 2026-01-31` };
  },
};
