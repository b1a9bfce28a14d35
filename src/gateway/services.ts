/**
 * What the gateway needs of the node behind it: to keep files and directories, and to tell how the grid is.
 * `node/` provides it; a test may provide less.
 */
import type {
  ChkReadCapability,
  DirectoryCapability,
  KnownCapability,
  MutableFormat,
  MutableReadCapability,
  MutableWriteCapability,
} from '#core/capability/types.js';
import type { CryptoProvider } from '#core/crypto.js';
import type { NewEntry } from '#core/directory/entries.js';
import type { Clock, Log } from '#core/environment.js';
import type { MutableVersion } from '#core/mutable/version.js';
import { check, repair } from '#client/check/check.js';
import type { CheckOptions } from '#client/check/check-immutable.js';
import type { CheckOutcome, RepairOutcome } from '#client/check/check-report.js';
import type { Directory } from '#client/directory/directory.js';
import type { PathFound, PathMissing } from '#client/directory/path.js';
import type { ImmutableReader, ReadOptions } from '#client/download/immutable-reader.js';
import type { FileStore } from '#client/file-store.js';
import type { RequiredServers } from '#client/grid.js';
import type { CreateOptions } from '#client/mutable/create.js';
import type { MutableFile } from '#client/mutable/mutable-file.js';
import type { WalkStep } from '#client/traversal/walk.js';
import type { Spool } from '#client/upload/plaintext.js';
import type { UploadResult } from '#client/upload/upload.js';
import { watch } from '#client/watch.js';
import type { GuardOptions } from './guard.js';
import type { History } from './history.js';
import type { Statistics } from './open-metrics.js';
import type { Operations } from './operations.js';
import type { WalkWork } from './walk-works.js';

/** One storage server, as the welcome page and Gridsync show it. */
export interface ServerStatus {
  readonly serverId: string;
  readonly nickname: string;
  /** `connected`, or why not. */
  readonly connectionStatus: string;
  /** In bytes; undefined when unknown. */
  readonly availableSpace: number | undefined;
  readonly version: string | undefined;
  /** Unix milliseconds. */
  readonly lastReceivedDataMs: number | undefined;
}

/** What the gateway is told with everything that it makes. */
export type MakingOptions = CreateOptions & { readonly signal: AbortSignal };

/** An immutable file to be read. Whoever opens it closes it. */
export type OpenedFile = Pick<ImmutableReader, 'read' | 'close'>;

/** A mutable file, as far as it is used here. */
export interface OpenedMutable {
  readonly capability: MutableFile['capability'];
  openVersion(options: SignalOptions): Promise<{ readonly size: number } & Pick<OpenedFile, 'read'>>;
  overwrite(contents: Uint8Array, options: SignalOptions): Promise<unknown>;
  update(offset: number, bytes: Uint8Array, options: SignalOptions): Promise<unknown>;
}

interface SignalOptions {
  readonly signal: AbortSignal;
}

