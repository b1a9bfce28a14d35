/**
 * Where to listen and where to be found, as tahoe.cfg writes it.
 *
 *     endpoint   tcp:PORT[:interface=ADDRESS][:backlog=N], tcp6:…, or what follows tcp: alone when it begins with a digit; a \ keeps the next character as it is
 *     hint       tcp:HOST:PORT, tcp:[V6]:PORT, legacy HOST:PORT, or TYPE:… of a type not reached over TCP
 *
 * The reference hands the first to Twisted and the second to Foolscap; of their other types (ssl, unix,
 * systemd) none can be listened on in this version; tub-location.ts knows listen:tor and listen:i2p.
 */
import type { Parsed } from './option.js';

/** A TCP address to listen on. */
export interface Endpoint {
  /** An address of this machine; 0.0.0.0 and :: mean all of them. */
  readonly host: string;
  /** 0 to 65535; with 0 the system chooses one. */
  readonly port: number;
  /** How many connections may wait to be accepted; undefined leaves it to the system. */
  readonly backlog: number | undefined;
  /** As it was written. */
  readonly text: string;
}

/** How others are told to reach a node. */
export type LocationHint =
  | { readonly type: 'tcp'; readonly host: string; readonly port: number; readonly text: string }
  | { readonly type: 'other'; readonly scheme: string; readonly text: string };

const LEGACY_HINT = /^([A-Za-z0-9.-]+):([0-9]{1,5})$/;
const TCP_HINT = /^tcp:([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+(?:%[A-Za-z0-9.]+)?\]):([0-9]{1,5})$/;
const OTHER_HINT = /^([A-Za-z0-9]+):[^,/\s]+$/;

/** Splits at the colons that no backslash keeps, and takes the backslashes away. */
function splitFields(text: string): string[] {
  const fields = [''];
  const append = (characters: string) => fields.push((fields.pop() ?? '') + characters);
  for (const [token] of text.matchAll(/\\.|./gs)) {
    if (token === ':') fields.push('');
    else append(token.length > 1 ? token.slice(1) : token);
  }
  return fields;
}

function parsePort(text: string | undefined): number | undefined {
  const port = text !== undefined && /^[0-9]{1,5}$/.test(text) ? Number(text) : Number.NaN;
  return port <= 65_535 ? port : undefined;
}

function problem(text: string, reason: string): { problem: string } {
  return { problem: `'${text}' cannot be listened on: ${reason}; write for instance tcp:3456:interface=127.0.0.1` };
}

/**
 * An endpoint to listen on. `problem` says why it is none, or none of this version's.
 * @param text - without blanks around it.
 */
export function parseEndpoint(text: string): Parsed<Endpoint> {
  const fields = splitFields(/^[0-9]/.test(text) ? `tcp:${text}` : text);
  const type = fields[0] ?? '';
  if (type === 'tcp' || type === 'tcp6') return parseTcp(text, fields);
  return problem(text, 'only tcp: is available in this version');
}

function parseTcp(text: string, [type, ...fields]: readonly string[]): Parsed<Endpoint> {
  const named = new Map<string, string>();
  for (const [place, field] of fields.entries()) {
    const equals = field.indexOf('=');
    const name = equals > 0 ? field.slice(0, equals) : place === 0 ? 'port' : '';
    if (!['port', 'interface', 'backlog'].includes(name)) return problem(text, `'${field}' means nothing there`);
    named.set(name, field.slice(equals + 1));
  }
  const port = parsePort(named.get('port'));
  if (port === undefined) return problem(text, 'the port is not a number from 0 to 65535');
  const backlogText = named.get('backlog');
  if (backlogText !== undefined && !/^[1-9][0-9]{0,5}$/.test(backlogText))
    return problem(text, 'the backlog is no number');
  const anyAddress = type === 'tcp6' ? '::' : '0.0.0.0';
  const host = named.get('interface');
  return {
    value: {
      host: host === undefined || host === '' ? anyAddress : host,
      port,
      backlog: backlogText === undefined ? undefined : Number(backlogText),
      text,
    },
  };
}

/** A location hint. `problem` says why it is none. */
export function parseLocationHint(text: string): Parsed<LocationHint> {
  const [, host, portText] = TCP_HINT.exec(text) ?? LEGACY_HINT.exec(text) ?? [];
  const port = parsePort(portText);
  if (host !== undefined && port !== undefined && port > 0) {
    return { value: { type: 'tcp', host: host.replaceAll(/^\[|\]$/g, ''), port, text } };
  }
  const [, scheme] = OTHER_HINT.exec(text) ?? [];
  if (scheme !== undefined && scheme !== 'tcp' && host === undefined) return { value: { type: 'other', scheme, text } };
  return { problem: `'${text}' is not a location; write tcp:HOST:PORT` };
}

/** The URL of a web gateway that listens there, as node.url holds it: on all addresses means on 127.0.0.1. */
export function gatewayUrl(host: string, port: number): string {
  const reachable = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host;
  return `http://${reachable.includes(':') ? `[${reachable}]` : reachable}:${String(port)}/`;
}
