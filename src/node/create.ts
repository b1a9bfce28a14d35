/**
 * Makes node directories: the work of `create-node`, `create-client` and `create-introducer`.
 *
 * A new directory holds the marker file, private/ (0700), tahoe.cfg and, when an introducer was named,
 * private/introducers.yaml. Keys and secrets are made when the node starts. Options are checked before anything
 * is touched; the address of a node behind Tor or I2P is made before its directory is.
 */
import { mkdir, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { TahoeError } from '#core/errors.js';
import { parseEndpoint } from './config/endpoint-text.js';
import type { NodeType } from './config/schema.js';
import { createFileOnce, fileError, syncDirectory, systemCode } from './durable-file.js';
import type { ConfigurationSection, HiddenListener, TorWords } from './network/hidden-listener.js';
import { NodeDirectory, PRIVATE_MODE, PUBLIC_MODE, markerName } from './node-directory.js';
import { proposeEncoding } from './encoding-advice.js';
import type { EncodingCounts } from './encoding-advice.js';
import { quotePath } from './quoted-path.js';
import { renderIntroducerTemplate, renderTemplate } from './template.js';
import type { InvitationSettings } from './wormhole/invitation.js';

/** What may be said to `create-client`. Texts as they were typed; undefined when they were not. */
export interface CreateClientOptions {
  readonly nickname?: string | undefined;
  /** The furl or the NURL of an introducer. */
  readonly introducer?: string | undefined;
  /** `none` for no gateway. */
  readonly webport?: string | undefined;
  /** How many servers the grid has: shares are then made to fit. */
  readonly servers?: string | undefined;
  readonly sharesNeeded?: string | undefined;
  readonly sharesHappy?: string | undefined;
  readonly sharesTotal?: string | undefined;
  readonly hideIp?: boolean | undefined;
  /** Gets what an invitation says, once all else is known to be right: its code serves only once. */
  readonly join?: (() => Promise<InvitationSettings>) | undefined;
  /** Makes the address of a node that is reached through Tor. */
  readonly allocateOnion?: ((words: TorWords) => Promise<HiddenListener>) | undefined;
  /** Makes the address of a node that is reached through I2P. */
  readonly allocateI2p?: ((samPort: string | undefined) => Promise<HiddenListener>) | undefined;
}

/** What may be said to `create-node` besides. */
export interface CreateNodeOptions extends CreateClientOptions, TorWords {
  readonly noStorage?: boolean | undefined;
  readonly helper?: boolean | undefined;
  readonly storageDir?: string | undefined;
  readonly location?: string | undefined;
  readonly port?: string | undefined;
  readonly hostname?: string | undefined;
  /** Comma-separated: tcp, tor, i2p, none. */
  readonly listen?: string | undefined;
  readonly i2pLaunch?: boolean | undefined;
  readonly i2pSamPort?: string | undefined;
}

/** A TCP port that is free now. */
export type AllocatePort = () => Promise<number>;

interface Location {
  readonly tubPort: string;
  readonly tubLocation: string;
  readonly sections: readonly ConfigurationSection[];
  readonly keys: readonly HiddenListener['key'][];
}

const WEBPORT_DEFAULT = 'tcp:3456:interface=127.0.0.1';
/** What file systems and storage put into the root of a volume by themselves. */
const OF_THE_VOLUME = ['lost+found', '.snapshot', '.snapshots', '.zfs'];
const LISTENERS = ['i2p', 'none', 'tcp', 'tor'];
const DISABLED: Location = { tubPort: 'disabled', tubLocation: 'disabled', sections: [], keys: [] };

/** What the reference put into marker files; it is never run. */
const MARKER_TEXT = `
# The name of this file tells which kind of node lives in this directory. What is in it is not used.
import sys
sys.exit("Start this node with: tahoe run")
`;

/**
 * Makes the directory of a client and storage node.
 * @param path - absolute; the directory must be empty or not there, or made with the same options and unchanged since;
 *   then nothing is written. `lost+found` and snapshots don't count.
 * @returns the lines to print.
 * @throws ERR_USAGE when the options do not go together or ask for what is not available.
 * @throws ERR_DIRECTORY_NOT_EMPTY when something is in the directory: print notEmptyLines, exit with 255.
 * @throws ERR_FILE, ERR_NO_SPACE when it cannot be written.
 */
export async function createNode(
  path: string,
  given: CreateNodeOptions,
  allocatePort: AllocatePort,
): Promise<readonly string[]> {
  requireNodeOptions(given);
  requireClientOptions(given);
  if (await isAlreadyMade(path, given)) return [`Node already exists in ${quotePath(path)}; nothing was changed`];
  await requireEmpty(path);
  const options = { ...given, ...(await given.join?.()) };
  requireClientOptions(options);
  const location = await chooseLocation(options, allocatePort);
  await writeDirectory(path, templateOf(options, location), { introducer: options.introducer, keys: location.keys });
  return reportLines(path, options);
}

function templateOf(options: CreateNodeOptions, { sections, tubPort, tubLocation }: Location): string {
  const { needed, happy, total } = encodingOf(options);
  return renderTemplate({
    nickname: options.nickname ?? '',
    webPort: webPortOf(options),
    tubPort,
    tubLocation,
    sharesNeeded: options.sharesNeeded ?? String(needed),
    sharesHappy: options.sharesHappy ?? String(happy),
    sharesTotal: options.sharesTotal ?? String(total),
    storageEnabled: options.noStorage !== true,
    storageDir: options.storageDir === '' ? undefined : options.storageDir,
    helperEnabled: options.helper === true,
    hidesAddress: options.hideIp === true,
    sections,
  });
}

/** What fits the servers; the reference's own where nobody says how many there are. */
function encodingOf({ servers }: CreateClientOptions): EncodingCounts {
  return servers === undefined ? { needed: 3, happy: 7, total: 10 } : proposeEncoding(Number(servers));
}

/**
 * Whether the same options have made this directory before, and nobody has changed its tahoe.cfg since. Programs that
 * call the command again, such as git-annex, find what they want. A port that was chosen then stays.
 */
async function isAlreadyMade(path: string, options: CreateNodeOptions): Promise<boolean> {
  // The address of a hidden one is new each time.
  if (/tor|i2p/.test(options.listen ?? '')) return false;
  const read = (name: string): Promise<string | undefined> => readFile(join(path, name), 'utf8').catch(() => undefined);
  const text = await read('tahoe.cfg');
  if (text === undefined || (await read(markerName('client'))) === undefined) return false;
  const tubPort = /^tub\.port = (.*)$/m.exec(text)?.[1] ?? '';
  const port = /^tcp:([0-9]+)$/.exec(tubPort)?.[1] ?? '0';
  const location = await chooseLocation(options, () => Promise.resolve(Number(port)));
  const introducers = isGiven(options.introducer) ? introducersText(options.introducer) : undefined;
  return templateOf(options, location) === text && (await read('private/introducers.yaml')) === introducers;
}

function introducersText(furl: string): string {
  return stringify({ introducers: { default: { furl } } }, { version: '1.1', lineWidth: 0 });
}

/**
 * Makes the directory of a node that stores nothing for others and does not listen for them.
 * @see createNode for parameters and errors.
 */
export async function createClient(path: string, options: CreateClientOptions): Promise<readonly string[]> {
  const allocateNone = () => Promise.resolve(0);
  return createNode(path, { ...options, noStorage: true, listen: 'none' }, allocateNone);
}

/** What may be said to `create-introducer`. */
export type CreateIntroducerOptions = Omit<
  CreateNodeOptions,
  'introducer' | 'noStorage' | 'storageDir' | 'helper' | 'join'
>;

/**
 * Makes the directory of an introducer.
 * @see createNode for parameters and errors.
 */
export async function createIntroducer(
  path: string,
  options: CreateIntroducerOptions,
  allocatePort: AllocatePort,
): Promise<readonly string[]> {
  const given = { ...options, webport: options.webport ?? 'none' };
  requireNodeOptions(given);
  requireClientOptions(given);
  await requireEmpty(path);
  const location = await chooseLocation(given, allocatePort);
  if (location.tubPort === 'disabled')
    throw usage('--listen=none: an introducer that nobody reaches introduces nobody');
  const hidesAddress = given.hideIp === true;
  const text = renderIntroducerTemplate({ ...location, hidesAddress, webPort: webPortOf(given) });
  await writeDirectory(path, text, { keys: location.keys, nodeType: 'introducer' });
  return [`Introducer created in ${quotePath(path)}`];
}

/** What to print on standard error when the directory is not empty; the exit status is then 255. */
export function notEmptyLines(path: string): readonly string[] {
  return [
    `The base directory ${quotePath(path)} is not empty.`,
    'To avoid clobbering anything, I am going to quit now.',
    'Please use a different directory, or empty this one.',
  ];
}

function usage(reason: string): TahoeError {
  return new TahoeError('ERR_USAGE', { reason });
}

function isGiven(text: string | undefined): text is string {
  return text !== undefined && text !== '';
}

function requireClientOptions(options: CreateClientOptions): void {
  const shares = {
    'shares-needed': options.sharesNeeded,
    'shares-happy': options.sharesHappy,
    'shares-total': options.sharesTotal,
  };
  for (const [name, given] of Object.entries(shares)) {
    if (given !== undefined && !/^[+-]?[0-9]+$/.test(given)) throw usage(`--${name} must be an integer`);
  }
  if (options.servers !== undefined && !/^[1-9][0-9]{0,3}$/.test(options.servers))
    throw usage('--servers must be the number of storage servers, 1 or more');
  const webPort = webPortOf(options);
  const parsed = webPort === '' ? undefined : parseEndpoint(webPort);
  if (parsed !== undefined && 'problem' in parsed) throw usage(`--webport: ${parsed.problem}`);
}

function webPortOf({ webport }: CreateClientOptions): string {
  if (webport === undefined) return WEBPORT_DEFAULT;
  return webport.toLowerCase() === 'none' ? '' : webport;
}

function requireNodeOptions(options: CreateNodeOptions): void {
  const { hostname, port, location } = options;
  const listen = options.listen ?? 'tcp';
  if (listen === 'none' && isGiven(hostname)) throw usage('--hostname cannot be used when --listen=none');
  if (listen === 'none' && (isGiven(port) || isGiven(location))) {
    throw usage('--port/--location cannot be used when --listen=none');
  }
  if (isGiven(location) && !isGiven(port)) throw usage('--location must be used with --port');
  if (isGiven(port) && !isGiven(location)) throw usage('--port must be used with --location');
  if (isGiven(port) && isGiven(hostname)) throw usage('--hostname cannot be used with --location/--port');
  const listeners = listen.split(',');
  if (!isGiven(port) && listen !== 'none' && options.join === undefined) requireListeners(listeners, hostname);
  requireHidden(listeners, options);
}

function requireListeners(listeners: readonly string[], hostname: string | undefined): void {
  if (!listeners.every((listener) => LISTENERS.includes(listener))) {
    throw usage(`--listen= must be one/some of: ${LISTENERS.join(', ')}`);
  }
  if (listeners.includes('tcp') && !isGiven(hostname)) throw usage('--listen=tcp requires --hostname=');
  if (!listeners.includes('tcp') && isGiven(hostname)) throw usage('--listen= must be tcp to use --hostname');
}

function requireHidden(listeners: readonly string[], options: CreateNodeOptions): void {
  const usesTor = listeners.includes('tor');
  const usesI2p = listeners.includes('i2p');
  if (!usesTor && options.torLaunch === true) throw usage('--tor-launch requires --listen=tor');
  if (!usesTor && isGiven(options.torControlPort)) throw usage('--tor-control-port= requires --listen=tor');
  if (!usesI2p && options.i2pLaunch === true) throw usage('--i2p-launch requires --listen=i2p');
  if (!usesI2p && isGiven(options.i2pSamPort)) throw usage('--i2p-sam-port= requires --listen=i2p');
  if (options.torLaunch === true && isGiven(options.torControlPort)) {
    throw usage('use either --tor-launch or --tor-control-port=, not both');
  }
  if (options.i2pLaunch === true && isGiven(options.i2pSamPort)) {
    throw usage('use either --i2p-launch or --i2p-sam-port=, not both');
  }
  if (options.i2pLaunch === true) throw usage('--i2p-launch is under development');
}

/** Of several listeners the last that was named comes first. */
async function chooseLocation(options: CreateNodeOptions, allocatePort: AllocatePort): Promise<Location> {
  const listeners = (options.listen ?? 'tcp').split(',');
  if (listeners.includes('none')) return DISABLED;
  let [tubPort, tubLocation] = [[] as string[], [] as string[]];
  const hidden: HiddenListener[] = [];
  for (const listener of listeners) {
    const concealed = await hiddenListener(listener, options);
    if (concealed !== undefined) hidden.unshift(concealed);
    const one = concealed ?? (await tcpListener(options, allocatePort));
    tubPort = [one.tubPort, ...tubPort];
    tubLocation = [one.tubLocation, ...tubLocation];
  }
  return {
    tubPort: tubPort.join(','),
    tubLocation: tubLocation.join(','),
    sections: hidden.map(({ section }) => section),
    keys: hidden.map(({ key }) => key),
  };
}

async function hiddenListener(listener: string, options: CreateNodeOptions): Promise<HiddenListener | undefined> {
  const { allocateI2p, allocateOnion, i2pSamPort, torControlPort, torExecutable, torLaunch } = options;
  if (listener !== 'tor' && listener !== 'i2p') return undefined;
  if (allocateOnion === undefined || allocateI2p === undefined) {
    throw usage(`--listen=${listener}: there is no way to that network here`);
  }
  if (listener === 'i2p') return allocateI2p(isGiven(i2pSamPort) ? i2pSamPort : undefined);
  return allocateOnion({
    torControlPort: isGiven(torControlPort) ? torControlPort : undefined,
    torExecutable,
    torLaunch,
  });
}

async function tcpListener(
  { port, location, hostname = '' }: CreateNodeOptions,
  allocatePort: AllocatePort,
): Promise<Pick<Location, 'tubPort' | 'tubLocation'>> {
  if (isGiven(port) && isGiven(location)) return { tubPort: port, tubLocation: location };
  const free = String(await allocatePort());
  return { tubPort: `tcp:${free}`, tubLocation: `tcp:${hostname}:${free}` };
}

async function requireEmpty(path: string): Promise<void> {
  try {
    const names = (await readdir(path)).filter((name) => !OF_THE_VOLUME.includes(name));
    if (names.length > 0) throw new TahoeError('ERR_DIRECTORY_NOT_EMPTY', { directory: path });
  } catch (error) {
    if (error instanceof TahoeError) throw error;
    if (systemCode(error) !== 'ENOENT') throw fileError(path, error);
  }
}

async function writeDirectory(
  path: string,
  text: string,
  {
    introducer,
    keys,
    nodeType = 'client',
  }: {
    readonly introducer?: string | undefined;
    readonly keys: readonly HiddenListener['key'][];
    readonly nodeType?: NodeType;
  },
): Promise<void> {
  try {
    await mkdir(path, { recursive: true });
  } catch (error) {
    throw fileError(path, error);
  }
  const directory = new NodeDirectory(path);
  await directory.ensurePrivate();
  if (isGiven(introducer)) {
    await createFileOnce(directory.privateFile('introducers.yaml'), introducersText(introducer), PRIVATE_MODE);
  }
  for (const { dangerousText, name } of keys) {
    await createFileOnce(directory.privateFile(name), dangerousText, PRIVATE_MODE);
  }
  await createFileOnce(directory.file('tahoe.cfg'), text, PUBLIC_MODE);
  // Last: a directory without its marker is not taken for a node.
  await createFileOnce(directory.file(markerName(nodeType)), MARKER_TEXT, PUBLIC_MODE);
  await syncDirectory(join(path, '..')).catch((error: unknown) => {
    // A parent that may be written but not read cannot be synced; the node is complete all the same.
    if (systemCode(error) !== 'EACCES') throw fileError(path, error);
  });
}

function reportLines(path: string, options: CreateClientOptions): readonly string[] {
  const { introducer, nickname, servers } = options;
  const lines = [`Node created in ${quotePath(path)}`];
  if (servers !== undefined) {
    const { needed, happy, total } = encodingOf(options);
    const [n, h, t] = [options.sharesNeeded ?? needed, options.sharesHappy ?? happy, options.sharesTotal ?? total];
    lines.push(
      ` For ${servers} servers: ${String(t)} shares of a file, any ${String(n)} give it back, over at least ${String(h)} servers.`,
    );
  }
  if (!isGiven(introducer)) {
    lines.push(
      ` Please add introducers to ${quotePath(join(path, 'private', 'introducers.yaml'))}!`,
      ' The node cannot connect to a grid without it.',
    );
  }
  if (!isGiven(nickname)) lines.push(` Please set [node]nickname= in ${quotePath(join(path, 'tahoe.cfg'))}`);
  return lines;
}
