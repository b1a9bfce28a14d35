/**
 * SAM, version 3, as far as streams through an I2P router take it. Both sides say lines of two words and options:
 *
 *     STREAM STATUS RESULT=CANT_REACH_PEER MESSAGE="some words"
 *
 * @see https://i2p.net/en/docs/api/samv3/
 */
import { TahoeError } from '#core/errors.js';

/** The longest line that is read, in characters: destinations and their keys are of one to four thousand. */
export const SAM_LINE_LENGTH_MAX = 16_384;
const KEY = /^[A-Za-z0-9~=-]{512,8192}$/;
const NAME = /^[A-Za-z0-9.-]{1,253}$/;

/** A line of the router. */
export interface SamReply {
  /** Its two words, such as `STREAM STATUS`. */
  readonly topic: string;
  readonly options: ReadonlyMap<string, string>;
}

/** @throws ERR_MESSAGE when it is no line of SAM. */
export function parseSamReply(line: string): SamReply {
  const [all, topic] = /^([A-Z]+ [A-Z]+)(?= |$)/.exec(line) ?? [];
  if (all === undefined || topic === undefined) throw malformed('two words are expected');
  const options = new Map<string, string>();
  for (const [, name = '', quoted, plain = ''] of line
    .slice(all.length)
    .matchAll(/ +([A-Z_]+)=(?:"((?:[^"\\]|\\.)*)"|([^ "]*))/g)) {
    options.set(name, quoted === undefined ? plain : quoted.replaceAll(/\\(.)/g, '$1'));
  }
  return { topic, options };
}

/** The lines that a client says. */
export const samRequest = {
  hello: 'HELLO VERSION MIN=3.0 MAX=3.1',
  generate: 'DEST GENERATE SIGNATURE_TYPE=7',
  /** @param dangerousKey - of the destination; undefined for one that nobody knows and nothing keeps. */
  dangerouslyCreate: (id: string, dangerousKey: string | undefined): string =>
    `SESSION CREATE STYLE=STREAM ID=${id} DESTINATION=${dangerousKey ?? 'TRANSIENT'} SIGNATURE_TYPE=7`,
  lookUp: (name: string): string => {
    if (NAME.test(name)) return `NAMING LOOKUP NAME=${name}`;
    throw new TahoeError('ERR_MESSAGE', { what: 'name in I2P', reason: 'it is none' });
  },
  connect: (id: string, destination: string): string =>
    `STREAM CONNECT ID=${id} DESTINATION=${destination} SILENT=false`,
  forward: (id: string, port: number): string => `STREAM FORWARD ID=${id} PORT=${String(port)} SILENT=true`,
};

/** A destination or its key in the base64 of I2P. @throws ERR_MESSAGE when it is none. */
export function parseI2pKey(text: string | undefined): string {
  if (text !== undefined && KEY.test(text)) return text;
  throw malformed('a destination is expected');
}

/** The bytes of a destination, whose SHA-256 is its address. */
export function decodeI2pKey(text: string): Uint8Array {
  const standard = parseI2pKey(text).replaceAll('-', '+').replaceAll('~', '/').replaceAll('=', '');
  return Uint8Array.from(atob(standard), (character) => character.charCodeAt(0));
}

function malformed(reason: string): TahoeError {
  return new TahoeError('ERR_MESSAGE', { what: 'reply of the I2P router', reason });
}
