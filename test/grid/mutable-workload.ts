/**
 * Mutable files and directories in the simulation, beside the immutable ones: made, read, written over, changed,
 * updated in part, checked and repaired, by one node. What must hold:
 *
 *   what is read is what an acknowledged write has left, or what one may have left that failed since
 *   a file whose last acknowledged version is on enough servers that are well is read, unless a write failed since
 *   a change is never made on contents that were not there
 *   what cannot be done fails with the error that says so, and in time
 *   on a grid that is well, every file is read, written and repaired, and every directory lists what was linked, unless
 *   so many writes broke off that no version can have enough shares
 */
import { equalBytes, toHex } from '#core/bytes.js';
import { parseCapability } from '#core/capability/parse.js';
import type { DirectoryCapability, MutableFormat } from '#core/capability/types.js';
import type { ErrorCode } from '#core/errors.js';
import { isTahoeError } from '#core/errors.js';
import { nameVersion } from '#core/mutable/version.js';
import type { MutableVersion } from '#core/mutable/version.js';
import { decodeMutableHeader, MUTABLE_HEADER_SIZE_MAX } from '#core/mutable/layout.js';
import { check, repair } from '#client/check/check.js';
import { FileStore } from '#client/file-store.js';
import type { MutableFile } from '#client/mutable/mutable-file.js';
import { seededBytes } from '../fixtures/crypto.js';
import type { SimServer } from './sim-server.js';
import type { Operation, Period, Workload } from './simulation.js';
import { Violation } from './world.js';
import type { World } from './world.js';

const FILES_MAX = 4;
const FILE_SIZE_MAX = 6_000;
/** Contents that may be there, after so many writes that failed nothing is written but whole contents. */
const POSSIBLE_MAX = 16;
/** A write over what others left in part may have to see it first. */
const FINAL_TRIES = 3;
const deadlineMs = { make: 180_000, read: 120_000, write: 300_000, check: 120_000, repair: 400_000 } as const;
const writeErrors = [
  'ERR_UNHAPPY',
  'ERR_NO_SERVERS',
  'ERR_NO_SHARES',
  'ERR_NOT_ENOUGH_SHARES',
  'ERR_ROLLED_BACK',
  'ERR_UNCOORDINATED_WRITE',
] as const;

type Contents = Uint8Array;

/** A file or the file of a directory, with everything that may be in it. */
interface SimMutable {
  readonly name: string;
  readonly file: MutableFile;
  readonly directory: DirectoryCapability | undefined;
  /** By what is in it, or of a directory the names, as text. */
  possible: Set<string>;
  /** The version that was acknowledged last, while no write has failed since. */
  settled: MutableVersion | undefined;
  /** Writes that failed since the last one that was acknowledged. */
  failedCount: number;
}

/** @see Workload */
export class MutableWorkload implements Workload {
  readonly #world: World;
  readonly #store: FileStore;
  readonly #made: SimMutable[] = [];
  #names = 0;

  constructor(world: World) {
    this.#world = world;
    this.#store = new FileStore(world.storeContext);
  }

