/** How calls over Foolscap fail in the words of StorageServer, and what becomes of one that nobody waits for any more. */
import { isTahoeError, TahoeError } from '#core/errors.js';
import { withDeadline } from '../deadline.js';
import type { Deadline } from '../deadline.js';

/**
 * What went wrong with a call, as StorageServer says it.
 * @param server - its short name.
 * @param what - the operation.
 */
export function callError(server: string, what: string, error: unknown): unknown {
  if (!isTahoeError(error)) return error;
  const options = { cause: error };
  if (isTahoeError(error, 'ERR_SERVER_REPLY')) return error;
  if (isTahoeError(error, 'ERR_CONNECT')) {
    return new TahoeError('ERR_CONNECT', { server, reason: error.facts.reason }, options);
  }
  if (isTahoeError(error, 'ERR_PIN')) return new TahoeError('ERR_PIN', { server }, options);
  if (isTahoeError(error, 'ERR_CONNECTION_CLOSED')) {
    return new TahoeError('ERR_CONNECTION_CLOSED', { server, what, keptAlive: false, replyBegun: false }, options);
  }
  if (isTahoeError(error, 'ERR_TIMEOUT')) {
    const { timeoutMs } = error.facts;
    return new TahoeError('ERR_TIMEOUT', { what: `server ${server}: ${what}`, timeoutMs }, options);
  }
  if (isTahoeError(error, 'ERR_CANCELLED')) return new TahoeError('ERR_CANCELLED', { what }, options);
  return replyError(server, what, error.message, error);
}

/** The answer is a refusal, or none that can be used. */
export function replyError(server: string, what: string, reason: string, cause?: unknown): TahoeError {
  return new TahoeError('ERR_SERVER_REPLY', { server, what, reason }, { cause });
}

/**
 * The result of a call that cannot be taken back: when it comes after the deadline it is undone.
 * @throws ERR_TIMEOUT, ERR_CANCELLED, and what the call throws before.
 */
export async function resultOrUndone<Result>(
  deadline: Deadline,
  calling: Promise<Result>,
  undo: (result: Result) => void,
): Promise<Result> {
  let isLate = false;
  calling.then(
    (result) => {
      if (isLate) undo(result);
    },
    () => undefined,
  );
  try {
    return await withDeadline(deadline, () => calling);
  } catch (error) {
    isLate = true;
    throw error;
  }
}
