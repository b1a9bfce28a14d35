/**
 * Fetches a node's configuration: tahoe.cfg and tallac.cfg from its directory, overrides from its environment.
 * Nothing is ever written: a read-only tahoe.cfg (a ConfigMap, a Nix store) is as good as any.
 */
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { TahoeError, reasonOf } from '#core/errors.js';
import { fromUtf8 } from '#core/bytes.js';
import { Configuration } from './configuration.js';
import type { ConfigurationFile, Override } from './configuration.js';
import { parseIni } from './ini.js';
import { environmentName } from './option.js';
import type { ConfigurationFileName, Option } from './option.js';
import { allOptions } from './schema.js';
import type { NodeType } from './schema.js';

/** Environment variables by name. */
export type EnvironmentVariables = Readonly<Record<string, string | undefined>>;

/** A file of options beyond this many bytes is no file of options. */
const CONFIGURATION_FILE_BYTES_MAX = 1_048_576;

/** Files of 2008, before tahoe.cfg: a directory that has one holds options nobody reads any more. */
const OBSOLETE_FILES = [
  'nickname',
  'webport',
  'keepalive_timeout',
  'log_gatherer.furl',
  'disconnect_timeout',
  'advertised_ip_addresses',
  'introducer.furl',
  'helper.furl',
  'key_generator.furl',
  'stats_gatherer.furl',
  'no_storage',
  'readonly_storage',
  'sizelimit',
  'debug_discard_storage',
  'run_helper',
];

/**
 * Reads the configuration of the node in `directory`. Files that are missing count as empty.
 * @param environment - `TAHOE_SECTION_OPTION` sets an option to the variable's text as it stands (no `%`
 *   interpolation), `TAHOE_SECTION_OPTION_FILE` to the stripped content of a file; both win over tahoe.cfg.
 *   Options of tallac.cfg are called `TALLAC_…`.
 * @throws ERR_CONFIG, ERR_CONFIG_UNKNOWN for what cannot be parsed or is not known.
 * @throws ERR_FILE when a file is there and cannot be read, ERR_TOO_LARGE when it is beyond 1 MiB.
 */
export async function loadConfiguration(
  directory: string,
  nodeType: NodeType,
  environment: EnvironmentVariables = {},
): Promise<Configuration> {
  await refuseObsoleteFiles(directory, nodeType);
  return new Configuration({
    nodeType,
    files: {
      'tahoe.cfg': await loadFile(directory, 'tahoe.cfg'),
      'tallac.cfg': await loadFile(directory, 'tallac.cfg'),
    },
    overrides: await loadOverrides(environment),
  });
}

async function loadFile(directory: string, name: ConfigurationFileName): Promise<ConfigurationFile> {
  const path = join(directory, name);
  return { path, ini: parseIni((await readText(path)) ?? '', path) };
}

/** The text of a file of options as it stands; undefined when there is none. @throws ERR_CONFIG, ERR_FILE, ERR_TOO_LARGE. */
export async function readText(path: string): Promise<string | undefined> {
  const bytes = await readBounded(path);
  if (bytes === undefined) return undefined;
  try {
    return fromUtf8(bytes);
  } catch (error) {
    const reason = 'it is not written in UTF-8; save it in that encoding';
    throw new TahoeError('ERR_CONFIG', { file: path, reason }, { cause: error });
  }
}

async function readBounded(path: string): Promise<Uint8Array | undefined> {
  try {
    const { size } = await stat(path);
    if (size <= CONFIGURATION_FILE_BYTES_MAX) return await readFile(path);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw new TahoeError('ERR_FILE', { file: path, reason: reasonOf(error) }, { cause: error });
  }
  throw new TahoeError('ERR_TOO_LARGE', { what: `file '${path}'`, limitBytes: CONFIGURATION_FILE_BYTES_MAX });
}

async function refuseObsoleteFiles(directory: string, nodeType: NodeType): Promise<void> {
  for (const name of OBSOLETE_FILES) {
    // An introducer keeps its own furl in a file of that name.
    if (nodeType === 'introducer' && name === 'introducer.furl') continue;
    const path = join(directory, name);
    const found = await stat(path).catch(() => undefined);
    if (found !== undefined) {
      const reason =
        'found a configuration file from before Tahoe-LAFS v1.3; move its value to tahoe.cfg and remove it';
      throw new TahoeError('ERR_CONFIG', { file: path, reason });
    }
  }
}

async function loadOverrides(environment: EnvironmentVariables): Promise<Map<Option<unknown>, Override>> {
  const overrides = new Map<Option<unknown>, Override>();
  for (const option of allOptions) {
    const name = environmentName(option);
    const fileName = `${name}_FILE`;
    const value = environment[name];
    const path = environment[fileName];
    if (value !== undefined && path !== undefined) {
      throw new TahoeError('ERR_CONFIG', { file: name, reason: `${fileName} is set as well; keep one of the two` });
    }
    if (value !== undefined) overrides.set(option, { source: `environment variable ${name}`, value: value.trim() });
    if (path !== undefined) overrides.set(option, await overrideFromFile(fileName, path));
  }
  return overrides;
}

async function overrideFromFile(name: string, path: string): Promise<Override> {
  const text = await readText(path);
  if (text !== undefined) return { source: path, value: text.trim() };
  throw new TahoeError('ERR_FILE', { file: path, reason: `${name} names it, and it is not there` });
}
