/**
 * The settings of a client node: every option that takes effect, read once at the start and checked together,
 * so that a node either starts with all of them or stops with one sentence about the first that is wrong.
 */
import { homedir } from 'node:os';
import { resolve } from 'node:path';
import type { MutableFormat } from '#core/capability/types.js';
import type { CryptoName } from '#core/crypto.js';
import { parsePublicKey } from '#wire/signing-key.js';
import { parseEndpoint } from './config/endpoint-text.js';
import type { Endpoint } from './config/endpoint-text.js';
import type { Configuration } from './config/configuration.js';
import { readExpiry } from './expiry-settings.js';
import type { ExpirySettings } from './expiry-settings.js';
import type { ListPlace } from './config/list-place.js';
import { options } from './config/schema.js';
import type { LogLevel } from './log.js';
import { checkFurl, readHelper } from './helper-settings.js';
import type { HelperSettings } from './helper-settings.js';
import { readNetwork } from './network/network-settings.js';
import type { NetworkSettings } from './network/network-settings.js';
import type { LogDestination } from './logs/destination.js';
import { readSftp } from './sftp-settings.js';
import type { SftpSettings } from './sftp-settings.js';
import { isTubDisabled } from './tub-location.js';

/** How new files are encoded. 1 ≤ needed ≤ total ≤ 256 and 1 ≤ happy ≤ 256; with happy > total no upload succeeds. */
export interface EncodingSettings {
  readonly needed: number;
  readonly happy: number;
  readonly total: number;
  readonly maximumSegmentSizeBytes: number;
}

/** How this node stores for others. */
export interface StorageSettings {
  readonly directory: string;
  readonly isReadonly: boolean;
  readonly reservedSpaceBytes: number;
  /** What all shares may take of the disk; undefined for no limit. */
  readonly maximumSpaceBytes: number | undefined;
  /** How fast the scrub reads, bytes a second; 0 for not at all. */
  readonly scrubBytesPerSecond: number;
  readonly expiry: ExpirySettings;
  /** Of grid managers, to be announced. Absolute paths. */
  readonly certificateFiles: readonly string[];
  /** Whether HTTPS is not offered. */
  readonly forceFoolscap: boolean;
}

/** What of Foolscap this node speaks. */
export interface FoolscapSettings {
  /** Whether any at all. */
  readonly enabled: boolean;
  /** Whether it is used with servers that speak HTTPS too. */
  readonly clientForced: boolean;
}

/** Who may ask what of the gateway. */
export interface GatewaySettings {
  /** Names beside localhost and addresses. */
  readonly hosts: readonly string[];
  readonly isPrivate: boolean;
  readonly isReadOnly: boolean;
}

/** All settings of a client node; paths are absolute. */
export interface NodeSettings {
  readonly nickname: string;
  /** Where the gateway listens; undefined when there is none. */
  readonly web: Endpoint | undefined;
  readonly gateway: GatewaySettings;
  readonly tempDirectory: string;
  readonly encoding: EncodingSettings;
  /** Of new directories. */
  readonly mutableFormat: MutableFormat;
  /** undefined when this node stores nothing for others. */
  readonly storage: StorageSettings | undefined;
  /** Public keys, 32 bytes each: only servers that they have certified get new shares; undefined for all servers. */
  readonly gridManagers: readonly Uint8Array[] | undefined;
  /** Its furl or its NURL. Secret. */
  readonly introducer: string | undefined;
  /** Where signed lists of servers are. */
  readonly serverLists: readonly ListPlace[];
  /** By which ways others are reached. */
  readonly network: NetworkSettings;
  /** Whether there is any. */
  readonly mayConnect: boolean;
  readonly logLevel: LogLevel;
  /** Who encrypts, hashes and signs. */
  readonly crypto: CryptoName;
  readonly foolscap: FoolscapSettings;
  /** Who gathers its log, by a furl; undefined for nobody. Secret. */
  readonly logGatherer: string | undefined;
  readonly helper: HelperSettings;
  /** undefined when no SFTP is served. */
  readonly sftp: SftpSettings | undefined;
  /** Connections that one listening port holds at a time. */
  readonly connectionsMax: number;
  /** Bytes that all uploads together may hold in tempDirectory. */
  readonly spoolBytesMax: number;
  /** Sentences to warn of at the start: options that are set and do nothing yet, and the like. */
  readonly warnings: readonly string[];
}

