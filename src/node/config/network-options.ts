/** The options of [connections], [tor] and [i2p]: by which networks others are reached, and this node by them. */
import type { Option, ValueKind } from './option.js';
import { proxyPlace } from './proxy-place.js';
import type { ProxyPlace } from './proxy-place.js';
import { boolean, oneOf, optionalInteger, optionalText } from './values.js';

interface Details<Value> {
  readonly section: string;
  readonly name: string;
  readonly kind: ValueKind<Value>;
  readonly fallback: NoInfer<Value>;
  readonly says: string;
}

function option<Value>(details: Details<Value>, effect: Option<Value>['effect'] = 'now'): Option<Value> {
  const { fallback } = details;
  return { file: 'tahoe.cfg', effect, shown: fallback === undefined ? '' : String(fallback), ...details };
}

function flag(section: string, name: string, fallback: boolean, says: string): Option<boolean> {
  return option({ section, name, kind: boolean, fallback, says });
}

function proxy(section: string, name: string, says: string): Option<ProxyPlace | undefined> {
  return option({ section, name, kind: proxyPlace, fallback: undefined, says });
}

function port(section: string, name: string, says: string): Option<number | undefined> {
  return option({ section, name, kind: optionalInteger(1, 65_535), fallback: undefined, says });
}

function words(section: string, name: string, says: string): Option<string | undefined> {
  return option({ section, name, kind: optionalText, fallback: undefined, says });
}

/** Known, and not served. */
function without(name: string, says: string): Option<string | undefined> {
  return option({ section: 'i2p', name, kind: optionalText, fallback: undefined, says }, 'later');
}

/** The options by the names the code calls them. */
export const networkOptions = {
  connectionsTcp: option({
    section: 'connections',
    name: 'tcp',
    kind: oneOf('tcp', 'tor', 'disabled'),
    fallback: 'tcp',
    says: 'How servers with tcp addresses are reached: tcp, tor for all of them through Tor, or disabled for not at all.',
  }),
  torEnabled: flag('tor', 'enabled', true, 'Whether Tor may be used.'),
  torLaunch: flag('tor', 'launch', false, 'Whether the node starts a Tor process of its own, and ends it.'),
  torSocksPort: proxy(
    'tor',
    'socks.port',
    "Tor's SOCKS proxy: tcp:ADDRESS:PORT or unix:PATH. Not set, Tor's control port is asked for it where one is set; else 9050 and 9150 of 127.0.0.1 are tried.",
  ),
  torControlPort: proxy(
    'tor',
    'control.port',
    "Tor's control port: tcp:ADDRESS:PORT or unix:PATH, such as unix:/var/run/tor/control.",
  ),
  torExecutable: words('tor', 'tor.executable', 'The tor program to start, when it is not on the PATH.'),
  torOnion: flag('tor', 'onion', false, 'Whether the node is reached as an onion service. Takes the three below.'),
  torOnionLocalPort: port('tor', 'onion.local_port', 'The port of 127.0.0.1 that the onion service forwards to.'),
  torOnionExternalPort: port('tor', 'onion.external_port', 'The port that the onion service shows.'),
  torOnionKey: words(
    'tor',
    'onion.private_key_file',
    'The key of the onion service, such as private/tor_onion.privkey.',
  ),
  i2pEnabled: flag('i2p', 'enabled', true, 'Whether I2P may be used.'),
  i2pLaunch: flag('i2p', 'launch', false, 'Whether the node starts an I2P router. Not possible: set sam.port.'),
  i2pSamPort: proxy('i2p', 'sam.port', 'The SAM port of the I2P router: tcp:ADDRESS:PORT. Not set, 7656 of 127.0.0.1.'),
  i2pConfigdir: without('i2p.configdir', 'The directory of the I2P router.'),
  i2pExecutable: without('i2p.executable', 'The I2P router program.'),
  i2pDest: flag('i2p', 'dest', false, 'Whether the node is reached as an I2P destination. Takes the two below.'),
  i2pDestPort: port('i2p', 'dest.port', 'The port of that destination.'),
  i2pDestKey: words('i2p', 'dest.private_key_file', 'The key of that destination, such as private/i2p_dest.privkey.'),
};
