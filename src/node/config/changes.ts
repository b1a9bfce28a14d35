/**
 * What differs between two configurations of one node, as `reload` tells it: which options, from what to what, and
 * which of them a running node takes over.
 */
import type { Configuration } from './configuration.js';
import { nameOption } from './option.js';
import type { Option } from './option.js';
import { allOptions, options } from './schema.js';
import { furl, nurl } from './values.js';

/** What a running node takes over; everything else asks for a restart. */
const live: ReadonlySet<Option<unknown>> = new Set([
  options.sharesNeeded,
  options.sharesHappy,
  options.sharesTotal,
  options.logLevel,
]);
/** Stands for what opens something. */
const HIDDEN = '[hidden]';

/** One option that has another value now. */
export interface OptionChange {
  /** `[section]name` */
  readonly name: string;
  readonly before: string;
  readonly after: string;
  /** Whether it waits for the next start. */
  readonly needsRestart: boolean;
}

/** Whether a running node takes the option over only when it is started again. */
export function needsRestart(option: Option<unknown>): boolean {
  return !live.has(option);
}

/** The options that differ, in the order of the schema. */
export function changesBetween(before: Configuration, after: Configuration): OptionChange[] {
  return allOptions.flatMap((option) => {
    const [old, current] = [before, after].map((configuration) => configuration.textOf(option)?.text);
    if (old === current) return [];
    const [from, to] = [shownText(option, old), shownText(option, current)];
    return [{ name: nameOption(option), before: from, after: to, needsRestart: needsRestart(option) }];
  });
}

/** The text of an option as it may be shown: `undefined` is its default. */
export function shownText(option: Option<unknown>, text: string | undefined): string {
  if (text === undefined) return option.shown === '' ? '(not set)' : `${option.shown} (default)`;
  return isSecret(option) && text !== '' ? HIDDEN : text;
}

/** Whether the option's text opens something to whoever reads it. */
export function isSecret(option: Option<unknown>): boolean {
  return option.kind === furl || option.kind === nurl || option.name.endsWith('.furl');
}

/** One line for a person. */
export function changeLine({ name, before, after, needsRestart }: OptionChange): string {
  return `${name}: ${before} -> ${after}${needsRestart ? ' (takes effect at the next start)' : ''}`;
}
