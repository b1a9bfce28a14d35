/**
 * Failures: what a call ends with instead of a result. On the wire a failure is a copyable with four attributes:
 *
 *     type       the name of a Python class, such as builtins.KeyError
 *     value      what the exception says of itself
 *     traceback  where it happened: never told
 *     parents    the names of all classes that the exception belongs to, which Python's callers look for
 *
 * Of ours a peer is told the code and the message of a TahoeError, which hold no secret, and of anything else nothing.
 */
import { fromUtf8, utf8 } from '#core/bytes.js';
import { isTahoeError, TahoeError } from '#core/errors.js';
import { Copyable } from './values.js';
import type { Value } from './values.js';

const FAILURE_TYPE = 'twisted.python.failure.Failure';
/** What the reference takes of each attribute, in bytes. */
const VALUE_SIZE_MAX = 1000;
/** What is repeated of what a peer says, in characters. */
const TOLD_LENGTH_MAX = 200;

/** A failure that a Python caller knows by its class. */
export class RemoteFailure extends Error {
  readonly typeName: string;

  /** @param typeName - module and class, at most 200 characters. @param text - holds no secret. */
  constructor(typeName: string, text: string, options?: ErrorOptions) {
    super(text, options);
    this.name = 'RemoteFailure';
    this.typeName = typeName;
  }
}

/** What a caller is told of `error`. */
export function failureOf(error: unknown): Copyable {
  if (error instanceof RemoteFailure) return format(error.typeName, error.message);
  if (isTahoeError(error, 'ERR_VIOLATION')) return format('foolscap.tokens.Violation', error.facts.reason);
  if (isTahoeError(error)) return format(`tallac.${error.code}`, error.message);
  return format('tallac.InternalError', 'something went wrong that its log tells');
}

/** What a peer's failure says, as an error of the call. Its texts are cut, and their control characters replaced. */
export function remoteError(method: string, failure: Value): TahoeError<'ERR_REMOTE'> {
  const attributes = failure instanceof Copyable ? failure.attributes : new Map<string, Value>();
  const told = (name: string): string => printable(attributes.get(name));
  return new TahoeError('ERR_REMOTE', { method, type: told('type'), message: told('value') });
}

function format(typeName: string, text: string): Copyable {
  const name = utf8(typeName);
  const attributes: readonly [string, Value][] = [
    ['value', utf8(text).subarray(0, VALUE_SIZE_MAX)],
    ['type', name],
    ['traceback', utf8('Traceback unavailable\n')],
    ['parents', [name, utf8('builtins.Exception'), utf8('builtins.BaseException'), utf8('builtins.object')]],
  ];
  return new Copyable(FAILURE_TYPE, new Map(attributes));
}

function printable(value: Value | undefined): string {
  if (!(value instanceof Uint8Array)) return typeof value === 'string' ? cut(value) : 'something unsaid';
  try {
    return cut(fromUtf8(value.subarray(0, 4 * TOLD_LENGTH_MAX)));
  } catch {
    return 'something unreadable';
  }
}

function cut(text: string): string {
  return text.slice(0, TOLD_LENGTH_MAX).replaceAll(/\p{C}/gu, ' ');
}
