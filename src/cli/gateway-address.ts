/**
 * Which gateway a command talks to: the one of --node-url, else the one whose address the node has written into
 * the node.url of its directory.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { TahoeError } from '#core/errors.js';
import { systemCode } from '#node/durable-file.js';
import type { CommandContext } from './context.js';
import { chooseDirectory } from './directory-choice.js';
import { localFileError } from './local-file.js';

/**
 * @param nodeUrl - the value of --node-url; undefined when it was not given.
 * @throws ERR_USAGE when --node-url is no address, ERR_FILE when node.url cannot be read or holds none.
 */
export async function gatewayAddress(nodeUrl: string | undefined, context: CommandContext): Promise<URL> {
  if (nodeUrl !== undefined) {
    const address = parseAddress(nodeUrl);
    if (address !== undefined) return address;
    throw new TahoeError('ERR_USAGE', { reason: '--node-url must look like http://127.0.0.1:3456' });
  }
  const file = join(chooseDirectory({}, context), 'node.url');
  const address = parseAddress(await readAddress(file));
  if (address !== undefined) return address;
  throw new TahoeError('ERR_FILE', { file, reason: 'it does not hold an address such as http://127.0.0.1:3456/' });
}

async function readAddress(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw localFileError(file, error);
    const reason =
      'it is not there; a node writes it when its gateway starts (tallac run); ' +
      'name the node directory with -d, or a gateway with --node-url';
    throw new TahoeError('ERR_FILE', { file, reason }, { cause: error });
  }
}

function parseAddress(text: string): URL | undefined {
  const trimmed = text.trim();
  return /^https?:\/\/[^\s]+$/.test(trimmed) && URL.canParse(trimmed) ? new URL(trimmed) : undefined;
}
