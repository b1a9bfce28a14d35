/**
 * Repairs an immutable file, which takes no more than its verify capability: its ciphertext is read segment by
 * segment, coded again, and what is missing goes to servers that have no good share of that number.
 *
 *   check → select servers → per segment: read, code, push to every new share → trailers
 *
 * Besides the shares that are missing it places copies where that spreads the file over more servers. It holds no
 * more in memory than an upload does. The shares it makes have the bytes of the first ones: the URI extension block is
 * kept as it is, and everything else follows from the ciphertext, or the repair fails.
 * @see Tahoe-LAFS docs/frontends/webapi.rst, "t=check"
 */
import { verifyChk } from '#core/capability/attenuate.js';
import type { ChkReadCapability, ChkVerifyCapability, LiteralCapability } from '#core/capability/types.js';
import { concat } from '#core/bytes.js';
import { isTahoeError } from '#core/errors.js';
import { layoutOf } from '#core/immutable/layout.js';
import { leaseSecrets } from '#core/lease.js';
import { ImmutableReader } from '../download/immutable-reader.js';
import type { FileEncoding } from '../download/immutable-reader.js';
import type { StorageServer } from '../storage-server.js';
import { ciphertextEncoder } from '../upload/file-encoder.js';
import type { SegmentSource } from '../upload/file-encoder.js';
import { selectServers } from '../upload/selection.js';
import type { CheckedShares, Selection } from '../upload/selection.js';
import { ShareUpload } from '../upload/share-upload.js';
import type { UploadProgress } from '../upload/share-upload.js';
import { chanceSecrets } from '../upload/upload-turns.js';
import type { UploadContext } from '../upload/upload.js';
import type { TakerContext } from '../upload-permission.js';
import { checkImmutable } from './check-immutable.js';
import type { CheckContext, CheckOptions } from './check-immutable.js';
import { withPlacedShares } from './check-report.js';
import type { CheckReport, RepairOutcome } from './check-report.js';

/** What a repair is made of. */
export type RepairContext = CheckContext & TakerContext & Pick<UploadContext, 'random' | 'discarded'>;

/** What to do besides. */
export interface RepairOptions extends CheckOptions {
  readonly repairProgress?: UploadProgress;
}

/**
 * Checks the file and repairs it where that says so.
 * @throws ERR_NO_SHARES, ERR_NOT_ENOUGH_SHARES when the file cannot be recovered; ERR_HASH, ERR_UEB when it was
 *   encoded inconsistently; ERR_NO_SERVERS, ERR_CANCELLED.
 */
export async function repairImmutable(
  context: RepairContext,
  capability: ChkReadCapability | ChkVerifyCapability | LiteralCapability,
  options: RepairOptions,
): Promise<RepairOutcome> {
  const before = await checkImmutable(context, capability, options);
  if (before.kind === 'literal' || capability.kind === 'lit') return { kind: 'literal', healthy: true };
  if (!isRepairWanted(before)) {
    return { kind: 'shares', repairAttempted: false, repairSuccessful: false, before, after: before };
  }
  const file = capability.kind === 'chk' ? verifyChk(context.crypto, capability) : capability;
  const after = await new ImmutableRepair(context, file, before, options).run();
  const hasGained = !before.healthy || after.happiness > before.happiness;
  return { kind: 'shares', repairAttempted: true, repairSuccessful: after.healthy && hasGained, before, after };
}

/** Shares that lie on too few servers are worth a repair only while there are others to put them on. */
function isRepairWanted(report: CheckReport): boolean {
  const hasRoomToSpread = report.happiness < Math.min(report.total, report.serversResponding.length);
  return !report.healthy || (!report.happinessHealthy && hasRoomToSpread);
}

class ImmutableRepair {
  readonly #context: RepairContext;
  readonly #file: ChkVerifyCapability;
  readonly #before: CheckReport;
  readonly #options: RepairOptions;
  readonly #servers: readonly StorageServer[];

  constructor(context: RepairContext, file: ChkVerifyCapability, before: CheckReport, options: RepairOptions) {
    this.#context = context;
    this.#file = file;
    this.#before = before;
    this.#options = options;
    this.#servers = context.serversFor(file.storageIndex);
  }

