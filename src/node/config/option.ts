/**
 * What an option of tahoe.cfg or tallac.cfg is: where it stands, what its text may be, what it falls back to.
 * The table of all options is schema.ts; the values of one node are read by configuration.ts.
 */

/** What became of a text: a value, or a problem to be shown behind the option's name. It repeats no secret. */
export type Parsed<Value> = { readonly value: Value } | { readonly problem: string };

/** One kind of value, for instance a boolean or a size. */
export interface ValueKind<Value> {
  readonly parse: (text: string) => Parsed<Value>;
}

/** `now`: read by this version; `later`: accepted in the file, without effect yet; `never`: accepted and obsolete. */
export type OptionEffect = 'now' | 'later' | 'never';

/** Which of the two files of a node directory an option belongs into. */
export type ConfigurationFileName = 'tahoe.cfg' | 'tallac.cfg';

/** One option. */
export interface Option<Value> {
  readonly file: ConfigurationFileName;
  readonly section: string;
  /** As people write it; it is compared in lower case. */
  readonly name: string;
  readonly kind: ValueKind<Value>;
  /** The value when the option is set nowhere. */
  readonly fallback: Value;
  /** What the example shows behind the equals sign. */
  readonly shown: string;
  readonly effect: OptionEffect;
  /** One or two sentences for the example. */
  readonly says: string;
}

/** `[section]name`, as messages call an option. */
export function nameOption(option: Option<unknown>): string {
  return `[${option.section}]${option.name}`;
}

/** The environment variable that overrides an option: TAHOE_NODE_WEB_PORT for [node]web.port of tahoe.cfg. */
export function environmentName(option: Option<unknown>): string {
  const prefix = option.file === 'tahoe.cfg' ? 'TAHOE' : 'TALLAC';
  return [prefix, option.section, option.name]
    .join('_')
    .toUpperCase()
    .replaceAll(/[^A-Z0-9]/g, '_');
}
