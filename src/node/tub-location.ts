/**
 * Where a node listens for other nodes and how it tells them so: [node]tub.port and [node]tub.location together.
 * Addresses of the machine and a free port come from the caller; client.port is read and written by the caller too.
 * @see Tahoe-LAFS docs/configuration.rst, "Connection Management"
 */
import type { Configuration } from './config/configuration.js';
import { parseEndpoint, parseLocationHint } from './config/endpoint-text.js';
import type { Endpoint, LocationHint } from './config/endpoint-text.js';
import { options } from './config/schema.js';

/** What stands for the port of 127.0.0.1 that an onion service or an I2P destination leads to. */
export const LISTEN_TOR = 'listen:tor';
/** @see LISTEN_TOR */
export const LISTEN_I2P = 'listen:i2p';

/** What the caller knows or can find out about the machine. */
export interface TubSurroundings {
  /** The content of client.port, when that file is there. */
  readonly rememberedPort: string | undefined;
  /** A TCP port that is free now. */
  readonly allocatePort: () => Promise<number>;
  /** The IPv4 addresses of this machine's interfaces. */
  readonly localAddresses: () => readonly string[];
}

/** Where to listen, and what to tell others. */
export interface TubLocation {
  readonly endpoints: readonly Endpoint[];
  readonly hints: readonly LocationHint[];
  /** Set when a port was chosen just now: the text for client.port, without line end. */
  readonly portToRemember: string | undefined;
}

/**
 * Works out the location from the configuration.
 * @returns undefined when both options say `disabled`.
 * @throws ERR_CONFIG when one is disabled and the other is not, one is empty, the port is 0, a part cannot be
 *   parsed or listened on, or the IP address would be shown against reveal-IP-address.
 */
export async function resolveTubLocation(
  configuration: Configuration,
  surroundings: TubSurroundings,
): Promise<TubLocation | undefined> {
  if (isTubDisabled(configuration)) return undefined;
  const { text, isNew } = await portText(configuration, surroundings);
  const endpoints: Endpoint[] = [];
  for (const part of text.split(',')) endpoints.push(await parsePort(configuration, part.trim(), surroundings));
  return {
    endpoints,
    hints: resolveHints(configuration, endpoints, surroundings),
    portToRemember: isNew ? text : undefined,
  };
}

/**
 * Whether no other node is to reach this one.
 * @throws ERR_CONFIG when only one of tub.port and tub.location says so.
 */
export function isTubDisabled(configuration: Configuration): boolean {
  const { tubPort, tubLocation } = options;
  const isPortDisabled = configuration.get(tubPort) === 'disabled';
  const isLocationDisabled = configuration.get(tubLocation) === 'disabled';
  if (isPortDisabled && !isLocationDisabled) {
    throw configuration.error(tubPort, 'tub.port is disabled, but not tub.location; disable both or neither');
  }
  if (isLocationDisabled && !isPortDisabled) {
    throw configuration.error(tubLocation, 'tub.location is disabled, but not tub.port; disable both or neither');
  }
  return isPortDisabled;
}

async function portText(
  configuration: Configuration,
  { rememberedPort, allocatePort }: TubSurroundings,
): Promise<{ text: string; isNew: boolean }> {
  if (configuration.isSet(options.tubPort)) return { text: configuration.get(options.tubPort), isNew: false };
  if (rememberedPort !== undefined) return { text: rememberedPort.trim(), isNew: false };
  return { text: `tcp:${String(await allocatePort())}`, isNew: true };
}

async function parsePort(
  configuration: Configuration,
  text: string,
  { allocatePort }: TubSurroundings,
): Promise<Endpoint> {
  if (text === '') throw configuration.error(options.tubPort, 'it must not be empty; write tcp:PORT or disabled');
  if (text === LISTEN_TOR) return hiddenEndpoint(text, onionPort(configuration));
  if (text === LISTEN_I2P) {
    if (configuration.get(options.i2pDest)) return hiddenEndpoint(text, await allocatePort());
    throw configuration.error(options.tubPort, `'${text}' takes [i2p]dest = true, and where the router is`);
  }
  const parsed = parseEndpoint(text);
  if ('problem' in parsed) throw configuration.error(options.tubPort, parsed.problem);
  if (parsed.value.port === 0) throw configuration.error(options.tubPort, 'tub.port cannot be 0: you must choose.');
  return parsed.value;
}

/** Nobody but the proxy on this machine connects there. */
function hiddenEndpoint(text: string, port: number): Endpoint {
  return { host: '127.0.0.1', port, backlog: undefined, text };
}

function onionPort(configuration: Configuration): number {
  const port = configuration.get(options.torOnionLocalPort);
  if (configuration.get(options.torOnion) && port !== undefined) return port;
  throw configuration.error(options.tubPort, `'${LISTEN_TOR}' takes [tor]onion = true and onion.local_port`);
}

function resolveHints(
  configuration: Configuration,
  endpoints: readonly Endpoint[],
  { localAddresses }: TubSurroundings,
): readonly LocationHint[] {
  const mayReveal = configuration.get(options.revealIpAddress);
  return configuration
    .get(options.tubLocation)
    .split(',')
    .flatMap((part) => {
      if (part.trim() !== 'AUTO') return [parseHint(configuration, part.trim(), mayReveal)];
      if (!mayReveal) throw privacy(configuration, 'tub.location uses AUTO');
      const port = endpoints[0]?.port ?? 0;
      return localAddresses().map((host) => ({
        type: 'tcp' as const,
        host,
        port,
        text: `tcp:${host}:${String(port)}`,
      }));
    });
}

function parseHint(configuration: Configuration, text: string, mayReveal: boolean): LocationHint {
  if (text === '')
    throw configuration.error(options.tubLocation, 'it must not be empty; write tcp:HOST:PORT or disabled');
  const parsed = parseLocationHint(text);
  if ('problem' in parsed) throw configuration.error(options.tubLocation, parsed.problem);
  if (parsed.value.type === 'tcp' && !mayReveal) throw privacy(configuration, 'tub.location includes tcp: hint');
  return parsed.value;
}

function privacy(configuration: Configuration, reason: string): Error {
  return configuration.error(
    options.tubLocation,
    `${reason}, but reveal-IP-address = false forbids to show the address`,
  );
}