/**
 * Reads and checks the settings.
 * @param directory - the node directory; relative paths in options start there, `~` is the home directory.
 * @throws ERR_CONFIG naming the first option that is wrong, or that asks for something whose absence would break
 *   a promise: hiding the IP address, a storage plugin.
 */
export function readSettings(configuration: Configuration, directory: string): NodeSettings {
  const network = readNetwork(configuration);
  refusePlugins(configuration);
  const storage = readStorage(configuration, directory);
  // Also where nothing is stored: the reference would not start.
  isTubDisabled(configuration);
  return {
    nickname: configuration.get(options.nickname),
    web: readWeb(configuration),
    gateway: {
      hosts: configuration.get(options.gatewayHosts),
      isPrivate: configuration.get(options.gatewayPrivate),
      isReadOnly: configuration.get(options.gatewayReadOnly),
    },
    tempDirectory: resolvePath(directory, configuration.get(options.tempdir)),
    encoding: readEncoding(configuration),
    mutableFormat: configuration.get(options.mutableFormat),
    storage,
    gridManagers: readGridManagers(configuration),
    introducer: configuration.get(options.introducer),
    serverLists: configuration.get(options.serverLists),
    network,
    mayConnect: network.tcp !== 'disabled' || network.tor !== undefined || network.i2p !== undefined,
    logLevel: configuration.get(options.logLevel),
    crypto: configuration.get(options.crypto),
    foolscap: readFoolscap(configuration),
    logGatherer: readLogGatherer(configuration),
    helper: readHelper(configuration),
    sftp: readSftp(configuration, (path) => resolvePath(directory, path)),
    connectionsMax: configuration.get(options.connectionsMax),
    spoolBytesMax: configuration.get(options.spoolSize),
    warnings: listWarnings(configuration),
  };
}

/** An absolute path: `~` is the home directory, what is relative starts in `directory`. */
export function resolvePath(directory: string, path: string): string {
  const expanded = path === '~' || path.startsWith('~/') ? homedir() + path.slice(1) : path;
  return resolve(directory, expanded);
}

function refusePlugins(configuration: Configuration): void {
  const { clientPlugins, storagePlugins } = options;
  for (const option of [clientPlugins, storagePlugins]) {
    const [plugin] = configuration.get(option);
    if (plugin !== undefined) throw configuration.error(option, `no storage plugin '${plugin}' is known; remove it`);
  }
}

/** undefined where every server may get new shares; never widened to that by what is wrong or missing. */
function readGridManagers(configuration: Configuration): readonly Uint8Array[] | undefined {
  if (!configuration.hasSection('grid_managers')) return undefined;
  const keys = [...configuration.section('grid_managers')].map(([name, text]) => {
    const key = parsePublicKey(text);
    if (key !== undefined) return key;
    throw configuration.sectionError('grid_managers', `${name} is not a key: pub-v0- and 52 characters are expected`);
  });
  if (keys.length > 0) return keys;
  const problem = 'it names no key, so that no server could get anything; add NAME = pub-v0-…, or remove the section';
  throw configuration.sectionError('grid_managers', problem);
}

/** The log file of the options; none when none is named. */
export function readLogFiles(configuration: Configuration, directory: string): readonly LogDestination[] {
  const file = configuration.get(options.logFile);
  if (file === '') return [];
  const rotateLengthBytes = configuration.get(options.logRotateLength);
  const rotatedFilesMax = configuration.get(options.logRotatedFiles);
  return [{ path: resolvePath(directory, file), rotateLengthBytes, rotatedFilesMax }];
}

