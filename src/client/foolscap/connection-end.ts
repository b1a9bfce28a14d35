/** Waiting for the end of a Foolscap connection. */
import type { RemoteReference } from '#wire/foolscap/tub.js';

/** Resolves when the connection to the object is over, or `signal` says that nobody wants it any more. Never throws. */
export function connectionEnd(object: RemoteReference, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      signal.removeEventListener('abort', end);
      takeBack();
      resolve();
    };
    let takeBack = (): void => undefined;
    if (signal.aborted) {
      resolve();
      return;
    }
    signal.addEventListener('abort', end, { once: true });
    takeBack = object.notifyOnDisconnect(end);
  });
}
