/** The Tor that a node uses: one that runs on its own, found by the options, or one that the node starts when it is needed. */
import type { Clock, Random } from '#core/environment.js';
import { TahoeError } from '#core/errors.js';
import type { ProxyPlace } from '../config/proxy-place.js';
import type { TorSettings } from './network-settings.js';
import { TorControl } from './tor-control.js';
import type { TorProcess } from './tor-process.js';

/** Where Tor and the Tor Browser listen unless told otherwise. */
export const SOCKS_PLACES: readonly ProxyPlace[] = [
  { host: '127.0.0.1', port: 9050 },
  { host: '127.0.0.1', port: 9150 },
];

/** What is needed of it. */
export interface TorAccessOptions {
  readonly settings: TorSettings;
  readonly clock: Clock;
  readonly random: Random;
  /** Starts one. Without it `launch` is for somebody else to do. */
  readonly launch?: (signal: AbortSignal) => Promise<TorProcess>;
}

/** One node's way to it. */
export class TorAccess {
  readonly #options: TorAccessOptions;
  readonly #ended = new AbortController();
  #launched: Promise<TorProcess> | undefined;

  constructor(options: TorAccessOptions) {
    this.#options = options;
  }

  /** Where its SOCKS proxy may be, the likeliest first. @throws ERR_PROXY, ERR_TIMEOUT, ERR_CANCELLED. */
  async socksPlaces(signal: AbortSignal): Promise<readonly ProxyPlace[]> {
    const { control, launch, socks } = this.#options.settings;
    if (!launch && socks !== undefined) return [socks];
    if (!launch && control === undefined) return SOCKS_PLACES;
    const connection = await this.openControl(signal);
    try {
      return await connection.socksPlaces(signal);
    } finally {
      connection.close();
    }
  }

  /** A connection to its control port, to be closed by the caller. @throws as `socksPlaces`. */
  async openControl(signal: AbortSignal): Promise<TorControl> {
    const { clock, random } = this.#options;
    return TorControl.open({ place: await this.#controlPlace(), clock, random, signal });
  }

  /** Ends what was started. */
  async close(): Promise<void> {
    this.#ended.abort();
    const launched = await this.#launched?.catch(() => undefined);
    await launched?.close(this.#options.clock);
  }

  async #controlPlace(): Promise<ProxyPlace> {
    const { launch, settings } = this.#options;
    if (!settings.launch) {
      if (settings.control !== undefined) return settings.control;
      throw new TahoeError('ERR_PROXY', { proxy: "Tor's control port", reason: 'set [tor]control.port' });
    }
    if (launch === undefined) {
      const reason = 'the node starts it for itself alone; set [tor]socks.port to that of another';
      throw new TahoeError('ERR_PROXY', { proxy: 'Tor', reason });
    }
    const before = this.#launched;
    if (before !== undefined && !(await before.catch(() => undefined))?.isRunning && this.#launched === before) {
      this.#launched = undefined;
    }
    this.#launched ??= launch(this.#ended.signal);
    return (await this.#launched).control;
  }
}
