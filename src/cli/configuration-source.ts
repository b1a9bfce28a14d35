/** The configuration of a node directory, for the commands that show it. */
import { loadConfiguration } from '#node/config/load.js';
import type { Configuration } from '#node/config/configuration.js';
import { identifyNodeType } from '#node/node-directory.js';
import type { CommandContext } from './context.js';
import { chooseDirectory } from './directory-choice.js';

/** Reads it as the node does. @throws ERR_NOT_A_NODE, ERR_CONFIG, ERR_CONFIG_UNKNOWN, ERR_FILE. */
export async function readConfiguration(context: CommandContext): Promise<Configuration> {
  const directory = chooseDirectory({}, context);
  return loadConfiguration(directory, await identifyNodeType(directory), context.environment);
}
