/**
 * Walks through everything below a directory, each object once however many links lead to it.
 *
 * In the reference's order: a directory, then, of what it holds, unknown children, files and sub-directories, each by
 * name, one directory at a time and down before across. Where order is not asked for, several directories are read at
 * once. Objects are told apart by their verify capabilities; what has none, literals and unknown children, comes every
 * time. A directory that cannot be read is reported, and the walk goes on.
 * @see Tahoe-LAFS docs/frontends/webapi.rst, "Deep Check" and "Manifest"
 */
import { formatBase32 } from '#core/base32.js';
import { utf8 } from '#core/bytes.js';
import { verifyCapabilityOf } from '#core/capability/attenuate.js';
import { dangerouslyFormatCapability } from '#core/capability/format.js';
import type { DirectoryCapability, KnownCapability } from '#core/capability/types.js';
import type { CryptoProvider } from '#core/crypto.js';
import type { Child } from '#core/directory/child.js';
import { isTahoeError, TahoeError } from '#core/errors.js';
import { openDirectory } from '../directory/directory.js';
import type { DirectoryContext, ListedContents } from '../directory/directory.js';
import { InFlight } from './in-flight.js';

/** How many names deep a walk goes: no deeper than a path may be long. */
export const WALK_DEPTH_MAX = 1000;
/** How many objects a walk tells apart; each takes about 60 bytes. */
export const WALK_OBJECTS_MAX = 10_000_000;
/** How many directories may be read at once. */
export const WALK_PARALLEL_MAX = 32;
/** Of a verify capability's hash: enough that two never meet. */
const MARK_SIZE = 16;

/** An object that the walk came to. */
export interface VisitedNode {
  readonly kind: 'node';
  /** The names that lead to it; none at the root. */
  readonly path: readonly string[];
  readonly child: Child;
}

/** A directory that was read. */
export interface ListedDirectory {
  readonly kind: 'listed';
  readonly path: readonly string[];
  readonly capability: DirectoryCapability;
  readonly sizeBytes: number;
  readonly childCount: number;
}

/** A directory that could not be read; it was visited before. */
export interface UnreadableDirectory {
  readonly kind: 'unreadable';
  readonly path: readonly string[];
  readonly capability: DirectoryCapability;
  readonly error: TahoeError;
}

/** What a walk tells, one after the other. */
export type WalkStep = VisitedNode | ListedDirectory | UnreadableDirectory;

/** How far a walk is. */
export interface WalkProgress {
  readonly visitedNodes: number;
  readonly finishedDirectories: number;
  /** Known, and neither read nor given up yet. */
  readonly waitingDirectories: number;
}

/** How to walk. */
export interface WalkOptions {
  readonly signal?: AbortSignal;
  /** How many directories are read at once, at most WALK_PARALLEL_MAX; more than one gives up the order. One if not said. */
  readonly parallel?: number;
  /** Called before each step is given. */
  readonly progress?: (progress: WalkProgress) => void;
}

/** A directory and how the walk got there. */
interface Place {
  readonly path: readonly string[];
  readonly capability: DirectoryCapability;
}

/**
 * Walks below `root`, which comes first. Whoever stops taking steps ends it.
 * @throws ERR_NOT_A_DIRECTORY, ERR_CANCELLED, ERR_TOO_MANY
 */
export async function* walk(
  context: DirectoryContext,
  root: KnownCapability,
  options: WalkOptions = {},
): AsyncGenerator<WalkStep, void, undefined> {
  const { capability } = openDirectory(context, root);
  const stopped = new AbortController();
  const signal = options.signal === undefined ? stopped.signal : AbortSignal.any([options.signal, stopped.signal]);
  try {
    const steps = new Walk(context, capability, options.parallel ?? 1, signal).steps();
    for await (const { step, progress } of steps) {
      options.progress?.(progress);
      yield step;
    }
  } finally {
    stopped.abort();
  }
}

