/**
 * Changes one option of a node directory, in tahoe.cfg or tallac.cfg, whichever it belongs into. All other lines stay as
 * they are. What a node would not start with is not written, unless it would not have started before, either: then
 * somebody is mending it one option at a time. The file is the old one or the new one, also after a power cut.
 */
import { realpath, stat } from 'node:fs/promises';
import { TahoeError } from '#core/errors.js';
import { isSecret, needsRestart, shownText } from './config/changes.js';
import type { OptionChange } from './config/changes.js';
import { Configuration } from './config/configuration.js';
import { removeOption, setOption } from './config/ini-edit.js';
import { parseIni } from './config/ini.js';
import { readText } from './config/load.js';
import type { ConfigurationFileName } from './config/option.js';
import type { OptionPlace } from './config/option-key.js';
import type { NodeType } from './config/schema.js';
import { replaceFile } from './durable-file.js';
import { readIntroducerSettings } from './introducer-settings.js';
import { identifyNodeType, NodeDirectory, PUBLIC_MODE } from './node-directory.js';
import { readSettings } from './settings.js';

const FILES: readonly ConfigurationFileName[] = ['tahoe.cfg', 'tallac.cfg'];

/** What to change. */
export interface ConfigChange {
  readonly place: OptionPlace;
  /** undefined takes the option out of the file. */
  readonly value: string | undefined;
  /** Whether only to say what would change. */
  readonly isTrial: boolean;
}

/**
 * @param path - of the node directory, absolute.
 * @returns the difference; undefined when there is none.
 * @throws ERR_NOT_A_NODE, ERR_FILE, ERR_NO_SPACE; ERR_USAGE when the value cannot be written; ERR_CONFIG or
 *   ERR_CONFIG_UNKNOWN when no node would start with it.
 */
export async function changeConfig(path: string, change: ConfigChange): Promise<OptionChange | undefined> {
  const { isTrial, place, value } = change;
  const nodeType = await identifyNodeType(path);
  const directory = new NodeDirectory(path);
  const before = new Map<ConfigurationFileName, string>();
  for (const file of FILES) before.set(file, (await readText(directory.file(file))) ?? '');
  const old = before.get(place.file) ?? '';
  const target = { section: place.section, option: place.name };
  const edited = value === undefined ? removeOption(old, target) : setOption(old, { ...target, value });
  const after = new Map(before).set(place.file, edited);
  if (edited === old) return undefined;
  refuseWrong(path, nodeType, before, after, place);
  if (!isTrial) await write(directory.file(place.file), edited);
  return differenceOf(place, old, edited);
}

type Texts = ReadonlyMap<ConfigurationFileName, string>;

function refuseWrong(path: string, nodeType: NodeType, before: Texts, after: Texts, { option }: OptionPlace): void {
  try {
    check(path, nodeType, after);
  } catch (error) {
    if (isStartable(path, nodeType, before)) throw error;
    // The file was wrong before. The value itself must be right all the same.
    if (option !== undefined) configurationOf(nodeType, after).get(option);
  }
}

function isStartable(path: string, nodeType: NodeType, texts: Texts): boolean {
  try {
    check(path, nodeType, texts);
    return true;
  } catch {
    return false;
  }
}

/** Without the environment, which is not that of the node. */
function configurationOf(nodeType: NodeType, texts: Texts): Configuration {
  const fileOf = (name: ConfigurationFileName) => ({ path: name, ini: parseIni(texts.get(name) ?? '', name) });
  const files = { 'tahoe.cfg': fileOf('tahoe.cfg'), 'tallac.cfg': fileOf('tallac.cfg') };
  return new Configuration({ nodeType, files, overrides: new Map() });
}

function check(path: string, nodeType: NodeType, texts: Texts): void {
  const configuration = configurationOf(nodeType, texts);
  if (nodeType === 'introducer') readIntroducerSettings(configuration);
  else readSettings(configuration, path);
}

async function write(path: string, text: string): Promise<void> {
  const target = await realpath(path).catch(() => path);
  const mode = await stat(target).then(
    (found) => found.mode & 0o777,
    () => PUBLIC_MODE,
  );
  await replaceFile(target, text, mode);
}

function differenceOf({ file, name, option, section }: OptionPlace, before: string, after: string): OptionChange {
  const shown = (text: string): string => {
    const raw = parseIni(text, file).raw(section, name)?.replaceAll('%%', '%');
    return option === undefined ? (raw ?? '(not set)') : shownText(option, raw);
  };
  const isLater = option === undefined || needsRestart(option);
  return { name: `[${section}]${name}`, before: shown(before), after: shown(after), needsRestart: isLater };
}

/** A secret in the words of a command can be seen by everybody on the machine. @throws ERR_USAGE. */
export function refuseVisibleSecret({ name, option, section }: OptionPlace): void {
  if (option === undefined || !isSecret(option)) return;
  const reason = `the value of [${section}]${name} is a secret: write - in its place and give it on standard input`;
  throw new TahoeError('ERR_USAGE', { reason });
}
