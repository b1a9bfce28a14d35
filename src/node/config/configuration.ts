/**
 * The configuration of one node: its tahoe.cfg and tallac.cfg, overridden by its environment, read through the
 * schema. Pure: load.ts fetches the texts. No value is cached; a node reads its settings once, at its start.
 */
import { TahoeError } from '#core/errors.js';
import type { Ini } from './ini.js';
import { nameOption } from './option.js';
import type { ConfigurationFileName, Option } from './option.js';
import { allOptions, isKnownOption, isKnownSection } from './schema.js';
import type { NodeType } from './schema.js';
import { nearestWord } from './nearest.js';

/** A parsed file and the path that messages call it. */
export interface ConfigurationFile {
  readonly path: string;
  readonly ini: Ini;
}

/** A value that comes from outside the files. */
export interface Override {
  /** What messages call its source, for instance the environment variable. */
  readonly source: string;
  readonly value: string;
}

/** What a configuration is made of. */
export interface ConfigurationParts {
  readonly nodeType: NodeType;
  readonly files: Readonly<Record<ConfigurationFileName, ConfigurationFile>>;
  readonly overrides: ReadonlyMap<Option<unknown>, Override>;
}

interface Given {
  readonly source: string;
  readonly text: string;
}

/** The options of one node, typed. */
export class Configuration {
  readonly nodeType: NodeType;
  readonly #files: ConfigurationParts['files'];
  readonly #overrides: ConfigurationParts['overrides'];

  /** @throws ERR_CONFIG_UNKNOWN when a file has a section or an option that the schema does not know. */
  constructor(parts: ConfigurationParts) {
    this.nodeType = parts.nodeType;
    this.#files = parts.files;
    this.#overrides = parts.overrides;
    requireKnown('tahoe.cfg', parts);
    requireKnown('tallac.cfg', parts);
  }

  /**
   * The option's value, or its fallback when it is set nowhere.
   * @throws ERR_CONFIG naming the option when its text is not of its kind.
   */
  get<Value>(option: Option<Value>): Value {
    const given = this.#given(option);
    if (given === undefined) return option.fallback;
    const parsed = option.kind.parse(given.text);
    if ('value' in parsed) return parsed.value;
    throw this.#error(given.source, option, parsed.problem);
  }

  /** What sets the option, and to which text; undefined when nothing does. It may be a secret. */
  textOf(option: Option<unknown>): { readonly source: string; readonly text: string } | undefined {
    return this.#given(option);
  }

  /** Whether a file or the environment sets the option. */
  isSet(option: Option<unknown>): boolean {
    return this.#given(option) !== undefined;
  }

  /**
   * The names and values of a section of the owner's choice, such as [grid_managers]; empty when it is not there.
   * @throws ERR_CONFIG when a value's `%` cannot be followed.
   */
  section(section: string): ReadonlyMap<string, string> {
    const { ini } = this.#files['tahoe.cfg'];
    return new Map(ini.options(section).map((option) => [option, ini.get(section, option) ?? '']));
  }

  /** Whether tahoe.cfg has the section, be it empty. */
  hasSection(section: string): boolean {
    return this.#files['tahoe.cfg'].ini.sections().includes(section);
  }

  /** The sections of storage plugins. */
  pluginSections(): readonly string[] {
    return this.#files['tahoe.cfg'].ini
      .sections()
      .filter((section) => /^storage(server|client)\.plugins\./.test(section));
  }

  /** An error about an option, to be thrown by whoever found its value unfit. It must not repeat a secret. */
  error(option: Option<unknown>, problem: string): TahoeError {
    return this.#error(this.#given(option)?.source ?? this.#files[option.file].path, option, problem);
  }

  /** An error about a whole section of tahoe.cfg. */
  sectionError(section: string, problem: string): TahoeError {
    const { path } = this.#files['tahoe.cfg'];
    return new TahoeError('ERR_CONFIG', { file: path, reason: `[${section}]: ${problem}` });
  }

  /**
   * The options that are set to something this version does not do yet, as `[section]name`: to be warned of.
   * @throws ERR_CONFIG when one of them is not of its kind.
   */
  withoutEffect(): readonly string[] {
    return allOptions
      .filter((option) => option.effect !== 'now' && this.isSet(option) && this.get(option) !== option.fallback)
      .map(nameOption);
  }

  #given(option: Option<unknown>): Given | undefined {
    const override = this.#overrides.get(option);
    if (override !== undefined) return { source: override.source, text: override.value };
    const { path, ini } = this.#files[option.file];
    const text = ini.get(option.section, option.name);
    return text === undefined ? undefined : { source: path, text };
  }

  #error(source: string, option: Option<unknown>, problem: string): TahoeError {
    return new TahoeError('ERR_CONFIG', { file: source, reason: `${nameOption(option)}: ${problem}` });
  }
}

function requireKnown(name: ConfigurationFileName, { nodeType, files }: ConfigurationParts): void {
  const { path: file, ini } = files[name];
  for (const section of ini.sections()) {
    if (!isKnownSection(name, nodeType, section)) throw unknownName(file, section, undefined, knownSections(name));
    const option = ini.options(section).find((option) => !isKnownOption(name, section, option));
    if (option !== undefined) throw unknownName(file, section, option, knownOptions(name, section));
  }
}

function unknownName(file: string, section: string, option: string | undefined, known: readonly string[]): TahoeError {
  const nearest = nearestWord(option ?? section, known);
  const facts = { file, section, ...(option !== undefined && { option }), ...(nearest !== undefined && { nearest }) };
  return new TahoeError('ERR_CONFIG_UNKNOWN', facts);
}

function knownSections(file: ConfigurationFileName): string[] {
  return allOptions.filter((option) => option.file === file).map(({ section }) => section);
}

function knownOptions(file: ConfigurationFileName, section: string): string[] {
  return allOptions.filter((option) => option.file === file && option.section === section).map(({ name }) => name);
}
