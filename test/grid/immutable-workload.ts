/**
 * Immutable files in the simulation: stored, read, checked, verified, repaired, and damaged at rest. What must hold:
 *
 *   a file that was acknowledged is read while enough of its shares are whole on servers that are well
 *   no read ever gives a wrong byte, a verification counts every whole share and none that is not
 *   no honest server is told that a share is damaged which is not
 *   what honest servers are said to hold, they hold
 *   on a grid that is well, storing succeeds, and a repair leaves as many shares on as many servers as there can be
 */
import { equalBytes } from '#core/bytes.js';
import type { ErrorCode } from '#core/errors.js';
import { isTahoeError } from '#core/errors.js';
import { checkImmutable } from '#client/check/check-immutable.js';
import type { CheckReport } from '#client/check/check-report.js';
import { repairImmutable } from '#client/check/repair-immutable.js';
import { ImmutableReader } from '#client/download/immutable-reader.js';
import { uploadFile } from '#client/upload/upload.js';
import { seededBytes } from '../fixtures/crypto.js';
import { pieces } from '../fixtures/memory-grid.js';
import { FileTruth } from './file-truth.js';
import type { SimServer } from './sim-server.js';
import type { Operation, Period, Workload } from './simulation.js';
import { Violation } from './world.js';
import type { World } from './world.js';

const FILE_SIZE_MIN = 56;
const FILE_SIZE_MAX = 30_000;
const FILES_MAX = 5;
/** A read that can succeed does so within this time. */
const READ_LIMIT_MS = 30_000;
const deadlineMs = { put: 120_000, get: 120_000, check: 60_000, verify: 120_000, repair: 240_000 } as const;

/** A file that was stored, or tried to be. */
interface SimFile {
  readonly name: string;
  readonly truth: FileTruth;
  /** Whether its capability was given out. */
  isAcknowledged: boolean;
}

type Holdings = ReadonlyMap<string, ReadonlySet<number>>;
type WholeShares = ReadonlyMap<SimServer, readonly number[]>;

/** @see Workload */
export class ImmutableWorkload implements Workload {
  readonly #world: World;
  readonly #files: SimFile[] = [];

  constructor(world: World) {
    this.#world = world;
  }

  next(): Operation {
    const { chance } = this.#world;
    const acknowledged = this.#acknowledged();
    if (acknowledged.length === 0 || chance.oneIn(4)) return this.#put();
    const file = chance.pick(acknowledged);
    if (chance.oneIn(3)) this.#damage(file);
    const choice = chance.below(6);
    if (choice === 0) return this.#check(file, false);
    if (choice === 1) return this.#check(file, true);
    return choice === 2 ? this.#repair(file, chance.oneIn(2)) : this.#get(file);
  }

