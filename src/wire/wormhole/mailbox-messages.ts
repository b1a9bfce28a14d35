/**
 * What a mailbox server says, and what it is told: JSON objects with a `type`, one in each frame of a WebSocket.
 *
 *     we: bind, allocate, claim, open, add, release, close      it: welcome, allocated, claimed, message, closed, error
 *
 * Types that are not known are skipped, as new ones come.
 * @see magic-wormhole docs/server-protocol.md
 */
import { fromHex } from '#core/bytes.js';
import { TahoeError } from '#core/errors.js';

/** A frame of the server holds no more, in characters. */
export const FRAME_LENGTH_MAX = 1 << 17;
const NAME = /^[!-~]{1,200}$/;
const REASON_LENGTH_MAX = 200;

/** What the server says. */
export type MailboxReply =
  /** The first. `refusal` is there when it will not serve us. */
  | { readonly type: 'welcome'; readonly refusal: string | undefined }
  | { readonly type: 'allocated'; readonly nameplate: string }
  | { readonly type: 'claimed'; readonly mailbox: string }
  /** Somebody's message, or our own again. */
  | { readonly type: 'message'; readonly side: string; readonly phase: string; readonly body: Uint8Array }
  | { readonly type: 'closed' }
  | { readonly type: 'error'; readonly reason: string };

/** What it is told. */
export type MailboxRequest =
  | { readonly type: 'bind'; readonly appid: string; readonly side: string; readonly client_version: readonly string[] }
  | { readonly type: 'allocate' }
  | { readonly type: 'claim' | 'release'; readonly nameplate: string }
  | { readonly type: 'open'; readonly mailbox: string }
  | { readonly type: 'add'; readonly phase: string; readonly body: string }
  | { readonly type: 'close'; readonly mailbox: string; readonly mood: 'happy' | 'lonely' | 'scary' | 'errory' };

/** The text of a frame. */
export function formatMailboxRequest(request: MailboxRequest): string {
  return JSON.stringify(request);
}

/** @returns undefined for a type that is not known. @throws ERR_MESSAGE for what cannot be read. */
export function parseMailboxReply(text: string): MailboxReply | undefined {
  const fields = objectOf(text);
  const name = (key: string): string => {
    const value = fields[key];
    if (typeof value !== 'string' || !NAME.test(value)) throw bad(`"${key}" is missing or strange`);
    return value;
  };
  switch (fields.type) {
    case 'welcome':
      return { type: 'welcome', refusal: refusalOf(fields.welcome) };
    case 'allocated': {
      const nameplate = name('nameplate');
      if (!/^[0-9]{1,18}$/.test(nameplate)) throw bad('the nameplate is no number');
      return { type: 'allocated', nameplate };
    }
    case 'claimed':
      return { type: 'claimed', mailbox: name('mailbox') };
    case 'message':
      return { type: 'message', side: name('side'), phase: name('phase'), body: bodyOf(fields.body) };
    case 'closed':
      return { type: 'closed' };
    case 'error':
      return { type: 'error', reason: plain(fields.error) };
    default:
      return undefined;
  }
}

function objectOf(text: string): Readonly<Record<string, unknown>> {
  if (text.length > FRAME_LENGTH_MAX) throw bad('it is too long');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw bad('it is not JSON');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw bad('it is no object');
  return value as Record<string, unknown>;
}

function refusalOf(welcome: unknown): string | undefined {
  if (typeof welcome !== 'object' || welcome === null) return undefined;
  if ('error' in welcome) return plain(welcome.error);
  const required = 'permission-required' in welcome ? welcome['permission-required'] : undefined;
  if (typeof required !== 'object' || required === null || 'none' in required) return undefined;
  return `it asks for a permission that this program cannot show: ${plain(Object.keys(required).join(', '))}`;
}

function bodyOf(value: unknown): Uint8Array {
  const body = typeof value === 'string' ? fromHex(value) : undefined;
  if (body === undefined) throw bad('the body is not hexadecimal');
  return body;
}

/** What a stranger says, fit for one line of a terminal. */
function plain(value: unknown): string {
  const text = typeof value === 'string' ? value : 'no reason given';
  return text.replace(/[^\x20-\x7e]/g, '?').slice(0, REASON_LENGTH_MAX);
}

function bad(reason: string): TahoeError {
  return new TahoeError('ERR_MESSAGE', { what: 'message of the mailbox server', reason });
}
