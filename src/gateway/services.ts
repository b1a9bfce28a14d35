/**
 * What the gateway needs of the node behind it: to store a file, to read one, and to tell how the grid is.
 * `node/` provides it; a test may provide less.
 */
import type { ChkReadCapability, ChkVerifyCapability, LiteralCapability } from '#core/capability/types.js';
import type { CryptoProvider } from '#core/crypto.js';
import type { Log } from '#core/environment.js';
import type { CheckOptions } from '#client/check/check-immutable.js';
import type { CheckOutcome, RepairOutcome } from '#client/check/check-report.js';
import type { ImmutableReader } from '#client/download/immutable-reader.js';
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

/** What names a file that can be checked. */
export type CheckableCapability = ChkReadCapability | ChkVerifyCapability | LiteralCapability;

/** The node, as the gateway sees it. */
export interface GatewayServices {
  readonly crypto: CryptoProvider;
  readonly log: Log;
  readonly nickname: string;
  /** Such as `tallac/1.2.3`. */
  readonly applicationVersion: string;
  upload(input: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<UploadResult>;
  /** The caller closes it. */
  openFile(capability: ChkReadCapability, signal: AbortSignal): Promise<ImmutableReader>;
  check(capability: CheckableCapability, options: CheckOptions): Promise<CheckOutcome>;
  repair(capability: CheckableCapability, options: CheckOptions): Promise<RepairOutcome>;
  servers(): readonly ServerStatus[];
}
