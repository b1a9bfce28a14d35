/**
 * This node as an onion service. The service lives as long as the connection to the control port, so that nothing of it
 * is left when the node is.
 */
import { readFile, stat } from 'node:fs/promises';
import type { Clock, Log } from '#core/environment.js';
import { reasonOf, TahoeError } from '#core/errors.js';
import { dangerouslyFormatAddOnion } from '#wire/tor-control.js';
import { ending, KeptUp } from './kept-up.js';
import type { OnionSettings } from './network-settings.js';
import type { TorControl } from './tor-control.js';

const KEY_FILE_SIZE_MAX = 4096;

/** What a service is made of. */
export interface OnionServiceOptions {
  readonly settings: OnionSettings;
  /** As the key file has it. Secret. */
  readonly dangerousKey: string;
  readonly openControl: (signal: AbortSignal) => Promise<TorControl>;
  readonly clock: Clock;
  readonly log: Log;
}

/** The key in its file. @throws ERR_FILE when it is not there, or no key. */
export async function readOnionKey(path: string): Promise<string> {
  try {
    const { size } = await stat(path);
    if (size > KEY_FILE_SIZE_MAX) throw new Error('it is too large to be a key');
    const key = (await readFile(path, 'latin1')).trim();
    dangerouslyFormatAddOnion(key, 1, 1);
    return key;
  } catch (error) {
    const reason = `${reasonOf(error)}; [tor]onion.private_key_file names it`;
    throw new TahoeError('ERR_FILE', { file: path, reason }, { cause: error });
  }
}

/** The service, not begun yet. */
export function onionService({ clock, dangerousKey, log, openControl, settings }: OnionServiceOptions): KeptUp {
  const { externalPort, localPort } = settings;
  const once = async (signal: AbortSignal, made: () => void): Promise<void> => {
    const control = await openControl(signal);
    try {
      const { serviceId } = await control.addOnion(dangerousKey, externalPort, localPort, signal);
      made();
      log.info('onion service published', { onion: `${serviceId}.onion`, port: externalPort });
      await Promise.race([control.closed(), ending(signal)]);
    } finally {
      control.close();
    }
  };
  return new KeptUp({ what: 'onion service', once, clock, log });
}
