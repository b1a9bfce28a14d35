/**
 * The client half of a node: the grid of the servers it was told of, uploads and downloads on it, the gateway that
 * offers them as a web API, and the SFTP server.
 */
import type { CryptoProvider } from '#core/crypto.js';
import type { Clock, Random } from '#core/environment.js';
import type { Dialler } from '#client/dialler.js';
import { FileStore } from '#client/file-store.js';
import type { FileStoreContext } from '#client/file-store.js';
import type { Grid } from '#client/grid.js';
import type { UploadAssistant } from '#client/helper/helper-link.js';
import type { UploadHelper } from '#client/helper/upload-helper.js';
import { KnownVersions } from '#client/mutable/known-versions.js';
import { WriterQueue } from '#client/mutable/writer-queue.js';
import { UploadTurns } from '#client/upload/upload-turns.js';
import type { UploadPermission } from '#client/upload-permission.js';
import { createGateway } from '#gateway/gateway.js';
import { storeServices } from '#gateway/services.js';
import type { GatewayServices, ServerStatus } from '#gateway/services.js';
import { Blacklist } from './blacklist.js';
import type { SignedAnnouncement } from '#wire/signed-announcement.js';
import { collectorOfDiscarded } from './collector.js';
import type { Closers } from './closers.js';
import type { Foolscap } from './foolscap/foolscap.js';
import { gatewayUrl } from './config/endpoint-text.js';
import type { Endpoint } from './config/endpoint-text.js';
import { monitorRoutes } from './health/routes.js';
import type { Monitor } from './health/routes.js';
import { joinGrid } from './grid-joining.js';
import type { JoinedGrid } from './grid-joining.js';
import { gridReportRoute, monitorGrid } from './grid-report.js';
import { listenHttp } from './http-listener.js';
import type { NodeLog } from './log.js';
import type { HelperPlace } from './helper-service.js';
import type { KnownIntroducer } from './introducers-file.js';
import type { NodeDirectory } from './node-directory.js';
import { loadClientSecrets } from './node-secrets.js';
import type { NodeSettings } from './settings.js';
import { NodeEncoders } from './encoding/encoding-thread.js';
import { SeenVersionsFile } from './seen-versions-file.js';
import { RsaKeyPool } from './rsa-key-pool.js';
import { workWatch } from './work-watch.js';
import type { LiveSettings } from './reload.js';
import type { SftpSettings } from './sftp-settings.js';
import { Spool } from './spool.js';
import { applicationVersion } from './version.js';

/** How far ahead of an SFTP client a file is fetched, in bytes: it may have many open. */
const SFTP_READ_AHEAD_SIZE = 4_194_304;

/** What the client half is made of. */
export interface ClientServiceOptions {
  readonly directory: NodeDirectory;
  readonly settings: NodeSettings;
  readonly live: Pick<LiveSettings, 'encoding'>;
  readonly crypto: CryptoProvider;
  readonly random: Random;
  readonly clock: Clock;
  readonly log: NodeLog;
  /** What `/private` takes. */
  readonly apiToken: string;
  readonly closers: Closers;
  readonly introducers: readonly KnownIntroducer[];
  /** What this node announces to them; undefined for nothing. */
  readonly announcement: SignedAnnouncement | undefined;
  readonly dialler: Dialler;
  /** Undefined where it is turned off. */
  readonly foolscap?: Foolscap | undefined;
  /** Undefined where this node is no helper. */
  readonly helperPlace?: HelperPlace | undefined;
  /** What is told on the same port. */
  readonly monitor?: Monitor | undefined;
}

/**
 * Joins the grid, serves SFTP and opens the gateway, whatever of the two is wanted. What it opens is added to `closers`.
 * @returns the gateway's address; undefined where there is none.
 */
export async function startClientService(options: ClientServiceOptions): Promise<string | undefined> {
  const { settings } = options;
  const joined = await joinGrid(options);
  const { grid, permission } = joined;
  const spool = new Spool(settings.tempDirectory, { bytesMax: settings.spoolBytesMax });
  const context = await clientContext(options, grid, permission, spool);
  const helper = await serveHelper(options, grid, context);
  const services = {
    ...servicesOf(options, joined, context),
    ...(helper && { helperFigures: () => helper.figures() }),
  };
  if (settings.sftp !== undefined) await serveSftp(options, settings.sftp, { services, joined, spool });
  return settings.web === undefined ? undefined : openGateway(options, settings.web, services, joined);
}

async function openGateway(
  options: ClientServiceOptions,
  endpoint: Endpoint,
  services: GatewayServices,
  joined: JoinedGrid,
): Promise<string> {
  const { directory, settings, log, closers, clock } = options;
  const gateway = createGateway(services, (app) => {
    if (options.monitor !== undefined) monitorRoutes(app, options.monitor);
    gridReportRoute(app, joined);
  });
  if (options.monitor !== undefined) monitorGrid(options.monitor.metrics, joined);
  const { connectionsMax } = settings;
  const listener = await listenHttp(gateway, endpoint, { option: '[node]web.port', connectionsMax, clock });
  closers.add('the gateway', () => listener.close());
  const url = gatewayUrl(listener.host, listener.port);
  await directory.write('node.url', `${url}\n`);
  log.info('gateway listens', { port: listener.port });
  return url;
}