/** What can be done with files and directories. Each call waits until the grid has been looked at. */
export interface StoreServices {
  upload(input: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<UploadResult>;
  /** The caller closes it. */
  openFile(capability: ChkReadCapability, signal: AbortSignal, options?: ReadOptions): Promise<OpenedFile>;
  openMutable(capability: MutableWriteCapability | MutableReadCapability, signal: AbortSignal): Promise<OpenedMutable>;
  createMutable(contents: Uint8Array, options: MakingOptions): Promise<OpenedMutable>;
  openDirectory(capability: DirectoryCapability, signal: AbortSignal): Promise<Directory>;
  createDirectory(entries: readonly NewEntry[], options: MakingOptions): Promise<DirectoryCapability>;
  createImmutableDirectory(entries: readonly NewEntry[], signal: AbortSignal): Promise<DirectoryCapability>;
  follow(root: KnownCapability, path: readonly string[], signal: AbortSignal): Promise<PathFound | PathMissing>;
  /** What was at a path when this node last looked, if it remembers; nobody is asked, and it may be otherwise by now. */
  recall?(root: KnownCapability, path: readonly string[]): PathFound | PathMissing | undefined;
  check(capability: KnownCapability, options: CheckOptions): Promise<CheckOutcome>;
  repair(capability: KnownCapability, options: CheckOptions): Promise<RepairOutcome>;
  /** Everything below a directory, in the reference's order. */
  walk(root: DirectoryCapability, signal: AbortSignal): AsyncIterable<WalkStep>;
  /** The versions of a mutable file as they come to be. */
  watch(capability: KnownCapability, signal: AbortSignal): AsyncIterable<MutableVersion>;
  /** Where what comes in waits that is too much for memory. The caller closes it. */
  openSpool(): Promise<Spool>;
}

/** The node, as the gateway sees it. */
export interface GatewayServices extends StoreServices {
  readonly crypto: CryptoProvider;
  readonly clock: Clock;
  readonly log: Log;
  /** So many unpredictable bytes. */
  randomBytes(size: number): Uint8Array;
  readonly nickname: string;
  /** Of new directories for which none is named; SDMF if left out. */
  readonly mutableFormat?: MutableFormat;
  /** Such as `tallac/1.2.3`. */
  readonly applicationVersion: string;
  servers(): readonly ServerStatus[];
  /** How each introducer is reached; none where there are none. */
  introducers?(): readonly string[];
  /** Figures of the helper that this node is, under the reference's names; absent where it is none. */
  helperFigures?(): Promise<Readonly<Record<string, number>>>;
  /** Figures of the node. */
  statistics(): Promise<Statistics>;
  /** Who may ask what. */
  readonly guard: GuardOptions;
  /** Has every line of the log told, as JSON. @returns what ends it. */
  followLog(told: (line: string) => void): () => void;
}

/** The gateway's parts as its routes see them. */
export interface Gateway extends GatewayServices {
  readonly operations: Operations<WalkWork>;
  readonly history: History;
  /** How many watch for changes now. */
  readonly watchers: { count: number };
}

/**
 * The services that a store gives.
 * @param ready - waits until so many servers are connected, or all have been tried; where fewer than are required are, those
 *   that do not answer are tried again.
 */
export function storeServices(
  store: FileStore,
  ready: (minimum: number, signal: AbortSignal, required?: RequiredServers) => Promise<void>,
): StoreServices {
  const { context } = store;
  const when = async <Result>(signal: AbortSignal, action: () => Result | Promise<Result>): Promise<Result> => {
    await ready(context.encoding.total, signal, { count: context.encoding.needed });
    return action();
  };
  const whenHappy = async <Result>(signal: AbortSignal, action: () => Promise<Result>): Promise<Result> => {
    await ready(context.encoding.total, signal, { count: context.encoding.happy, toTakeShares: true });
    return action();
  };
  return {
    upload: (input, signal) => whenHappy(signal, () => store.upload(input, signal)),
    openFile: (capability, signal, options) => when(signal, () => store.openFile(capability, options)),
    openMutable: (capability, signal) => when(signal, () => store.openMutable(capability)),
    createMutable: (contents, options) => whenHappy(options.signal, () => store.createMutable(contents, options)),
    openDirectory: (capability, signal) => when(signal, () => store.openDirectory(capability)),
    createDirectory: (entries, options) => whenHappy(options.signal, () => store.createDirectory(entries, options)),
    createImmutableDirectory: (entries, signal) =>
      whenHappy(signal, () => store.createImmutableDirectory(entries, { signal })),
    follow: (root, path, signal) => when(signal, () => store.follow(root, path, { signal })),
    recall: (root, path) => store.recall(root, path),
    openSpool: () => context.openSpool(),
    async *walk(root, signal) {
      await ready(context.encoding.total, signal, { count: context.encoding.needed });
      yield* store.walk(root, signal);
    },
    async *watch(capability, signal) {
      await ready(context.encoding.total, signal, { count: context.encoding.needed });
      yield* watch(context, capability, { signal });
    },
    async check(capability, options) {
      await ready(Infinity, options.signal);
      return check(context, capability, options);
    },
    async repair(capability, options) {
      await ready(Infinity, options.signal);
      return repair(context, capability, options);
    },
  };
}
