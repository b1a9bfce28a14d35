/**
 * One connection to Tor's control port, authenticated. With SAFECOOKIE both sides prove that they can read the cookie
 * file before it is shown to anybody; without a cookie only an open port is taken. Passwords are not: nothing would
 * tell them here.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { withDeadline } from '#client/deadline.js';
import type { Clock, Random } from '#core/environment.js';
import { isTahoeError, reasonOf, TahoeError } from '#core/errors.js';
import {
  CONTROL_LINE_LENGTH_MAX,
  ControlReplyReader,
  dangerouslyFormatAddOnion,
  parseAddedOnion,
  parseAuthChallenge,
  parseBootstrapProgress,
  parseProtocolInfo,
  parseSocksListeners,
} from '#wire/tor-control.js';
import type { AddedOnion, ControlReply, ProtocolInfo } from '#wire/tor-control.js';
import { formatPlace, proxyPlace } from '../config/proxy-place.js';
import type { ProxyPlace } from '../config/proxy-place.js';
import { connectTo } from './direct-dialler.js';
import { LineSocket } from './line-socket.js';

/** From connecting to being known, and for one command, in milliseconds. */
const OPEN_TIMEOUT_MS = 10_000;
const COMMAND_TIMEOUT_MS = 30_000;
const COOKIE_SIZE = 32;
const NONCE_SIZE = 32;
const SERVER_KEY = 'Tor safe cookie authentication server-to-controller hash';
const CLIENT_KEY = 'Tor safe cookie authentication controller-to-server hash';

/** What a connection is made with. */
export interface TorControlOptions {
  readonly place: ProxyPlace;
  readonly clock: Clock;
  readonly random: Random;
  readonly signal: AbortSignal;
}

/** The connection. Whoever opened it closes it. */
export class TorControl {
  readonly #lines: LineSocket;
  readonly #name: string;
  readonly #clock: Clock;
  readonly #reader = new ControlReplyReader();

  private constructor(lines: LineSocket, name: string, clock: Clock) {
    this.#lines = lines;
    this.#name = name;
    this.#clock = clock;
  }

  /** @throws ERR_PROXY when nobody listens, or it is no control port, or it takes no cookie; ERR_TIMEOUT, ERR_CANCELLED. */
  static async open({ clock, place, random, signal }: TorControlOptions): Promise<TorControl> {
    const name = `Tor's control port at ${formatPlace(place)}`;
    return withDeadline({ clock, timeoutMs: OPEN_TIMEOUT_MS, what: name, signal }, async (ended) => {
      const socket = await connectTo(place, ended).catch((error: unknown) => {
        throw new TahoeError('ERR_PROXY', { proxy: name, reason: reasonOf(error) }, { cause: error });
      });
      const control = new TorControl(new LineSocket(socket, name, CONTROL_LINE_LENGTH_MAX), name, clock);
      const end = (): void => {
        socket.destroy();
      };
      ended.addEventListener('abort', end, { once: true });
      try {
        await control.#authenticate(random);
        return control;
      } catch (error) {
        socket.destroy();
        throw error;
      } finally {
        ended.removeEventListener('abort', end);
      }
    });
  }