/** Where the web port is to listen; undefined for nowhere. @throws ERR_CONFIG. */
export function readWeb(configuration: Configuration): Endpoint | undefined {
  const text = configuration.get(options.webPort);
  if (text === undefined) return undefined;
  const parsed = parseEndpoint(text);
  if ('problem' in parsed) throw configuration.error(options.webPort, parsed.problem);
  return parsed.value;
}

function readFoolscap(configuration: Configuration): FoolscapSettings {
  const { clientForceFoolscap, foolscap, storageForceFoolscap } = options;
  const enabled = configuration.get(foolscap);
  for (const option of [clientForceFoolscap, storageForceFoolscap]) {
    if (!enabled && configuration.get(option)) {
      throw configuration.error(option, 'Foolscap is forced, and [node]foolscap of tallac.cfg turns it off');
    }
  }
  return { enabled, clientForced: configuration.get(clientForceFoolscap) };
}

/** Who gathers the log, by a furl; undefined for nobody. @throws ERR_CONFIG. */
export function readLogGatherer(configuration: Configuration): string | undefined {
  const { foolscap, logGatherer } = options;
  const furl = configuration.get(logGatherer);
  if (furl === undefined) return undefined;
  if (!configuration.get(foolscap)) {
    throw configuration.error(logGatherer, 'gatherers speak Foolscap, and [node]foolscap of tallac.cfg turns it off');
  }
  checkFurl(configuration, logGatherer, furl);
  return furl;
}

function readEncoding(configuration: Configuration): EncodingSettings {
  const { sharesNeeded, sharesHappy, sharesTotal, maximumSegmentSize } = options;
  const needed = configuration.get(sharesNeeded);
  const happy = configuration.get(sharesHappy);
  const total = configuration.get(sharesTotal);
  if (needed > total) {
    throw configuration.error(
      sharesNeeded,
      `${String(needed)} shares cannot be needed of ${String(total)} (shares.total)`,
    );
  }
  return { needed, happy, total, maximumSegmentSizeBytes: configuration.get(maximumSegmentSize) };
}

function listWarnings(configuration: Configuration): readonly string[] {
  const warnings = configuration.withoutEffect().map((name) => `${name} is set and has no effect in this version`);
  for (const section of configuration.pluginSections()) {
    warnings.push(`[${section}] is of a storage plugin; none is known, so it has no effect`);
  }
  const happy = configuration.get(options.sharesHappy);
  const total = configuration.get(options.sharesTotal);
  if (happy > total) {
    warnings.push(
      `[client]shares.happy asks for ${String(happy)} servers and shares.total makes only ${String(total)} shares: ` +
        'no upload can succeed',
    );
  }
  return warnings;
}

function readCertificateFiles(configuration: Configuration, directory: string): readonly string[] {
  if (!configuration.get(options.gridManagement)) return [];
  return [...configuration.section('grid_manager_certificates').values()].map((file) => resolvePath(directory, file));
}

function readStorage(configuration: Configuration, directory: string): StorageSettings | undefined {
  const { storageEnabled, storageAnonymous, storageDir, storageReadonly, reservedSpace, tubPort } = options;
  const maximumSpace = configuration.get(options.maximumSpace);
  const settings = {
    directory: resolvePath(directory, configuration.get(storageDir)),
    isReadonly: configuration.get(storageReadonly),
    reservedSpaceBytes: configuration.get(reservedSpace),
    maximumSpaceBytes: maximumSpace === 0 ? undefined : maximumSpace,
    scrubBytesPerSecond: configuration.get(options.scrubRate),
    expiry: readExpiry(configuration),
    certificateFiles: readCertificateFiles(configuration, directory),
    forceFoolscap: configuration.get(options.storageForceFoolscap),
  };
  const isAnonymous = configuration.get(storageAnonymous);
  if (!configuration.get(storageEnabled)) return undefined;
  if (configuration.get(tubPort) === 'disabled') {
    const problem =
      'storage is enabled, but tub.port is disabled, so nobody could reach it; set [node]tub.port or disable it';
    throw configuration.error(storageEnabled, problem);
  }
  return isAnonymous ? settings : undefined;
}
