/**
 * The way through I2P: one session of the node at its router, under the node's own destination where it has one, and a
 * connection for each stream. The session is made when it is first needed, and anew when the router was gone.
 */
import { readFile, stat } from 'node:fs/promises';
import type { Socket } from 'node:net';
import type { Destination } from '#client/dialler.js';
import type { Clock, Log, Random } from '#core/environment.js';
import { reasonOf, TahoeError } from '#core/errors.js';
import { parseI2pKey, samRequest } from '#wire/sam.js';
import { ending, KeptUp } from './kept-up.js';
import type { I2pSettings } from './network-settings.js';
import type { Way } from './node-dialler.js';
import { SamConnection } from './sam-connection.js';

const KEY_FILE_SIZE_MAX = 16_384;
const SESSION_ID_SIZE = 8;

/** What the way is made of. */
export interface I2pWayOptions {
  readonly settings: I2pSettings;
  /** Of this node's destination; undefined for one of the session alone. Secret. */
  readonly dangerousKey: () => Promise<string | undefined>;
  readonly clock: Clock;
  readonly random: Random;
}

interface Session {
  readonly id: string;
  readonly connection: SamConnection;
}

/** The key of a destination, in its file. @throws ERR_FILE when it is not there, or no key. */
export async function readI2pKey(path: string): Promise<string> {
  try {
    const { size } = await stat(path);
    if (size > KEY_FILE_SIZE_MAX) throw new Error('it is too large to be a key');
    return parseI2pKey((await readFile(path, 'latin1')).trim());
  } catch (error) {
    const reason = `${reasonOf(error)}; [i2p]dest.private_key_file names it`;
    throw new TahoeError('ERR_FILE', { file: path, reason }, { cause: error });
  }
}

/** @see Way */
export class I2pWay implements Way {
  readonly #options: I2pWayOptions;
  readonly #ended = new AbortController();
  #session: Promise<Session> | undefined;

  constructor(options: I2pWayOptions) {
    this.#options = options;
  }

  async dial({ host }: Destination, signal: AbortSignal): Promise<Socket> {
    const { id } = await this.#open();
    const stream = await this.#connect(signal);
    try {
      const found = await stream.ask(samRequest.lookUp(host), 'NAMING REPLY', signal);
      const destination = parseI2pKey(found.options.get('VALUE'));
      await stream.ask(samRequest.connect(id, destination), 'STREAM STATUS', signal);
      return stream.release();
    } catch (error) {
      stream.close();
      throw error;
    }
  }

  /** Has the router lead whoever comes to this node's destination to a port of 127.0.0.1. */
  forwarding(port: number, log: Log): KeptUp {
    const once = async (signal: AbortSignal, made: () => void): Promise<void> => {
      const { connection, id } = await this.#open();
      const forward = await this.#connect(signal);
      try {
        await forward.ask(samRequest.forward(id, port), 'STREAM STATUS', signal);
        made();
        log.info('I2P destination published');
        await Promise.race([forward.closed(), connection.closed(), ending(signal)]);
      } finally {
        forward.close();
      }
    };
    return new KeptUp({ what: 'I2P destination', once, clock: this.#options.clock, log });
  }

  /** Ends the session and all streams that are being opened. */
  async close(): Promise<void> {
    this.#ended.abort();
    const session = await this.#session?.catch(() => undefined);
    session?.connection.close();
  }

  #connect(signal: AbortSignal): Promise<SamConnection> {
    const { clock, settings } = this.#options;
    return SamConnection.open({ place: settings.sam, clock, signal });
  }

  #open(): Promise<Session> {
    this.#session ??= this.#create();
    return this.#session;
  }

  async #create(): Promise<Session> {
    const forget = (): void => {
      this.#session = undefined;
    };
    const { signal } = this.#ended;
    try {
      const key = await this.#options.dangerousKey();
      const id = `tallac-${Buffer.from(this.#options.random.bytes(SESSION_ID_SIZE)).toString('hex')}`;
      const connection = await this.#connect(signal);
      try {
        await connection.ask(samRequest.dangerouslyCreate(id, key), 'SESSION STATUS', signal);
      } catch (error) {
        connection.close();
        throw error;
      }
      connection.closed().then(forget, forget);
      return { id, connection };
    } catch (error) {
      forget();
      throw error;
    }
  }
}
