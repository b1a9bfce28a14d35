/**
 * Every option a node directory may hold, in one typed table. From it come the check for unknown options, the
 * values of the settings, the names of environment variables and tahoe.cfg.example.
 *
 * tahoe.cfg holds what the reference knows and nothing else, so that a node directory runs under both programs;
 * what this version does not serve yet is accepted there and says so. Options of our own are in tallac.cfg.
 */
import type { ConfigurationFileName, Option, OptionEffect, ValueKind } from './option.js';
import { ownGateway } from './gateway-options.js';
import { limits } from './limit-options.js';
import { gridOptions } from './grid-options.js';
import { mutableFormat } from './mutable-format.js';
import { networkOptions } from './network-options.js';
import { ownClient, ownNode } from './own-options.js';
import { sftpOptions } from './sftp-options.js';
import { boolean, date, duration, furl, integer, list, optionalText, size, text } from './values.js';

/** The kinds of node directory. */
export type NodeType = 'client' | 'introducer';

/** What encoding allows at most: share numbers fit one byte. */
const SHARES_MAX = 256;

interface Details<Value> {
  readonly section: string;
  readonly name: string;
  readonly kind: ValueKind<Value>;
  readonly fallback: NoInfer<Value>;
  readonly says: string;
  readonly shown?: string;
}

function option<Value>(file: ConfigurationFileName, effect: OptionEffect, details: Details<Value>): Option<Value> {
  const { fallback } = details;
  const shown = Array.isArray(fallback) || fallback === undefined ? '' : String(fallback);
  return { file, effect, shown, ...details };
}

const now = <Value>(details: Details<Value>): Option<Value> => option('tahoe.cfg', 'now', details);
const later = <Value>(details: Details<Value>): Option<Value> => option('tahoe.cfg', 'later', details);
const own = <Value>(details: Details<Value>): Option<Value> => option('tallac.cfg', 'now', details);

/** A later option of which this version only needs to know that it is set. */
function laterText(section: string, name: string, says: string): Option<string | undefined> {
  return later({ section, name, kind: optionalText, fallback: undefined, says });
}

/** A later option that is on or off. */
function laterBoolean(section: string, name: string, fallback: boolean, says: string): Option<boolean> {
  return later({ section, name, kind: boolean, fallback, says });
}

const forceFoolscap = (section: string, says: string): Option<boolean> =>
  now({ section, name: 'force_foolscap', kind: boolean, fallback: false, says });

const node = {
  nickname: now({
    section: 'node',
    name: 'nickname',
    kind: text,
    fallback: '<unspecified>',
    says: 'How this node calls itself to others.',
  }),
  revealIpAddress: now({
    section: 'node',
    name: 'reveal-IP-address',
    kind: boolean,
    fallback: true,
    says: 'False makes the node refuse to start where the other options would show its IP address, and connect to nobody but through Tor and I2P.',
  }),
  webPort: now({
    section: 'node',
    name: 'web.port',
    kind: optionalText,
    fallback: undefined,
    shown: 'tcp:3456:interface=127.0.0.1',
    says: 'Where the web gateway listens: tcp:PORT:interface=ADDRESS; a bare number is tcp:NUMBER; empty or not set, there is no gateway.',
  }),
  webStatic: later({
    section: 'node',
    name: 'web.static',
    kind: text,
    fallback: 'public_html',
    says: 'The directory that the gateway serves under /static.',
  }),
  tubPort: now({
    section: 'node',
    name: 'tub.port',
    kind: text,
    fallback: '',
    shown: 'tcp:3457',
    says: 'Where other nodes reach this one: a comma list of tcp:PORT[:interface=ADDRESS], listen:tor and listen:i2p, or disabled. Not set, a free port is chosen once and kept in the file client.port.',
  }),
  tubLocation: now({
    section: 'node',
    name: 'tub.location',
    kind: text,
    fallback: 'AUTO',
    says: 'How others are told to reach it: a comma list of tcp:HOST:PORT, tor:HOST:PORT and i2p:HOST:PORT, AUTO for all local addresses, or disabled together with tub.port.',
  }),
  tempdir: now({
    section: 'node',
    name: 'tempdir',
    kind: text,
    fallback: 'tmp',
    says: 'Where the gateway keeps uploads while they arrive; their files have no names, nothing is left after a crash.',
  }),
  logGatherer: now({
    section: 'node',
    name: 'log_gatherer.furl',
    kind: furl,
    fallback: undefined,
    says: 'Who gathers the logs of this node: it is sent all events or all incidents, as it asks, over Foolscap.',
  }),
  keepalive: laterText('node', 'timeout.keepalive', 'Seconds of silence after which a Foolscap connection is probed.'),
  disconnect: laterText('node', 'timeout.disconnect', 'Seconds of silence that end a Foolscap connection.'),
};