  next(): Operation {
    const { chance } = this.#world;
    if (this.#made.length === 0 || (this.#made.length < FILES_MAX && chance.oneIn(4))) return this.#make();
    const each = chance.pick(this.#made);
    const choice = chance.below(8);
    if (choice === 0) return this.#check(each, chance.oneIn(2));
    if (choice === 1) return this.#repair(each);
    if (choice < 4) return this.#read(each);
    return this.#write(each);
  }

  finally(): Operation[] {
    return [
      ...this.#made.map((each) => this.#read(each, true)),
      ...this.#made.map((each) => this.#settle(each)),
      ...this.#made.map((each) => this.#repair(each, true)),
      ...this.#made.map((each) => this.#read(each, true)),
    ];
  }

  #make(): Operation {
    const { chance } = this.#world;
    const format = chance.pick(['sdmf', 'mdmf'] as const);
    const isDirectory = chance.oneIn(3);
    const name = `${isDirectory ? 'directory' : format}${String(this.#names++)}`;
    const contents = this.#newContents(name);
    const run = async (signal: AbortSignal): Promise<string> => {
      try {
        if (isDirectory) await this.#makeDirectory(name, format, signal);
        else {
          const file = await this.#store.createMutable(contents, { format, signal });
          const { version } = await this.#seen(file);
          this.#made.push({
            name,
            file,
            directory: undefined,
            possible: new Set([toHex(contents)]),
            settled: version,
            failedCount: 0,
          });
        }
        return 'made';
      } catch (error) {
        return nameOf(error, ...writeErrors);
      }
    };
    return { name: `make ${name}`, deadlineMs: deadlineMs.make, run };
  }

  async #makeDirectory(name: string, format: MutableFormat, signal: AbortSignal): Promise<void> {
    const directory = await this.#store.createDirectory([], { format, signal });
    if (directory.file.kind !== 'ssk') throw new Violation('a new directory can be written');
    const file = this.#store.openMutable(directory.file);
    this.#made.push({ name, file, directory, possible: new Set(['']), settled: undefined, failedCount: 0 });
  }

  /** The version that this node remembers as the last that it wrote: nobody else writes. */
  async #seen({ storageIndex }: MutableFile): Promise<{ version: MutableVersion | undefined }> {
    const highest = await this.#world.storeContext.seen.highest(storageIndex);
    for (const server of this.#world.servers) {
      for (const [, header] of await headersOn(server, storageIndex)) {
        if (
          highest &&
          header.sequenceNumber === highest.sequenceNumber &&
          equalBytes(header.rootHash, highest.rootHash)
        )
          return { version: header };
      }
    }
    return { version: undefined };
  }

  #read(each: SimMutable, mustSucceed = false): Operation {
    const run = async (signal: AbortSignal, period: Period): Promise<string> => {
      try {
        const found = await this.#contentsOf(each, signal);
        if (!each.possible.has(found)) throw new Violation(`${each.name} holds what nobody wrote`);
        return 'read';
      } catch (error) {
        const name = nameOf(error, 'ERR_NOT_ENOUGH_SHARES', 'ERR_NO_SHARES', 'ERR_NO_SERVERS', 'ERR_ROLLED_BACK');
        if (mustSucceed && !this.#mayBeLost(each)) throw new Violation(`every server is well, and yet: ${name}`);
        const { settled } = each;
        if (settled === undefined) return name;
        const numbers = await sharesOf(period.wellThroughout(), each.file.storageIndex, settled);
        if (numbers.size < settled.needed) return name;
        throw new Violation(`${String(numbers.size)} shares are on servers that are well, and yet: ${name}`);
      }
    };
    return { name: `read ${each.name}`, deadlineMs: deadlineMs.read, run };
  }

  async #contentsOf({ directory, file }: SimMutable, signal: AbortSignal): Promise<string> {
    if (directory === undefined) return toHex((await file.read(undefined, { signal })).bytes);
    const { entries } = await this.#store.openDirectory(directory).list({ signal });
    return [...entries.keys()].join();
  }

  #write(each: SimMutable): Operation {
    if (each.directory !== undefined) return this.#link(each, each.directory);
    const { chance } = this.#world;
    const { file } = each;
    const choice = each.possible.size >= POSSIBLE_MAX ? 0 : chance.below(3);
    if (choice === 0) {
      const contents = this.#newContents(`over ${each.name} ${String(this.#names++)}`);
      return this.#changing(
        'overwrite',
        each,
        () => toHex(contents),
        (signal) => file.overwrite(contents, { signal }),
      );
    }
    const tag = seededBytes(`tag ${String(this.#names++)}`, 20);
    if (choice === 1) {
      // A change that finds its own earlier attempt does nothing more.
      const append = (old: Contents): Contents =>
        toHex(old).endsWith(toHex(tag)) ? old : Uint8Array.of(...old, ...tag);
      const modify = (signal: AbortSignal) =>
        file.modify(
          (old) => {
            if (!each.possible.has(toHex(old)) && !each.possible.has(toHex(old.subarray(0, -tag.length))))
              throw new Violation('it is made on contents that were not there');
            return append(old);
          },
          { signal },
        );
      return this.#changing('modify', each, (old) => toHex(append(Buffer.from(old, 'hex'))), modify);
    }
    const offset = chance.below(Math.min(...[...each.possible].map((text) => text.length / 2)) + 1);
    const splice = (old: string): string => {
      const bytes = Buffer.from(old, 'hex');
      return toHex(Buffer.concat([bytes.subarray(0, offset), tag, bytes.subarray(offset + tag.length)]));
    };
    return this.#changing('update', each, splice, (signal) => file.update(offset, tag, { signal }));
  }

  #link(each: SimMutable, capability: DirectoryCapability): Operation {
    const { chance } = this.#world;
    const directory = this.#store.openDirectory(capability);
    const name = `entry${String(chance.below(6))}`;
    const child = parseCapability('URI:LIT:nbswy3dp');
    if (child.kind === 'unknown') throw new Error('the literal is none');
    const isRemoval = chance.oneIn(3);
    const change = (old: string): string => {
      const names = new Set(old === '' ? [] : old.split(','));
      if (isRemoval) names.delete(name);
      else names.add(name);
      return [...names].sort().join();
    };
    const act = (signal: AbortSignal): Promise<unknown> =>
      isRemoval
        ? directory.unlink(name, { mustExist: false }, { signal })
        : directory.link([{ name, child }], 'anything', { signal });
    return this.#changing(isRemoval ? 'unlink' : 'link', each, change, act);
  }

  /** A write. One that fails may be there or not, or come to be there later. */
  #changing(
    what: string,
    each: SimMutable,
    change: (old: string) => string,
    act: (signal: AbortSignal) => Promise<unknown>,
    mustSucceed = false,
  ): Operation {
    const run = async (signal: AbortSignal): Promise<string> => {
      const changed = new Set([...each.possible].map(change));
      for (let tries = 1; ; tries++) {
        try {
          await act(signal);
          each.possible = changed;
          each.settled = (await this.#seen(each.file)).version;
          each.failedCount = 0;
          return 'written';
        } catch (error) {
          const name = nameOf(error, ...writeErrors);
          each.possible = new Set([...each.possible, ...changed]);
          each.settled = undefined;
          each.failedCount += 1;
          if (!mustSucceed || this.#mayBeLost(each)) return name;
          if (tries >= FINAL_TRIES) throw new Violation(`every server is well, and yet: ${name}`);
        }
      }
    };
    return { name: `${what} ${each.name}`, deadlineMs: deadlineMs.write, run };
  }

  /** In the end: one more write, after which nothing is in doubt. */
  #settle(each: SimMutable): Operation {
    if (each.directory === undefined) {
      const contents = this.#newContents(`last ${each.name}`);
      const act = (signal: AbortSignal): Promise<unknown> => each.file.overwrite(contents, { signal });
      return this.#changing('settle', each, () => toHex(contents), act, true);
    }
    const directory = this.#store.openDirectory(each.directory);
    const add = (old: string): string => [...new Set([...(old === '' ? [] : old.split(',')), 'last'])].sort().join();
    const child = parseCapability('URI:LIT:nbswy3dp');
    if (child.kind === 'unknown') throw new Error('the literal is none');
    const act = (signal: AbortSignal): Promise<unknown> =>
      directory.link([{ name: 'last', child }], 'anything', { signal });
    return this.#changing('settle', each, add, act, true);
  }

  #check({ file, name }: SimMutable, verify: boolean): Operation {
    const run = async (signal: AbortSignal): Promise<string> => {
      const report = await check(this.#world.storeContext, file.capability, { verify, addLease: verify, signal });
      if (report.kind !== 'shares') throw new Violation('the report is one of a literal');
      return report.healthy ? 'healthy' : report.recoverable ? 'not healthy' : 'not recoverable';
    };
    return { name: `${verify ? 'verify' : 'check'} ${name}`, deadlineMs: deadlineMs.check, run };
  }

  #repair(each: SimMutable, mustSucceed = false): Operation {
    const run = async (signal: AbortSignal): Promise<string> => {
      try {
        const outcome = await repair(this.#world.storeContext, each.file.capability, { verify: true, signal });
        if (outcome.kind !== 'shares') throw new Violation('the report is one of a literal');
        each.settled = undefined;
        if (mustSucceed && !outcome.after.healthy && !this.#mayBeLost(each))
          throw new Violation('every server is well, and yet it is not healthy');
        return outcome.repairAttempted ? 'attempted' : 'not wanted';
      } catch (error) {
        each.settled = undefined;
        const name = nameOf(error, 'ERR_REPAIR_REFUSED', ...writeErrors);
        if (mustSucceed && !this.#mayBeLost(each)) throw new Violation(`every server is well, and yet: ${name}`);
        return name;
      }
    };
    return { name: `repair-mutable ${each.name}`, deadlineMs: deadlineMs.repair, run };
  }

  /**
   * Whether a write that broke off may have left too few shares of every version: each share is written in its place,
   * so that is in the nature of the format where the new version and the one before it can both lack one. It must not
   * take several: each begins where the last one did.
   */
  #mayBeLost({ failedCount }: SimMutable): boolean {
    const { needed, total } = this.#world.encoding;
    return failedCount > 0 && total < 2 * needed - 1;
  }

  #newContents(name: string): Contents {
    const { chance } = this.#world;
    return seededBytes(name, chance.below(chance.pick([1, 60, 500, FILE_SIZE_MAX])));
  }
}