  finally(): Operation[] {
    const files = this.#acknowledged();
    return [
      ...files.map((file) => this.#repair(file, true)),
      ...files.map((file) => this.#check(file, true)),
      ...files.map((file) => this.#get(file)),
    ];
  }

  #acknowledged(): SimFile[] {
    return this.#files.filter(({ isAcknowledged }) => isAcknowledged);
  }

  #put(): Operation {
    const { chance, context } = this.#world;
    const isAgain = this.#files.length >= FILES_MAX || (this.#files.length > 0 && chance.oneIn(4));
    const file = isAgain ? chance.pick(this.#files) : this.#newFile();
    const run = async (signal: AbortSignal, period: Period): Promise<string> => {
      const canFail = this.#isTroubled(period);
      try {
        const { capability, holdings } = await uploadFile(context, pieces(file.truth.plaintext), { signal });
        if (capability.kind !== 'chk' || !equalBytes(capability.uebHash, file.truth.capability.uebHash))
          throw new Violation('the capability is not that of the file');
        file.isAcknowledged = true;
        this.#believe(file, holdings, { period, verify: false });
        return 'stored';
      } catch (error) {
        const name = nameOf(error, 'ERR_UNHAPPY', 'ERR_NO_SERVERS');
        if (!canFail && !this.#isTroubled(period)) throw new Violation(`every server is well, and yet: ${name}`);
        return name;
      }
    };
    return { name: `put ${file.name}`, deadlineMs: deadlineMs.put, run };
  }

  #get(file: SimFile): Operation {
    const { plaintext, capability } = file.truth;
    const [a, b] = [this.#world.chance.below(plaintext.length), this.#world.chance.below(plaintext.length)];
    const range = { begin: Math.min(a, b), end: Math.max(a, b) + 1 };
    const run = async (signal: AbortSignal, period: Period): Promise<string> => {
      const begunMs = this.#world.clock.monotonicMs();
      let received = range.begin;
      let reader: ImmutableReader | undefined;
      try {
        reader = new ImmutableReader(this.#world.context, capability);
        for await (const piece of reader.read(range, signal)) {
          if (!equalBytes(piece, plaintext.subarray(received, received + piece.length)))
            throw new Violation(`wrong bytes from ${String(received)} on`);
          received += piece.length;
        }
        if (received !== range.end) throw new Violation(`it ends at ${String(received)}`);
        const elapsedMs = this.#world.clock.monotonicMs() - begunMs;
        if (elapsedMs > READ_LIMIT_MS && file.truth.wholeNumbers(period.wellThroughout()).size >= capability.needed)
          throw new Violation(`it took ${String(elapsedMs)} ms`);
        return 'read';
      } catch (error) {
        const name = nameOf(error, 'ERR_NOT_ENOUGH_SHARES', 'ERR_NO_SHARES', 'ERR_NO_SERVERS');
        const certain = file.truth.wholeNumbers(period.wellThroughout()).size;
        if (certain >= capability.needed)
          throw new Violation(`${String(certain)} shares are whole on servers that are well, and yet: ${name}`);
        return name;
      } finally {
        reader?.close();
        this.#judgeAccusations(period);
      }
    };
    const what = `get ${file.name} from ${String(range.begin)} to ${String(range.end)}`;
    return { name: what, deadlineMs: deadlineMs.get, run };
  }

  #check(file: SimFile, verify: boolean): Operation {
    const kind = verify ? 'verify' : 'check';
    const addLease = this.#world.chance.oneIn(2);
    const run = async (signal: AbortSignal, period: Period): Promise<string> => {
      const wholeBefore = this.#wholeShares(file);
      const report = await checkImmutable(this.#world.context, file.truth.verify, { verify, addLease, signal });
      if (report.kind !== 'shares') throw new Violation('the report is one of a literal');
      this.#judge(file, report, { period, verify, wholeBefore });
      this.#judgeAccusations(period);
      return report.healthy ? 'healthy' : report.recoverable ? 'not healthy' : 'not recoverable';
    };
    return { name: `${kind} ${file.name}`, deadlineMs: deadlineMs[kind], run };
  }

  #repair(file: SimFile, verify: boolean): Operation {
    const { context, servers } = this.#world;
    const run = async (signal: AbortSignal, period: Period): Promise<string> => {
      const { truth } = file;
      const wholeBefore = this.#wholeShares(file);
      const canFail = this.#isTroubled(period) || (!verify && truth.isSpoiledAnywhere(servers));
      const isRecoverable = truth.wholeNumbers(servers).size >= truth.capability.needed;
      try {
        const outcome = await repairImmutable(context, truth.verify, { verify, signal });
        if (outcome.kind !== 'shares') throw new Violation('the report is one of a literal');
        const { before, after, repairAttempted, repairSuccessful } = outcome;
        this.#judge(file, before, { period, verify, wholeBefore });
        this.#believe(file, holdingsOf(after), { period, verify });
        if (!canFail && !this.#isTroubled(period)) this.#judgeRepaired(file, after);
        if (!repairAttempted) return 'not needed';
        return repairSuccessful ? 'successful' : 'in vain';
      } catch (error) {
        const name = nameOf(error, 'ERR_NOT_ENOUGH_SHARES', 'ERR_NO_SHARES', 'ERR_NO_SERVERS');
        if (isRecoverable && !canFail && !this.#isTroubled(period))
          throw new Violation(`every server is well, and yet: ${name}`);
        return name;
      } finally {
        this.#judgeAccusations(period);
      }
    };
    return { name: `repair ${file.name}${verify ? ', verified' : ''}`, deadlineMs: deadlineMs.repair, run };
  }

  /** Whether some server is not well, or has not yet forgotten an upload that came to nothing. */
  #isTroubled(period: Period): boolean {
    const { servers } = this.#world;
    return period.wellThroughout().length < servers.length || servers.some(({ inner }) => inner.uploads.size > 0);
  }

  /** Nobody honest is told that a share is damaged which is not. */
  #judgeAccusations(period: Period): void {
    for (const { server, storageIndex, shareNumber } of this.#world.servers.flatMap((each) =>
      each.accusations.splice(0),
    )) {
      const file = this.#files.find(({ truth }) => equalBytes(truth.verify.storageIndex, storageIndex));
      if (file !== undefined && period.isHonest(server) && file.truth.isWhole(server, shareNumber))
        throw new Violation(`${server.shortName} is told that its share ${String(shareNumber)} is damaged`);
    }
  }

  /** What honest servers are said to hold they must hold: whole where that was verified, and else at least there. */
  #believe({ truth }: SimFile, holdings: Holdings, { period, verify }: { period: Period; verify: boolean }): void {
    for (const server of this.#world.servers.filter((each) => period.isHonest(each))) {
      for (const shareNumber of holdings.get(server.serverId) ?? []) {
        const isThere = truth.stored(server, shareNumber) !== undefined;
        if (!(verify ? truth.isWhole(server, shareNumber) : isThere))
          throw new Violation(`${server.shortName} is said to hold share ${String(shareNumber)}, and does not`);
      }
    }
  }

  #judge(
    { truth }: SimFile,
    report: CheckReport,
    { period, verify, wholeBefore }: { period: Period; verify: boolean; wholeBefore: WholeShares },
  ): void {
    const holdings = holdingsOf(report);
    for (const server of period.wellThroughout()) {
      for (const shareNumber of wholeBefore.get(server) ?? [])
        if (holdings.get(server.serverId)?.has(shareNumber) !== true)
          throw new Violation(`share ${String(shareNumber)} on ${server.shortName} is whole and not counted`);
    }
    if (!verify) return;
    for (const [id, shareNumbers] of holdings) {
      for (const shareNumber of shareNumbers)
        if (!truth.isWhole(this.#server(id), shareNumber))
          throw new Violation(`share ${String(shareNumber)} on ${id} is counted and not whole`);
    }
  }

  /** On a grid that is well, as many shares and as many happy servers as there can be. */
  #judgeRepaired({ truth }: SimFile, after: CheckReport): void {
    const { servers } = this.#world;
    const { shareCount, happiness } = truth.possible(servers);
    const whole = truth.wholeNumbers(servers).size;
    if (after.goodShareCount < shareCount || whole < shareCount)
      throw new Violation(`${String(whole)} of ${String(shareCount)} shares after a repair`);
    if (after.happiness < Math.min(after.happinessWanted, happiness))
      throw new Violation(`happiness ${String(after.happiness)} of ${String(happiness)} after a repair`);
  }

  #wholeShares({ truth }: SimFile): WholeShares {
    return new Map(this.#world.servers.map((server) => [server, truth.wholeOn(server)]));
  }

  #server(id: string): SimServer {
    const server = this.#world.servers.find(({ serverId }) => serverId === id);
    if (server === undefined) throw new Violation(`there is no server ${id}`);
    return server;
  }