/** Helps others to upload, where that is wanted: by itself, not through a helper of its own. */
async function serveHelper(
  options: ClientServiceOptions,
  grid: Grid,
  context: FileStoreContext,
): Promise<UploadHelper | undefined> {
  const { helperPlace: place, settings } = options;
  if (place === undefined) return undefined;
  const { startHelper } = await import('./helper-service.js');
  const helper = await startHelper({
    ...options,
    place,
    context,
    sizeMax: settings.helper.sizeMax,
    connectionsMax: settings.connectionsMax,
    ready: (signal) => grid.ready(Infinity, signal),
  });
  options.monitor?.statistics.add(() => helper.figures());
  return helper;
}

/** The helpers that upload for this node. */
async function helperOf(options: ClientServiceOptions): Promise<UploadAssistant | undefined> {
  const { settings } = options;
  const { furl, nurl } = settings.helper;
  if ((furl === undefined && nurl === undefined) || !settings.mayConnect) return undefined;
  const { linkHelpers } = await import('./helper-service.js');
  return linkHelpers(settings.helper, options);
}

/** SFTP is loaded only where it is served. */
async function serveSftp(
  options: ClientServiceOptions,
  settings: SftpSettings,
  parts: { readonly services: GatewayServices; readonly joined: JoinedGrid; readonly spool: Spool },
): Promise<void> {
  const { services, joined, spool } = parts;
  const { startSftp } = await import('./sftp-service.js');
  await startSftp({
    settings,
    connectionsMax: options.settings.connectionsMax,
    closers: options.closers,
    services: {
      ...services,
      mutableFormat: options.settings.mutableFormat,
      openFile: (capability, signal) => services.openFile(capability, signal, { readAheadSize: SFTP_READ_AHEAD_SIZE }),
      openScratch: () => spool.open(),
      freeBytes: () => freeBytes(joined.grid.status(), options.live.encoding),
    },
  });
}

/** What files may take of the room that connected servers tell of; undefined where none tells. */
function freeBytes(
  servers: ReturnType<Grid['status']>,
  { needed, total }: { readonly needed: number; readonly total: number },
): number | undefined {
  const spaces = servers.flatMap(({ availableSpace, connected }) =>
    connected && typeof availableSpace === 'number' ? [availableSpace] : [],
  );
  if (spaces.length === 0) return undefined;
  return Math.floor((spaces.reduce((sum, space) => sum + space, 0) * needed) / total);
}

async function clientContext(
  options: ClientServiceOptions,
  grid: Grid,
  permission: UploadPermission,
  spool: Spool,
): Promise<FileStoreContext> {
  const { directory, crypto, clock, random, log } = options;
  const encoders = new NodeEncoders(crypto, clock);
  options.closers.add('the encoders', () => encoders.close());
  const secrets = await loadClientSecrets(directory, random);
  const path = directory.privateFile('seen-versions');
  const seen = await SeenVersionsFile.open({ path, crypto, secret: secrets.leaseSecret, log });
  options.closers.add('the seen versions', () => seen.close());
  const helper = await helperOf(options);
  const blacklist = new Blacklist(directory.file('access.blacklist'));
  return {
    crypto,
    clock,
    random,
    log,
    get encoding() {
      const { needed, happy, total, maximumSegmentSizeBytes } = options.live.encoding;
      return { needed, happy, total, segmentSizeMax: maximumSegmentSizeBytes };
    },
    ...secrets,
    uploadTurns: new UploadTurns({ crypto, random, leaseSecret: secrets.leaseSecret }),
    serversFor: (storageIndex) => {
      blacklist.check(storageIndex);
      return grid.permutedServers(storageIndex);
    },
    mayTakeShares: ({ serverId }) => permission.allows(serverId),
    openSpool: () => spool.open(),
    openEncoder: encoders.open,
    helper,
    discarded: collectorOfDiscarded(),
    seen,
    writers: new WriterQueue(),
    known: new KnownVersions(),
    takeKey: keysOf(options),
  };
}

function keysOf({ clock, closers, crypto, log }: ClientServiceOptions): (signal: AbortSignal) => Promise<Uint8Array> {
  const pool = new RsaKeyPool({ generate: () => crypto.generateRsaKey(), isBusy: workWatch(), clock, log });
  closers.add('the keys', () => pool.close());
  return (signal) => pool.takeKey(signal);
}

function servicesOf(
  options: ClientServiceOptions,
  { grid, introducers }: JoinedGrid,
  context: FileStoreContext,
): GatewayServices {
  return {
    ...storeServices(new FileStore(context), (minimum, signal, required) => grid.ready(minimum, signal, required)),
    crypto: options.crypto,
    clock: options.clock,
    log: options.log,
    randomBytes: (size) => options.random.bytes(size),
    nickname: options.settings.nickname,
    mutableFormat: options.settings.mutableFormat,
    applicationVersion,
    servers: () => grid.status().map(serverStatus),
    statistics: async () => ({ counters: {}, stats: (await options.monitor?.statistics.read()) ?? {} }),
    guard: { token: options.apiToken, ...options.settings.gateway },
    followLog: (told) => options.log.follow(told),
    introducers: () => introducers.map(({ status }) => `${status.name}: ${status.connectionStatus}`),
  };
}

function serverStatus(server: ReturnType<Grid['status']>[number]): ServerStatus {
  const { availableSpace } = server;
  return { ...server, availableSpace: typeof availableSpace === 'bigint' ? undefined : availableSpace };
}