const client = {
  sharesNeeded: now({
    section: 'client',
    name: 'shares.needed',
    kind: integer(1, SHARES_MAX),
    fallback: 3,
    says: 'This many shares of a new file, whichever they are, give it back.',
  }),
  sharesHappy: now({
    section: 'client',
    name: 'shares.happy',
    kind: integer(1, SHARES_MAX),
    fallback: 7,
    says: 'An upload succeeds when the shares are spread over at least this many servers.',
  }),
  sharesTotal: now({
    section: 'client',
    name: 'shares.total',
    kind: integer(1, SHARES_MAX),
    fallback: 10,
    says: 'This many shares are made of a new file.',
  }),
  maximumSegmentSize: now({
    section: 'client',
    name: 'shares._max_immutable_segment_size_for_testing',
    kind: integer(1, Number.MAX_SAFE_INTEGER),
    fallback: 1_048_576,
    says: 'The size in bytes of the segments that files are encoded in. For tests: other values give other capabilities.',
  }),
  introducer: gridOptions.introducer,
  helper: now({
    section: 'client',
    name: 'helper.furl',
    kind: furl,
    fallback: undefined,
    says: 'A helper that uploads on behalf of this node: it is sent the ciphertext once, and sends the shares to the servers.',
  }),
  keyGenerator: option('tahoe.cfg', 'never', {
    section: 'client',
    name: 'key_generator.furl',
    kind: furl,
    fallback: undefined,
    says: 'Obsolete: accepted and ignored.',
  }),
  mutableFormat,
  peersPreferred: laterText('client', 'peers.preferred', 'Servers that are tried first.'),
  clientPlugins: now({
    section: 'client',
    name: 'storage.plugins',
    kind: list,
    fallback: [],
    says: 'Storage plugins used as a client. None is known: a node that asks for one refuses to start.',
  }),
  clientForceFoolscap: forceFoolscap('client', 'Whether servers that speak HTTPS are used over Foolscap all the same.'),
};

const storage = {
  storageEnabled: now({
    section: 'storage',
    name: 'enabled',
    kind: boolean,
    fallback: true,
    says: 'Whether this node stores shares for others.',
  }),
  storageAnonymous: now({
    section: 'storage',
    name: 'anonymous',
    kind: boolean,
    fallback: true,
    says: 'Whether whoever knows its address may store there. False offers no storage at all as long as no plugin does.',
  }),
  storageReadonly: now({
    section: 'storage',
    name: 'readonly',
    kind: boolean,
    fallback: false,
    says: 'True takes no new shares; what is there stays readable.',
  }),
  reservedSpace: now({
    section: 'storage',
    name: 'reserved_space',
    kind: size,
    fallback: 0,
    says: 'Space left free on the disk: bytes, or with K, M, G, T, P, E (1000) or Ki, Mi, Gi … (1024).',
  }),
  storageDir: now({
    section: 'storage',
    name: 'storage_dir',
    kind: text,
    fallback: 'storage',
    says: 'The directory of the shares, relative to the node directory.',
  }),
  debugDiscard: laterBoolean('storage', 'debug_discard', false, 'Whether immutable shares are thrown away on arrival.'),
  expireEnabled: now({
    section: 'storage',
    name: 'expire.enabled',
    kind: boolean,
    fallback: false,
    says: 'Whether shares that no lease keeps are removed. At first they are only listed, in tallac/expiry-report.json of the storage directory; the first of them go a day later.',
  }),
  expireMode: now({
    section: 'storage',
    name: 'expire.mode',
    kind: text,
    fallback: '',
    says: 'How leases end: age, by the time since they were renewed; cutoff-date, by the day. Needed where expire.enabled is true.',
  }),
  expireDuration: now({
    section: 'storage',
    name: 'expire.override_lease_duration',
    kind: duration,
    fallback: undefined,
    says: 'With age: how long a lease lasts, as in 60 days. Not set, its own 31 days.',
  }),
  expireCutoff: now({
    section: 'storage',
    name: 'expire.cutoff_date',
    kind: date,
    fallback: undefined,
    says: 'With cutoff-date: leases that were last renewed before this day (UTC) are over, as in 2026-01-31.',
  }),
  expireImmutable: now({
    section: 'storage',
    name: 'expire.immutable',
    kind: boolean,
    fallback: true,
    says: 'Whether immutable shares expire.',
  }),
  expireMutable: now({
    section: 'storage',
    name: 'expire.mutable',
    kind: boolean,
    fallback: true,
    says: 'Whether mutable shares expire.',
  }),
  storagePlugins: now({
    section: 'storage',
    name: 'plugins',
    kind: list,
    fallback: [],
    says: 'Storage plugins offered to clients. None is known: a node that asks for one refuses to start.',
  }),
  gridManagement: gridOptions.gridManagement,
  storageForceFoolscap: forceFoolscap('storage', 'Whether HTTPS is not offered, and the port speaks Foolscap alone.'),
};

