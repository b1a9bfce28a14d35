/**
 * Where a proxy or its control port is, as the reference writes it:
 *
 *     tcp:HOST:PORT  tcp:[V6]:PORT  tcp:host=HOST:port=PORT  unix:PATH
 */
import type { ValueKind } from './option.js';

/** A TCP address, or the path of a socket in the file system. */
export type ProxyPlace = { readonly host: string; readonly port: number } | { readonly path: string };

const TCP = /^tcp:(?:host=)?(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+):(?:port=)?([0-9]{1,5})$/;
const UNIX = /^unix:(?:path=)?(\/[^:\0]+)$/;

/** A place, or nothing. */
export const proxyPlace: ValueKind<ProxyPlace | undefined> = {
  parse: (given) => {
    if (given === '') return { value: undefined };
    const [, path] = UNIX.exec(given) ?? [];
    if (path !== undefined) return { value: { path } };
    const [, host = '', portText = ''] = TCP.exec(given) ?? [];
    const port = Number(portText);
    if (port >= 1 && port <= 65_535) return { value: { host: addressOf(host), port } };
    return { problem: `'${given}' is no place to connect to; write tcp:127.0.0.1:PORT or unix:/PATH` };
  },
};

/** As it is written and as messages call it. */
export function formatPlace(place: ProxyPlace): string {
  if ('path' in place) return `unix:${place.path}`;
  return `tcp:${place.host.includes(':') ? `[${place.host}]` : place.host}:${String(place.port)}`;
}

/** The one name that everybody has is not looked up. */
function addressOf(host: string): string {
  return host.toLowerCase() === 'localhost' ? '127.0.0.1' : host.replaceAll(/^\[|\]$/g, '');
}
