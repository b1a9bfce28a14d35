/** `invite`: shows a code, and gives whoever has it what a node of this grid needs. */
import { TahoeError } from '#core/errors.js';
import { options } from '#node/config/schema.js';
import { loadIntroducers } from '#node/introducers-file.js';
import { nodeRandom } from '#node/keypair.js';
import { makeDialler } from '#node/network/network.js';
import { readNetwork } from '#node/network/network-settings.js';
import { NodeDirectory } from '#node/node-directory.js';
import { invite } from '#node/wormhole/invitation.js';
import type { CommandContext, CommandModule } from '../context.js';
import { readConfiguration } from '../configuration-source.js';
import { chooseDirectory } from '../directory-choice.js';
import { SUCCESS } from '../exit-status.js';
import { interruptible } from '../interrupt.js';
import { invitationOptions } from '../invitation.js';
import { writeLine } from '../output.js';

interface InviteWords {
  readonly sharesNeeded?: string;
  readonly sharesHappy?: string;
  readonly sharesTotal?: string;
}

/** Invites one person. */
export const command: CommandModule = {
  describe(command) {
    command
      .usage('[options] NICKNAME')
      .description(
        'Shows a short code; whoever gives it to create-node --join or create-client --join gets into this grid.',
      )
      .argument('<nickname>', 'what the new node is called')
      .option('--shares-needed <count>', 'how many shares its files can be read from (default: as this node)')
      .option('--shares-happy <count>', 'over how many servers its uploads must spread (default: as this node)')
      .option('--shares-total <count>', 'how many shares it makes of a file (default: as this node)');
  },

  async run(command, context) {
    const words = command.opts<InviteWords>();
    const settings = { ...(await ownSettings(context)), ...words, nickname: (command.args[0] ?? '').trim() };
    const { sharesHappy, sharesNeeded, sharesTotal } = settings;
    for (const count of [sharesNeeded, sharesHappy, sharesTotal]) requireCount(count);
    return interruptible('the invitation', async (signal) => {
      await invite(settings, invitationOptions(context, await ownDialler(context), signal));
      await writeLine(context.stdout, 'Completed successfully');
      return SUCCESS;
    });
  },
};

/** As the node itself would: one that hides its address does not show it to a mailbox server. */
async function ownDialler(context: CommandContext): Promise<ReturnType<typeof makeDialler>> {
  return makeDialler(readNetwork(await readConfiguration(context)), { clock: context.clock, random: nodeRandom });
}

async function ownSettings(context: CommandContext) {
  const configuration = await readConfiguration(context);
  const directory = new NodeDirectory(chooseDirectory({}, context));
  const isClient = configuration.nodeType === 'client';
  return {
    sharesNeeded: String(configuration.get(options.sharesNeeded)),
    sharesHappy: String(configuration.get(options.sharesHappy)),
    sharesTotal: String(configuration.get(options.sharesTotal)),
    introducer: await introducerOf(directory, isClient ? configuration.get(options.introducer) : undefined),
  };
}

/** The first that the node knows, or its own. @throws ERR_NOT_SUPPORTED when there is none. */
async function introducerOf(directory: NodeDirectory, option: string | undefined): Promise<string> {
  const [known] = await loadIntroducers(directory, option);
  if (known !== undefined) return known.furl ?? known.nurl?.dangerouslyFormat() ?? '';
  const own = await directory.read('private/introducer.furl');
  if (own !== undefined) return own.trim();
  throw new TahoeError('ERR_NOT_SUPPORTED', {
    reason: 'this node knows no introducer that a new one could be told of; add one to private/introducers.yaml',
  });
}

function requireCount(text: string): void {
  if (/^[0-9]+$/.test(text)) return;
  throw new TahoeError('ERR_USAGE', { reason: '--shares-needed, --shares-happy and --shares-total must be integers' });
}
