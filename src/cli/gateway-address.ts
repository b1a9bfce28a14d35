/**
 * Which gateway a command talks to: the one of --node-url, else the one whose address the node has written into
 * the node.url of its directory. The latter may be private: it is shown the token of the same directory, which no other
 * gateway ever gets to see.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { TahoeError } from '#core/errors.js';
import { systemCode } from '#node/durable-file.js';
import type { CommandContext } from './context.js';
import { chooseDirectory } from './directory-choice.js';
import { GatewayClient } from './gateway-client.js';
import type { GatewayLimits } from './gateway-client.js';
import { localFileError } from './local-file.js';

/** A gateway, and what it may be shown. */
interface GatewayPlace {
  readonly address: URL;
  /** Secret; undefined where there is none, or it is not for this gateway. */
  readonly token: string | undefined;
}

/** Where the node keeps its token, below its directory. */
export const TOKEN_FILE = join('private', 'api_auth_token');
/** What may stand in a header. */
const TOKEN = /^[\x21-\x7e]{1,4096}$/;

/**
 * A client of that gateway. The caller closes it.
 * @param nodeUrl - the value of --node-url; undefined when it was not given.
 * @throws ERR_USAGE when --node-url is no address, ERR_FILE when node.url cannot be read or holds none.
 */
export async function openGateway(
  nodeUrl: string | undefined,
  context: CommandContext,
  limits: Partial<GatewayLimits> = {},
): Promise<GatewayClient> {
  const { address, token } = await findGateway(nodeUrl, context);
  return new GatewayClient(address, { clock: context.clock, limits, token });
}

async function findGateway(nodeUrl: string | undefined, context: CommandContext): Promise<GatewayPlace> {
  if (nodeUrl !== undefined) {
    const address = parseAddress(nodeUrl);
    if (address !== undefined) return { address, token: undefined };
    throw new TahoeError('ERR_USAGE', { reason: '--node-url must look like http://127.0.0.1:3456' });
  }
  const directory = chooseDirectory({}, context);
  const file = join(directory, 'node.url');
  const address = parseAddress(await readAddress(file));
  if (address !== undefined) return { address, token: await readToken(directory) };
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

/** Most gateways ask for none: what is wrong with the file is said by the one that does. */
async function readToken(directory: string): Promise<string | undefined> {
  const text = await readFile(join(directory, TOKEN_FILE), 'utf8').catch(() => '');
  return TOKEN.test(text.trim()) ? text.trim() : undefined;
}

function parseAddress(text: string): URL | undefined {
  const trimmed = text.trim();
  return /^https?:\/\/[^\s]+$/.test(trimmed) && URL.canParse(trimmed) ? new URL(trimmed) : undefined;
}
