/**
 * What an endpoint of the storage protocol is: a method, a path, what it asks of a request's head, and what it
 * does. A request reaches `handle` only after its path was understood and its head admitted.
 */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { TahoeError } from '#core/errors.js';
import { parseShareNumber, parseStorageIndex } from '#wire/storage.js';
import type { SecretKind } from '#wire/storage.js';
import type { HeadRules, Secrets } from './authorization.js';
import type { BodySource } from './request-body.js';

/** The variable parts of a path, as text. */
export type PathParameters = Readonly<Partial<Record<'storageIndex' | 'shareNumber' | 'uploadId', string>>>;

/** What a path names. */
export interface ShareTarget {
  readonly storageIndex: Uint8Array;
  readonly shareNumber: number;
}

/** A request that was admitted, and its reply. */
export interface Exchange<Kind extends SecretKind, Target> {
  readonly target: Target;
  readonly secrets: Secrets<Kind>;
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  readonly body: BodySource;
}

/** One method of one path. */
export interface Endpoint<Kind extends SecretKind, Target> {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH';
  /** Below the prefix of its service, such as /storage/v1, with `:storageIndex` and `:shareNumber`. */
  readonly path: string;
  readonly rules: HeadRules<Kind>;
  /** The media type of refusals to those who were admitted; plain text unless given. */
  readonly refusalType?: string;
  /** What the path names, or undefined when it names nothing. */
  readonly toTarget: (parameters: PathParameters) => Target | undefined;
  readonly handle: (exchange: Exchange<Kind, Target>) => Promise<FastifyReply>;
}

/** For a path without variable parts. */
export function noTarget(): Record<string, never> {
  return {};
}

/** For a path that names a storage index. */
export function indexTarget({ storageIndex = '' }: PathParameters): Pick<ShareTarget, 'storageIndex'> | undefined {
  const parsed = parseStorageIndex(storageIndex);
  return parsed === undefined ? undefined : { storageIndex: parsed };
}

/** For a path that names a share. */
export function shareTarget({ storageIndex = '', shareNumber = '' }: PathParameters): ShareTarget | undefined {
  const parsedIndex = parseStorageIndex(storageIndex);
  const parsedNumber = parseShareNumber(shareNumber);
  if (parsedIndex === undefined || parsedNumber === undefined) return undefined;
  return { storageIndex: parsedIndex, shareNumber: parsedNumber };
}

/** The paths that are known, to tell a wrong method from a wrong path. */
export class PathTable {
  readonly #entries: { readonly method: string; readonly matches: (path: string) => boolean }[] = [];

  /** @param prefix - what stands in front of the endpoint's path. */
  add<Kind extends SecretKind, Target>(prefix: string, endpoint: Endpoint<Kind, Target>): void {
    const pattern = new RegExp(`^${prefix}${endpoint.path.replaceAll(/:(\w+)/g, '(?<$1>[^/]+)')}$`);
    const matches = (path: string): boolean => {
      const match = pattern.exec(path);
      return match !== null && endpoint.toTarget(match.groups ?? {}) !== undefined;
    };
    this.#entries.push({ method: endpoint.method, matches });
  }

  /** ERR_METHOD for a path that answers to other methods, ERR_NO_SUCH_PATH for any other. @param url - with its query. */
  refusal(url: string): TahoeError {
    const path = url.split('?')[0] ?? '';
    const allowed = this.#entries.filter((entry) => entry.matches(path)).map(({ method }) => method);
    if (allowed.length === 0) return new TahoeError('ERR_NO_SUCH_PATH', {});
    return new TahoeError('ERR_METHOD', { allowed: [...new Set(allowed)].join(', ') });
  }
}
