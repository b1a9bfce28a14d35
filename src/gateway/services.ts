/**
 * What the gateway needs of the node behind it: to keep files and directories, and to tell how the grid is.
 * `node/` provides it; a test may provide less.
 */
import type {
  ChkReadCapability,
  DirectoryCapability,
  KnownCapability,
  MutableReadCapability,
  MutableWriteCapability,
} from '#core/capability/types.js';
import type { CryptoProvider } from '#core/crypto.js';
import type { NewEntry } from '#core/directory/entries.js';
import type { Log } from '#core/environment.js';
import { check, repair } from '#client/check/check.js';
import type { CheckOptions } from '#client/check/check-immutable.js';
import type { CheckOutcome, RepairOutcome } from '#client/check/check-report.js';
import type { Directory } from '#client/directory/directory.js';
import type { PathFound, PathMissing } from '#client/directory/path.js';
import type { ImmutableReader } from '#client/download/immutable-reader.js';
import type { FileStore } from '#client/file-store.js';
import type { CreateOptions } from '#client/mutable/create.js';
import type { MutableFile } from '#client/mutable/mutable-file.js';
import type { UploadResult } from '#client/upload/upload.js';

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

/** What can be done with files and directories. Each call waits until the grid has been looked at. */
export interface StoreServices {
  upload(input: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<UploadResult>;
  /** The caller closes it. */
  openFile(capability: ChkReadCapability, signal: AbortSignal): Promise<ImmutableReader>;
  openMutable(capability: MutableWriteCapability | MutableReadCapability, signal: AbortSignal): Promise<MutableFile>;
  createMutable(contents: Uint8Array, options: MakingOptions): Promise<MutableFile>;
  openDirectory(capability: DirectoryCapability, signal: AbortSignal): Promise<Directory>;
  createDirectory(entries: readonly NewEntry[], options: MakingOptions): Promise<DirectoryCapability>;
  createImmutableDirectory(entries: readonly NewEntry[], signal: AbortSignal): Promise<DirectoryCapability>;
  follow(root: KnownCapability, path: readonly string[], signal: AbortSignal): Promise<PathFound | PathMissing>;
  check(capability: KnownCapability, options: CheckOptions): Promise<CheckOutcome>;
  repair(capability: KnownCapability, options: CheckOptions): Promise<RepairOutcome>;
}

/** The node, as the gateway sees it. */
export interface GatewayServices extends StoreServices {
  readonly crypto: CryptoProvider;
  readonly log: Log;
  readonly nickname: string;
  /** Such as `tallac/1.2.3`. */
  readonly applicationVersion: string;
  servers(): readonly ServerStatus[];
}

/** The services that a store gives. @param ready - waits until so many servers are known, or all. */
export function storeServices(
  store: FileStore,
  ready: (minimum: number, signal: AbortSignal) => Promise<void>,
): StoreServices {
  const { context } = store;
  const when = async <Result>(signal: AbortSignal, action: () => Result | Promise<Result>): Promise<Result> => {
    await ready(context.encoding.total, signal);
    return action();
  };
  return {
    upload: (input, signal) => when(signal, () => store.upload(input, signal)),
    openFile: (capability, signal) => when(signal, () => store.openFile(capability)),
    openMutable: (capability, signal) => when(signal, () => store.openMutable(capability)),
    createMutable: (contents, options) => when(options.signal, () => store.createMutable(contents, options)),
    openDirectory: (capability, signal) => when(signal, () => store.openDirectory(capability)),
    createDirectory: (entries, options) => when(options.signal, () => store.createDirectory(entries, options)),
    createImmutableDirectory: (entries, signal) =>
      when(signal, () => store.createImmutableDirectory(entries, { signal })),
    follow: (root, path, signal) => when(signal, () => store.follow(root, path, { signal })),
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