  /** Makes an onion service that lives as long as this connection. @throws ERR_PROXY, ERR_MESSAGE, ERR_TIMEOUT. */
  async addOnion(
    dangerousKey: string,
    externalPort: number,
    localPort: number,
    signal: AbortSignal,
  ): Promise<AddedOnion> {
    const command = dangerouslyFormatAddOnion(dangerousKey, externalPort, localPort);
    return parseAddedOnion(await this.#ask(command, 'ADD_ONION', signal));
  }

  /** Ends one before the connection ends. @throws ERR_PROXY, ERR_TIMEOUT. */
  async removeOnion(serviceId: string, signal: AbortSignal): Promise<void> {
    await this.#ask(`DEL_ONION ${serviceId}`, 'DEL_ONION', signal);
  }

  /** Where its SOCKS proxies are. @throws ERR_PROXY when there is none; ERR_TIMEOUT. */
  async socksPlaces(signal: AbortSignal): Promise<readonly ProxyPlace[]> {
    const listeners = parseSocksListeners(await this.#ask('GETINFO net/listeners/socks', 'GETINFO', signal));
    const places = listeners.flatMap((text) => {
      const parsed = proxyPlace.parse(text.startsWith('unix:') ? text : `tcp:${text}`);
      return 'value' in parsed && parsed.value !== undefined ? [parsed.value] : [];
    });
    if (places.length === 0) throw this.#failed('this Tor has no SOCKS proxy');
    return places;
  }

  /** How far it is with connecting to its network, in per cent. @throws ERR_PROXY, ERR_TIMEOUT. */
  async progress(signal: AbortSignal): Promise<number | undefined> {
    return parseBootstrapProgress(await this.#ask('GETINFO status/bootstrap-phase', 'GETINFO', signal));
  }

  /** Has Tor end with this connection. @throws ERR_PROXY, ERR_TIMEOUT. */
  async takeOwnership(signal: AbortSignal): Promise<void> {
    await this.#ask('TAKEOWNERSHIP', 'TAKEOWNERSHIP', signal);
  }

  /** Resolves when the connection has ended. Nothing can be asked any more then. */
  closed(): Promise<void> {
    return this.#lines.closed();
  }

  close(): void {
    this.#lines.destroy();
  }

  async #authenticate(random: Random): Promise<void> {
    const info = parseProtocolInfo(await this.#command('PROTOCOLINFO 1', 'PROTOCOLINFO'));
    const { methods } = info;
    if (methods.includes('NULL')) {
      await this.#command('AUTHENTICATE', 'AUTHENTICATE');
    } else if (methods.includes('SAFECOOKIE')) {
      await this.#proveCookie(await this.#readCookie(info), random.bytes(NONCE_SIZE));
    } else if (methods.includes('COOKIE')) {
      const cookie = await this.#readCookie(info);
      await this.#command(`AUTHENTICATE ${toHex(cookie)}`, 'AUTHENTICATE');
    } else {
      throw this.#failed('it wants a password; set CookieAuthentication 1 in torrc');
    }
  }

  async #proveCookie(cookie: Uint8Array, nonce: Uint8Array): Promise<void> {
    const challenge = await this.#command(`AUTHCHALLENGE SAFECOOKIE ${toHex(nonce)}`, 'AUTHCHALLENGE');
    const { serverHash, serverNonce } = parseAuthChallenge(challenge);
    const message = Buffer.concat([cookie, nonce, Buffer.from(serverNonce, 'hex')]);
    const hashOf = (key: string): Buffer => createHmac('sha256', key).update(message).digest();
    if (!timingSafeEqual(hashOf(SERVER_KEY), Buffer.from(serverHash, 'hex'))) {
      throw this.#failed('it does not know the cookie in its own file: it is not the Tor that it claims to be');
    }
    await this.#command(`AUTHENTICATE ${toHex(hashOf(CLIENT_KEY))}`, 'AUTHENTICATE');
  }

  async #readCookie({ cookieFile }: ProtocolInfo): Promise<Uint8Array> {
    if (cookieFile === undefined) throw this.#failed('it names no cookie file');
    try {
      // Whatever else it may point to is not read, and above all not shown.
      const { size } = await stat(cookieFile);
      if (size === COOKIE_SIZE) return await readFile(cookieFile);
    } catch (error) {
      const reason = `its cookie cannot be read: ${reasonOf(error)}; let this user into Tor's group`;
      throw new TahoeError('ERR_PROXY', { proxy: this.#name, reason }, { cause: error });
    }
    throw this.#failed(`'${cookieFile}' is no cookie`);
  }

  async #ask(command: string, word: string, signal: AbortSignal): Promise<ControlReply> {
    const what = `${word} at ${this.#name}`;
    return withDeadline({ clock: this.#clock, timeoutMs: COMMAND_TIMEOUT_MS, what, signal }, async (ended) => {
      const end = (): void => {
        this.close();
      };
      ended.addEventListener('abort', end, { once: true });
      try {
        return await this.#command(command, word);
      } finally {
        ended.removeEventListener('abort', end);
      }
    });
  }

  /** @param word - what errors call the command, which may hold a secret. */
  async #command(command: string, word: string): Promise<ControlReply> {
    this.#lines.send(command, '\r\n');
    try {
      for (;;) {
        const reply = this.#reader.feed(await this.#lines.line());
        if (reply === undefined) continue;
        if (reply.status === 250) return reply;
        throw this.#failed(`it refuses ${word} (${String(reply.status)} ${(reply.lines[0] ?? '').slice(0, 200)})`);
      }
    } catch (error) {
      if (isTahoeError(error, 'ERR_MESSAGE')) throw this.#failed(`it is no control port: ${error.facts.reason}`);
      throw error;
    }
  }

  #failed(reason: string): TahoeError {
    return new TahoeError('ERR_PROXY', { proxy: this.#name, reason });
  }
}

function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
