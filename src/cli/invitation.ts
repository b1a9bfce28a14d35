/** What invite and --join have in common: where both sides meet, and what is reported of it. */
import { text } from 'node:stream/consumers';
import { nodeRandom } from '#node/keypair.js';
import { directDialler } from '#node/network/direct-dialler.js';
import { hidingDialler } from '#node/network/network.js';
import { APP_ID_DEFAULT, joinByCode, RELAY_DEFAULT } from '#node/wormhole/invitation.js';
import type { InvitationOptions, InvitationSettings } from '#node/wormhole/invitation.js';
import { TahoeError } from '#core/errors.js';
import { parseWormholeCode } from '#wire/wormhole/code.js';
import type { CommandContext } from './context.js';
import { writeLine } from './output.js';

/** @throws ERR_USAGE when --wormhole-server is no address of a WebSocket. */
export function invitationOptions(
  context: CommandContext,
  dialler: InvitationOptions['dialler'],
  signal: AbortSignal,
): InvitationOptions {
  const relay = context.wormholeServer ?? RELAY_DEFAULT;
  const url = URL.canParse(relay) ? new URL(relay) : undefined;
  if (url === undefined || !/^wss?:$/.test(url.protocol)) {
    throw new TahoeError('ERR_USAGE', {
      reason: '--wormhole-server: an address like wss://relay.example.org/v1 is expected',
    });
  }
  return {
    relay,
    appId: context.wormholeAppId ?? APP_ID_DEFAULT,
    random: nodeRandom,
    clock: context.clock,
    dialler,
    report: (line) => (context.isQuiet ? Promise.resolve() : writeLine(context.stdout, line)),
    signal,
  };
}

/**
 * Takes the settings of the invitation and reports them, the introducer's address only by name.
 * @param hidesAddress - whether the mailbox server is reached through Tor, as all else will be.
 */
export async function joinWith(
  word: string,
  context: CommandContext,
  hidesAddress: boolean,
  signal: AbortSignal,
): Promise<InvitationSettings> {
  const code = parseWormholeCode(word === '-' ? await text(context.stdin) : word);
  const options = invitationOptions(
    context,
    hidesAddress ? hidingDialler({ clock: context.clock, random: nodeRandom }) : directDialler,
    signal,
  );
  const { report } = options;
  await report(`Opening wormhole with code '${code.text}'`);
  const settings = await joinByCode(code, options);
  const { introducer, nickname, sharesHappy = '7', sharesNeeded = '3', sharesTotal = '10' } = settings;
  await report(`Encoding: ${sharesNeeded} of ${sharesTotal} shares, on at least ${sharesHappy} servers`);
  await report('Overriding the following config:');
  if (introducer !== undefined) await report('  introducer: [sensitive data; see tahoe.cfg]');
  if (nickname !== undefined) await report(`  nickname: ${nickname}`);
  return settings;
}