const services = {
  ...sftpOptions,
  helperEnabled: now({
    section: 'helper',
    name: 'enabled',
    kind: boolean,
    fallback: false,
    says: 'Whether this node uploads on behalf of others, who are given the furl in private/helper.furl, or the NURL in private/helper.nurl. Needs tub.port.',
  }),
};

const ownStorage = {
  maximumSpace: own({
    section: 'storage',
    name: 'max_space',
    kind: size,
    fallback: 0,
    says: 'What all shares may take of the disk, as in 2TB; 0, whatever reserved_space leaves.',
  }),
  scrubRate: own({
    section: 'storage',
    name: 'scrub_rate',
    kind: size,
    fallback: 10_000_000,
    shown: '10M',
    says: 'Bytes a second that are read to find shares that have rotted; each share once a week, if they can all be read in that time. 0 for never.',
  }),
};

/** Every option by the name the code calls it. */
export const options = {
  ...node,
  ...networkOptions,
  ...client,
  ...storage,
  ...services,
  ...ownNode,
  ...ownClient,
  ...ownStorage,
  ...ownGateway,
  ...limits,
};

/** The same as a list, in the order of the example. */
export const allOptions: readonly Option<unknown>[] = Object.values(options);

/** Sections that hold names of the owner's choice. */
export const freeSections = [
  {
    prefix: 'grid_managers',
    exact: true,
    says: 'Keys of grid managers: NAME = pub-v0-… New shares go only to servers that one of them has certified. Without the section they go to any; empty, the node does not start.',
  },
  { prefix: 'grid_manager_certificates', exact: true, says: 'Certificates of this storage node: NAME = FILE' },
  { prefix: 'storageserver.plugins.', exact: false, says: 'Options of a storage plugin, for its server.' },
  { prefix: 'storageclient.plugins.', exact: false, says: 'Options of a storage plugin, for its client.' },
] as const;

const INTRODUCER_SECTIONS = new Set(['node', 'connections', 'tor', 'i2p']);

function isFreeSection(section: string): boolean {
  return freeSections.some(({ prefix, exact }) => (exact ? section === prefix : section.startsWith(prefix)));
}

/** Whether a file of a node of this type may have the section. Section names are compared as they are written. */
export function isKnownSection(file: ConfigurationFileName, nodeType: NodeType, section: string): boolean {
  if (nodeType === 'introducer' && file === 'tahoe.cfg') return INTRODUCER_SECTIONS.has(section);
  if (file === 'tahoe.cfg' && isFreeSection(section)) return true;
  return allOptions.some((option) => option.file === file && option.section === section);
}

/** Whether a known section of the file may have the option, given in lower case. */
export function isKnownOption(file: ConfigurationFileName, section: string, name: string): boolean {
  if (file === 'tahoe.cfg' && isFreeSection(section)) return true;
  return allOptions.some(
    (option) => option.file === file && option.section === section && option.name.toLowerCase() === name,
  );
}