class Walk {
  readonly #context: DirectoryContext;
  readonly #parallel: number;
  readonly #signal: AbortSignal;
  readonly #seen: SeenObjects;
  /** The next one is last. */
  readonly #waiting: Place[];
  readonly #reads: InFlight<{ readonly place: Place; readonly outcome: ListedContents | TahoeError }>;
  #visited = 0;
  #finished = 0;

  constructor(context: DirectoryContext, root: DirectoryCapability, parallel: number, signal: AbortSignal) {
    this.#context = context;
    this.#parallel = Math.min(parallel, WALK_PARALLEL_MAX);
    this.#signal = signal;
    this.#seen = new SeenObjects(context.crypto);
    this.#seen.isNew(root);
    this.#waiting = [{ path: [], capability: root }];
    this.#reads = new InFlight('the walk', signal);
  }

  async *steps(): AsyncGenerator<{ step: WalkStep; progress: WalkProgress }, void, undefined> {
    while (this.#waiting.length > 0 || this.#reads.size > 0) {
      this.#reads.throwIfCancelled();
      const place = this.#reads.size < this.#parallel ? this.#waiting.pop() : undefined;
      if (place !== undefined) {
        yield this.#told({ kind: 'node', path: place.path, child: place.capability });
        this.#reads.start(this.#read(place));
        continue;
      }
      const { place: read, outcome } = await this.#reads.next();
      for (const step of this.#stepsOf(read, outcome)) yield this.#told(step);
    }
  }

  #told(step: WalkStep): { step: WalkStep; progress: WalkProgress } {
    if (step.kind === 'node') this.#visited++;
    else this.#finished++;
    const waitingDirectories = this.#waiting.length + this.#reads.size;
    return { step, progress: { visitedNodes: this.#visited, finishedDirectories: this.#finished, waitingDirectories } };
  }

  async #read(place: Place): Promise<{ place: Place; outcome: ListedContents | TahoeError }> {
    try {
      if (place.path.length > WALK_DEPTH_MAX) {
        throw new TahoeError('ERR_TOO_MANY', { what: 'directories inside each other', limit: WALK_DEPTH_MAX });
      }
      const directory = openDirectory(this.#context, place.capability);
      return { place, outcome: await directory.list({ signal: this.#signal }) };
    } catch (error) {
      if (isTahoeError(error)) return { place, outcome: error };
      throw error;
    }
  }

  *#stepsOf({ path, capability }: Place, outcome: ListedContents | TahoeError): Generator<WalkStep> {
    if (outcome instanceof TahoeError) {
      yield { kind: 'unreadable', path, capability, error: outcome };
      return;
    }
    const { entries, sizeBytes } = outcome;
    yield { kind: 'listed', path, capability, sizeBytes, childCount: entries.size };
    const files: VisitedNode[] = [];
    const directories: Place[] = [];
    for (const { name, child } of entries.values()) {
      const childPath = [...path, name];
      if (child.kind === 'unknown') yield { kind: 'node', path: childPath, child };
      else if (!this.#seen.isNew(child)) continue;
      else if (child.kind === 'directory') directories.push({ path: childPath, capability: child });
      else files.push({ kind: 'node', path: childPath, child });
    }
    for (const directory of directories.reverse()) this.#waiting.push(directory);
    yield* files;
  }
}

/** The objects that a walk came to. */
class SeenObjects {
  readonly #crypto: CryptoProvider;
  readonly #marks = new Set<string>();

  constructor(crypto: CryptoProvider) {
    this.#crypto = crypto;
  }

  /** Whether it was not here before, or cannot be told from others. @throws ERR_TOO_MANY */
  isNew(capability: KnownCapability): boolean {
    const verify = verifyCapabilityOf(this.#crypto, capability);
    if (verify === undefined) return true;
    const hash = this.#crypto.sha256(utf8(dangerouslyFormatCapability(verify)));
    const mark = formatBase32(hash.subarray(0, MARK_SIZE));
    if (this.#marks.has(mark)) return false;
    if (this.#marks.size >= WALK_OBJECTS_MAX) {
      throw new TahoeError('ERR_TOO_MANY', { what: 'objects below this directory', limit: WALK_OBJECTS_MAX });
    }
    this.#marks.add(mark);
    return true;
  }
}