  /** @returns how things are when it has done what can be done. */
  async run(): Promise<CheckReport> {
    const { signal } = this.#options;
    // What is read is sent on at once, so nothing is gained by reading far ahead of it.
    const reader = new ImmutableReader(this.#readContext(), this.#file, { readAheadSize: 0 });
    try {
      const encoding = await reader.open(signal);
      // Before room is reserved for shares that nobody could make.
      if (!this.#before.recoverable) await drain(reader.read({ begin: 0, end: 1 }, signal));
      const selection = await this.#select(encoding);
      const holdings = await this.#send(reader, encoding, selection);
      return withPlacedShares(this.#before, this.#byServer(holdings));
    } finally {
      reader.close();
    }
  }

  /** Reads from those whose shares are good; where they are too few, from whoever may have one meanwhile. */
  #readContext(): RepairContext {
    if (!this.#before.recoverable) return this.#context;
    const holders = new Set([...this.#before.sharemap.values()].flat().map(({ serverId }) => serverId));
    return { ...this.#context, serversFor: () => this.#servers.filter(({ serverId }) => holders.has(serverId)) };
  }

  #select({ file, uebBytes }: FileEncoding): Promise<Selection> {
    const { crypto, random, log, leaseSecret, mayTakeShares } = this.#context;
    const { storageIndex, needed, total } = this.#file;
    return selectServers({
      storageIndex,
      needed,
      happy: 0,
      total,
      allocatedSize: layoutOf(file, uebBytes.length).allocatedSize,
      servers: this.#servers,
      ...(mayTakeShares === undefined ? {} : { mayTakeShares }),
      checked: checkedShares(this.#before),
      uploadSecretFor: chanceSecrets(random),
      log,
      signal: this.#options.signal,
      leaseSecrets: (server) => leaseSecrets(crypto, leaseSecret, storageIndex, server.tubId),
    });
  }

  /** @returns what each server holds afterwards. */
  async #send(
    reader: ImmutableReader,
    { file, uebBytes }: FileEncoding,
    selection: Selection,
  ): Promise<ReadonlyMap<string, ReadonlySet<number>>> {
    if (selection.reservations.length === 0) return selection.existing;
    const { storageIndex, needed, total } = this.#file;
    const { signal, repairProgress } = this.#options;
    const layout = layoutOf(file, uebBytes.length);
    const upload = new ShareUpload(this.#context, { storageIndex, selection, layout, needed, happy: 0, total });
    const ciphertext = reader.read({ begin: 0, end: file.size }, signal);
    const encoder = ciphertextEncoder(this.#context.crypto, file, uebBytes);
    try {
      const progress = repairProgress === undefined ? {} : { progress: repairProgress };
      await upload.run(this.#source(file, ciphertext), encoder, { signal, ...progress });
    } catch (error) {
      // Every server has let go of its share: then the file is as it was.
      if (!isTahoeError(error, 'ERR_UNHAPPY')) throw error;
    } finally {
      encoder.close();
      reader.close(); // or the end would wait for what is being read ahead
      await ciphertext.return();
    }
    return upload.outcome().holdings;
  }

  #source(file: FileEncoding['file'], ciphertext: AsyncGenerator<Uint8Array, void>): SegmentSource {
    return {
      file,
      read: async (_offset, size) => {
        const pieces: Uint8Array[] = [];
        for (let missing = size; missing > 0;) {
          const next = await ciphertext.next();
          if (next.done === true) throw new RangeError('the file ends before its last segment');
          pieces.push(next.value);
          missing -= next.value.length;
        }
        this.#context.discarded?.(size);
        return concat(...pieces);
      },
    };
  }

  #byServer(holdings: ReadonlyMap<string, ReadonlySet<number>>): Map<StorageServer, ReadonlySet<number>> {
    return new Map(this.#servers.map((server) => [server, holdings.get(server.serverId) ?? new Set()]));
  }
}

/** For each server that answered, which of its shares count. */
function checkedShares(report: CheckReport): Map<string, CheckedShares> {
  const checked = new Map(
    report.serversResponding.map(({ serverId }) => [serverId, { good: new Set<number>(), spoiled: new Set<number>() }]),
  );
  for (const [id, servers] of report.sharemap)
    for (const { serverId } of servers) checked.get(serverId)?.good.add(Number(id));
  for (const { server, shareNumber } of [
    ...report.corruptShares,
    ...report.incompatibleShares,
    ...report.unreadShares,
  ]) {
    checked.get(server.serverId)?.spoiled.add(shareNumber);
  }
  return checked;
}

async function drain(pieces: AsyncGenerator<Uint8Array, void>): Promise<void> {
  while ((await pieces.next()).done !== true);
}
