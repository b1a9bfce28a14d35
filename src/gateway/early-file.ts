/**
 * A small file that is stored while the path is still looked at that it is to stand at: one round trip less. Only where this
 * node remembers the directory, and by that an immutable file can take the name. What the look says decides: if it is
 * something else, the file is given up, and its contents are still here for whatever is done instead. Then it was sent in
 * vain, and what servers took of it lies there until its lease ends.
 */
import type { FastifyRequest } from 'fastify';
import { inOnePiece } from '#core/bytes.js';
import type { KnownCapability } from '#core/capability/types.js';
import type { Arguments } from './arguments.js';
import { storeFile } from './making.js';
import { bodyOf, readAll } from './request-body.js';
import type { Incoming } from './request-body.js';
import type { GatewayServices } from './services.js';
import { rootChildOf } from './target.js';
import type { Target } from './target.js';

/** The longest body that is read before the look and perhaps sent in vain, in bytes. */
export const EARLY_SIZE_MAX = 32_768;

interface EarlyRequest {
  readonly request: FastifyRequest;
  readonly args: Arguments;
  readonly target: Target;
  readonly signal: AbortSignal;
}

/** The file on its way. Whoever has begun it ends it with `drop`, whatever came of it. */
export class EarlyFile {
  readonly #bytes: Uint8Array;
  readonly #dropped = new AbortController();
  readonly #stored: Promise<KnownCapability>;

  private constructor(services: GatewayServices, bytes: Uint8Array, { args, signal }: EarlyRequest) {
    this.#bytes = bytes;
    this.#stored = storeFile(services, this.incoming, args, AbortSignal.any([signal, this.#dropped.signal]));
    this.#stored.catch(() => undefined); // whoever asks for it is told; perhaps nobody does
  }

  /** @returns undefined where the look comes first. @throws what the body throws. */
  static async begin(services: GatewayServices, asked: EarlyRequest): Promise<EarlyFile | undefined> {
    if (!isPlain(asked) || !isExpected(services, asked.target)) return undefined;
    return new EarlyFile(services, await readAll(bodyOf(asked.request), 'small file', EARLY_SIZE_MAX), asked);
  }

  /** The body once more. */
  get incoming(): Incoming {
    return { bytes: inOnePiece(this.#bytes), announcedSize: this.#bytes.length };
  }

  /** The file, when it is safe. @throws as `storeFile` */
  stored(): Promise<KnownCapability> {
    return this.#stored;
  }

  /** Gives up what is not stored yet, and waits until nothing of it is under way. */
  async drop(): Promise<void> {
    this.#dropped.abort();
    await this.#stored.catch(() => undefined);
  }
}

/** Whether an immutable file is asked for, which may take any file's place, and how long it is has been said. */
function isPlain({ args, request }: EarlyRequest): boolean {
  const size = request.headers['content-length'];
  if (size === undefined || Number(size) > EARLY_SIZE_MAX || request.headers['content-range'] !== undefined)
    return false;
  if (!['true', 'only-files'].includes(args.get('replace') ?? 'true')) return false;
  return args.operation === '' && FILE_ARGUMENTS.every((name) => args.get(name) === undefined);
}

const FILE_ARGUMENTS = ['format', 'mutable', 'private-key', 'offset'];

/** Whether an immutable file is or can be there, as far as this node knows. */
function isExpected(services: GatewayServices, target: Target): boolean {
  const root = rootChildOf(target);
  if (root.kind !== 'directory' || target.path.length === 0) return false;
  const last = services.recall?.(root, target.path);
  if (last?.kind === 'found') return last.child.kind === 'chk' || last.child.kind === 'lit';
  return last?.rest.length === 1;
}
