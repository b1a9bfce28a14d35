/** Makes RSA keys with the portable provider on a thread of their own: each takes some tenths of a second. */
import { Worker } from 'node:worker_threads';

/**
 * A new key. The thread makes one and ends.
 * @returns PKCS#8 DER.
 * @throws Error when the thread ends without one.
 */
export function generateKeyOnThread(): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    new Worker(new URL('./rsa-key-worker.js', import.meta.url), { execArgv: [] })
      .on('message', resolve)
      .on('error', reject)
      .on('exit', () => {
        reject(new Error('the thread that makes a key has ended without one'));
      });
  });
}