  #damage(file: SimFile): void {
    const { chance, servers } = this.#world;
    const server = chance.pick(servers);
    const shareNumber = chance.below(file.truth.shares.length);
    const how = file.truth.damage(server, shareNumber, chance);
    if (how !== undefined)
      this.#world.note(`share ${String(shareNumber)} of ${file.name} on ${server.shortName} is ${how}`);
  }

  #newFile(): SimFile {
    const { chance, encoding } = this.#world;
    const name = `file${String(this.#files.length)}`;
    const size = FILE_SIZE_MIN + chance.below(chance.pick([200, 3000, FILE_SIZE_MAX]));
    const plaintext = seededBytes(`${name} ${String(chance.below(2 ** 31))}`, size);
    const file = { name, truth: new FileTruth(plaintext, encoding, new Uint8Array(32)), isAcknowledged: false };
    this.#world.note(`${name} has ${String(size)} bytes`);
    this.#files.push(file);
    return file;
  }
}

function holdingsOf(report: CheckReport): Holdings {
  const holdings = new Map<string, Set<number>>();
  for (const [id, servers] of report.sharemap)
    for (const { serverId } of servers) holdings.set(serverId, (holdings.get(serverId) ?? new Set()).add(Number(id)));
  return holdings;
}

/** The error's code, where it is one of those that may come. @throws the error where it is not. */
function nameOf(error: unknown, ...codes: ErrorCode[]): string {
  if (isTahoeError(error, ...codes)) return error.code;
  throw error;
}