/** The headers of the shares that the server holds in truth. */
async function headersOn({ inner }: SimServer, storageIndex: Uint8Array): Promise<[number, MutableVersion][]> {
  const headers: [number, MutableVersion][] = [];
  const noted = inner.requests.length;
  for (const shareNumber of await inner.listMutableShares(storageIndex)) {
    const bytes = await inner.readMutable(storageIndex, shareNumber, { begin: 0, end: MUTABLE_HEADER_SIZE_MAX });
    if (bytes !== undefined) headers.push([shareNumber, decodeMutableHeader(bytes)]);
  }
  inner.requests.length = noted;
  return headers;
}

/** The numbers of the shares of that version on these servers. */
async function sharesOf(
  servers: readonly SimServer[],
  storageIndex: Uint8Array,
  version: MutableVersion,
): Promise<Set<number>> {
  const numbers = new Set<number>();
  for (const server of servers) {
    for (const [shareNumber, header] of await headersOn(server, storageIndex)) {
      if (nameVersion(header) === nameVersion(version)) numbers.add(shareNumber);
    }
  }
  return numbers;
}

/** The error's code, where it is one of those that may come. @throws the error where it is not. */
function nameOf(error: unknown, ...codes: ErrorCode[]): string {
  if (isTahoeError(error, ...codes)) return error.code;
  throw error;
}
