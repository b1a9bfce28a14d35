/** What goes wrong in the store, as the exceptions that the reference's clients know. */
import { isTahoeError } from '#core/errors.js';
import type { ErrorCode } from '#core/errors.js';
import { RemoteFailure } from '#wire/foolscap/failures.js';

const known: Readonly<Partial<Record<ErrorCode, string>>> = {
  ERR_NO_SPACE: 'allmydata.interfaces.NoSpace',
  ERR_CONFLICTING_WRITE: 'allmydata.interfaces.ConflictingWriteError',
  ERR_BEYOND_ALLOCATION: 'allmydata.interfaces.DataTooLargeError',
  ERR_TOO_LARGE: 'allmydata.interfaces.DataTooLargeError',
  ERR_WRITE_ENABLER: 'allmydata.interfaces.BadWriteEnablerError',
};

/** Runs `work` and gives what it throws the name that a caller knows it by. */
export async function asRemote<Result>(work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    const name = isTahoeError(error) ? known[error.code] : undefined;
    if (name === undefined || !isTahoeError(error)) throw error;
    throw new RemoteFailure(name, error.message, { cause: error });
  }
}

/** For a method that an interface does not have. */
export function noSuchMethod(method: string, interfaceName: string): RemoteFailure {
  return new RemoteFailure(
    'foolscap.tokens.Violation',
    `method '${method.slice(0, 60)}' not defined in ${interfaceName}`,
  );
}
