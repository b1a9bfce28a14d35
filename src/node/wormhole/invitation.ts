/**
 * An invitation to a grid: one side tells the other how files are encoded there and where its introducer is.
 *
 *     inviter: {"abilities":{"server-v1":{}}}, then the settings        joiner: {"abilities":{"client-v1":{}}}
 *
 * @see Tahoe-LAFS src/allmydata/scripts/tahoe_invite.py, create_node.py
 */
import type { Dialler } from '#client/dialler.js';
import type { Clock, Random } from '#core/environment.js';
import { TahoeError } from '#core/errors.js';
import type { WormholeCode } from '#wire/wormhole/code.js';
import { openRelayLink } from './relay-link.js';
import { Wormhole } from './wormhole.js';

/** The mailbox server of the reference. */
export const RELAY_DEFAULT = 'ws://wormhole.tahoe-lafs.org:4000/v1';
/** The name of the reference's invitations. */
export const APP_ID_DEFAULT = 'tahoe-lafs.org/invite';
/** How long the other side is waited for, in milliseconds. */
const WAIT_MAX_MS = 3_600_000;
const VALUE_LENGTH_MAX = 4_096;

/** What is told; texts, as in tahoe.cfg. */
export interface InvitationSettings {
  readonly sharesNeeded?: string | undefined;
  readonly sharesHappy?: string | undefined;
  readonly sharesTotal?: string | undefined;
  readonly nickname?: string | undefined;
  /** Its furl or NURL: a secret of the grid. */
  readonly introducer?: string | undefined;
}

/** Where both sides meet, and who is told of progress. */
export interface InvitationOptions {
  readonly relay: string;
  readonly appId: string;
  readonly random: Random;
  readonly clock: Clock;
  readonly dialler: Dialler;
  readonly report: (line: string) => Promise<void>;
  readonly signal: AbortSignal;
}

const names = {
  sharesNeeded: 'shares-needed',
  sharesHappy: 'shares-happy',
  sharesTotal: 'shares-total',
  nickname: 'nickname',
  introducer: 'introducer',
} as const;

/** Shows a code and gives `settings` to whoever has it. @throws ERR_RELAY, ERR_WRONG_CODE, ERR_INVITATION, ERR_TIMEOUT. */
export async function invite(settings: InvitationSettings, options: InvitationOptions): Promise<void> {
  const { relay, report } = options;
  await report(`Connecting to '${relay}'...`);
  await throughWormhole(options, undefined, async (wormhole) => {
    await report('Connected to wormhole server');
    await report(`Invite Code for client: ${await wormhole.code()}`);
    await wormhole.send(JSON.stringify({ abilities: { 'server-v1': {} } }));
    requireAbility(await wormhole.receive(), 'client-v1', 'client');
    await report('  received client introduction');
    await report('  transmitting configuration');
    await wormhole.send(formatSettings(settings));
  });
}

/** Takes what the inviter with that code gives. @throws as `invite`. */
export async function joinByCode(code: WormholeCode, options: InvitationOptions): Promise<InvitationSettings> {
  const { relay, report } = options;
  await report(`Connecting to '${relay}'`);
  return throughWormhole(options, code, async (wormhole) => {
    await report('Connected to wormhole server');
    await wormhole.send(JSON.stringify({ abilities: { 'client-v1': {} } }));
    requireAbility(await wormhole.receive(), 'server-v1', 'server');
    await report('  received server introduction');
    const settings = parseSettings(await wormhole.receive());
    await report('  received configuration');
    return settings;
  });
}

async function throughWormhole<Result>(
  { appId, clock, dialler, random, relay, signal }: InvitationOptions,
  code: WormholeCode | undefined,
  talk: (wormhole: Wormhole) => Promise<Result>,
): Promise<Result> {
  const late = new AbortController();
  const cancel = clock.schedule(WAIT_MAX_MS, () => {
    late.abort(new TahoeError('ERR_TIMEOUT', { what: 'the other side of the invitation', timeoutMs: WAIT_MAX_MS }));
  });
  const either = AbortSignal.any([signal, late.signal]);
  try {
    const connect = (listener: Parameters<typeof openRelayLink>[1]) =>
      openRelayLink(relay, listener, { clock, dialler });
    const wormhole = await Wormhole.open({ relay, appId, code, random, clock, connect, signal: either });
    let mood: 'happy' | 'errory' = 'errory';
    try {
      const result = await talk(wormhole);
      mood = 'happy';
      return result;
    } finally {
      await wormhole.close(mood);
    }
  } finally {
    cancel();
  }
}

/** Counts go as numbers: the reference's joiner writes a count that is a text into tahoe.cfg as b'3'. */
function formatSettings({ introducer, nickname, sharesHappy, sharesNeeded, sharesTotal }: InvitationSettings): string {
  const count = (text: string | undefined): number | null => (text === undefined ? null : Number(text));
  return JSON.stringify({
    [names.sharesNeeded]: count(sharesNeeded),
    [names.sharesHappy]: count(sharesHappy),
    [names.sharesTotal]: count(sharesTotal),
    [names.nickname]: nickname ?? null,
    [names.introducer]: introducer ?? null,
  });
}

/** What is no setting is passed over, as by the reference. */
function parseSettings(text: string): InvitationSettings {
  const fields = objectOf(text);
  const read = (name: string): string | undefined => {
    const value = typeof fields[name] === 'number' ? String(fields[name]) : fields[name];
    if (value === undefined || value === null) return undefined;
    if (typeof value !== 'string' || value.length > VALUE_LENGTH_MAX || /[\r\n\0]/.test(value)) {
      throw new TahoeError('ERR_INVITATION', { reason: `"${name}" is no line of text` });
    }
    return value;
  };
  return Object.fromEntries(Object.entries(names).map(([key, name]) => [key, read(name)]));
}

function requireAbility(text: string, ability: string, who: string): void {
  const { abilities } = objectOf(text);
  if (typeof abilities === 'object' && abilities !== null && ability in abilities) return;
  throw new TahoeError('ERR_INVITATION', {
    reason: `the other side is no ${who} of this kind ("${ability}" is missing)`,
  });
}

function objectOf(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  } catch {
    // The text may hold the introducer's secret: it is not repeated.
  }
  throw new TahoeError('ERR_INVITATION', { reason: 'the other side sent something that is no JSON object' });
}
