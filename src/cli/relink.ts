/**
 * `mv` and `ln`: a second link to what a first one names, and for `mv` the end of the first one.
 * @see Tahoe-LAFS docs/frontends/CLI.rst, "tahoe mv"
 */
import type { Command } from 'commander';
import { TahoeError, isTahoeError } from '#core/errors.js';
import type { CommandContext } from './context.js';
import { FAILURE, SUCCESS } from './exit-status.js';
import { withFileStore } from './file-store-command.js';
import type { FileStoreTools } from './file-store-command.js';
import { readNode } from './grid-node.js';
import { writeLine } from './output.js';
import { addressOf, parseRemotePath } from './remote-path.js';
import type { RemotePath } from './remote-path.js';

/** The link was made, and the old one could not be removed. */
const ORIGINAL_LEFT = 2;
const CONFLICT = 409;

/** Runs `mv` or `ln`. @returns the exit status. */
export async function relink(command: Command, context: CommandContext, mode: 'move' | 'link'): Promise<number> {
  const [from = '', to = ''] = command.args;
  return withFileStore(mode === 'move' ? 'the move' : 'the link', command, context, async (tools) => {
    const source = parseRemotePath(from, tools.aliases);
    const target = targetOf(parseRemotePath(to, tools.aliases), source);
    if (mode === 'move' && addressOf(source) === addressOf(target)) {
      // Linking it and then removing it would lose it.
      throw new TahoeError('ERR_USAGE', { reason: 'FROM and TO are the same place; nothing was moved' });
    }
    const node = await readNode(tools.client, source, tools.signal);
    const capability = node.write ?? node.read;
    if (capability === undefined) throw new TahoeError('ERR_USAGE', { reason: 'FROM has no capability to link' });
    if (!(await link(target, capability, { tools, context, mode }))) return FAILURE;
    return mode === 'move' ? removeOriginal(source, tools, context) : done(context);
  });
}

/** A directory with a slash at its end gets the name that it had. */
function targetOf(target: RemotePath, source: RemotePath): RemotePath {
  if (!target.path.endsWith('/')) return target;
  return { root: target.root, path: target.path + source.path.replace(/^.*\//s, '') };
}

async function link(
  target: RemotePath,
  capability: string,
  { tools, context, mode }: { tools: FileStoreTools; context: CommandContext; mode: 'move' | 'link' },
): Promise<boolean> {
  const { client, signal } = tools;
  try {
    await client.call('PUT', `${addressOf(target)}?t=uri&replace=only-files`, { signal, body: capability });
    return true;
  } catch (error) {
    if (!isTahoeError(error, 'ERR_GATEWAY_REPLY')) throw error;
    if (error.facts.status === CONFLICT) {
      await writeLine(context.stderr, "Error: You can't overwrite a directory with a file");
      return false;
    }
    if (mode === 'move') await writeLine(context.stderr, 'NOT removing the original');
    throw error;
  }
}

async function removeOriginal(source: RemotePath, tools: FileStoreTools, context: CommandContext): Promise<number> {
  try {
    await tools.client.call('DELETE', addressOf(source), { signal: tools.signal });
  } catch (error) {
    if (!isTahoeError(error, 'ERR_GATEWAY_REPLY')) throw error;
    await writeLine(context.stderr, `Error deleting original after move: ${error.message}`);
    return ORIGINAL_LEFT;
  }
  return done(context);
}

async function done(context: CommandContext): Promise<number> {
  if (!context.isQuiet) await writeLine(context.stdout, 'OK');
  return SUCCESS;
}
