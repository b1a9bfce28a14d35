/**
 * What [connections], [tor], [i2p] and reveal-IP-address together say of the ways to others, read once at the start and
 * checked: a node that is to hide its address starts only where nothing in its options would show it.
 * @see Tahoe-LAFS docs/anonymity-configuration.rst
 */
import { isIP } from 'node:net';
import type { Configuration } from '../config/configuration.js';
import type { Option } from '../config/option.js';
import type { ProxyPlace } from '../config/proxy-place.js';
import { options } from '../config/schema.js';

/** Under which address of Tor this node is reached, and how. */
export interface OnionSettings {
  readonly localPort: number;
  readonly externalPort: number;
  /** As the option has it. */
  readonly keyFile: string;
}

/** The way to Tor. */
export interface TorSettings {
  readonly socks: ProxyPlace | undefined;
  readonly control: ProxyPlace | undefined;
  /** Whether this node starts it. */
  readonly launch: boolean;
  /** undefined for the one on the PATH. */
  readonly executable: string | undefined;
  /** undefined when this node is no onion service. */
  readonly onion: OnionSettings | undefined;
}

/** The way to I2P. */
export interface I2pSettings {
  readonly sam: ProxyPlace;
  /** undefined when this node is no destination. */
  readonly destination: { readonly port: number; readonly keyFile: string } | undefined;
}

/** All ways. */
export interface NetworkSettings {
  /** Which way leads to addresses of TCP. */
  readonly tcp: 'tcp' | 'tor' | 'disabled';
  /** Whether nothing may be connected to or looked up directly. */
  readonly hidesAddress: boolean;
  /** undefined where Tor may not be used. */
  readonly tor: TorSettings | undefined;
  /** undefined where I2P may not be used. */
  readonly i2p: I2pSettings | undefined;
}

const SAM_DEFAULT: ProxyPlace = { host: '127.0.0.1', port: 7656 };

/** @throws ERR_CONFIG naming the first option that is wrong, or would show the address against reveal-IP-address. */
export function readNetwork(configuration: Configuration): NetworkSettings {
  const tcp = configuration.get(options.connectionsTcp);
  const hidesAddress = !configuration.get(options.revealIpAddress);
  const [tor, i2p] = [readTor(configuration), readI2p(configuration)];
  if (tcp === 'tor' && tor === undefined) {
    throw configuration.error(options.connectionsTcp, 'it says tor, and [tor]enabled = false turns Tor off');
  }
  if (hidesAddress && tcp === 'tcp') {
    const problem = 'Privacy requested with `reveal-IP-address = false` but `tcp = tcp` conflicts with this.';
    throw configuration.error(options.connectionsTcp, problem);
  }
  if (hidesAddress) refuseNames(configuration);
  return { tcp, hidesAddress, tor, i2p };
}

function readTor(configuration: Configuration): TorSettings | undefined {
  const { torControlPort, torEnabled, torExecutable, torLaunch, torOnion, torSocksPort } = options;
  const launch = configuration.get(torLaunch);
  const control = configuration.get(torControlPort);
  const isOnion = configuration.get(torOnion);
  if (isOnion && !launch && control === undefined) {
    throw configuration.error(torOnion, "it is true, and takes Tor's control port: set control.port, or launch = true");
  }
  const onion = isOnion ? readOnion(configuration) : undefined;
  const socks = configuration.get(torSocksPort);
  if (configuration.get(torEnabled)) {
    return { socks, control, launch, executable: configuration.get(torExecutable), onion };
  }
  if (isOnion) throw configuration.error(torOnion, 'it is true, and [tor]enabled = false turns Tor off');
  return undefined;
}

function readOnion(configuration: Configuration): OnionSettings {
  const { torOnion, torOnionExternalPort, torOnionKey, torOnionLocalPort } = options;
  return {
    localPort: required(configuration, torOnion, torOnionLocalPort),
    externalPort: required(configuration, torOnion, torOnionExternalPort),
    keyFile: required(configuration, torOnion, torOnionKey),
  };
}

function readI2p(configuration: Configuration): I2pSettings | undefined {
  const { i2pDest, i2pDestKey, i2pDestPort, i2pEnabled, i2pLaunch, i2pSamPort } = options;
  const sam = configuration.get(i2pSamPort);
  if (configuration.get(i2pLaunch)) {
    const both = 'it and sam.port exclude each other; keep sam.port';
    const never = 'this program starts no I2P router; start it yourself and set sam.port';
    throw configuration.error(i2pLaunch, sam === undefined ? never : both);
  }
  const isDestination = configuration.get(i2pDest);
  if (isDestination && sam === undefined) {
    throw configuration.error(i2pDest, 'it is true, and takes a router: set sam.port');
  }
  const destination = isDestination
    ? {
        port: required(configuration, i2pDest, i2pDestPort),
        keyFile: required(configuration, i2pDest, i2pDestKey),
      }
    : undefined;
  if (configuration.get(i2pEnabled)) return { sam: sam ?? SAM_DEFAULT, destination };
  if (isDestination) throw configuration.error(i2pDest, 'it is true, and [i2p]enabled = false turns I2P off');
  return undefined;
}

function required<Value>(
  configuration: Configuration,
  asking: Option<boolean>,
  option: Option<Value | undefined>,
): Value {
  const value = configuration.get(option);
  if (value !== undefined) return value;
  throw configuration.error(asking, `it is true, and ${option.name} is missing`);
}

/** A proxy's name would be looked up where everybody sees it. */
function refuseNames(configuration: Configuration): void {
  for (const option of [options.torSocksPort, options.torControlPort, options.i2pSamPort]) {
    const place = configuration.get(option);
    if (place === undefined || 'path' in place || isIP(place.host) !== 0) continue;
    throw configuration.error(option, 'with reveal-IP-address = false no name is looked up; write its address');
  }
}
