/**
 * Has Tor make the address of a new node: an onion service that is made and taken back, of which the key is kept. Tor is
 * reached by its control port, or started for as long as this takes.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Clock, Log, Random } from '#core/environment.js';
import { isTahoeError, TahoeError } from '#core/errors.js';
import { formatPlace, proxyPlace } from '../config/proxy-place.js';
import type { ProxyPlace } from '../config/proxy-place.js';
import { HIDDEN_PORT } from './hidden-listener.js';
import type { HiddenListener, TorWords } from './hidden-listener.js';
import { TorControl } from './tor-control.js';
import { TorProcess } from './tor-process.js';

/** Where Debian's Tor, any Tor and the Tor Browser have their control ports. */
const CONTROL_PLACES: readonly ProxyPlace[] = [
  { path: '/var/run/tor/control' },
  { host: '127.0.0.1', port: 9051 },
  { host: '127.0.0.1', port: 9151 },
];

/** What an address is made with. */
export interface OnionAllocationOptions {
  readonly words: TorWords;
  readonly allocatePort: () => Promise<number>;
  readonly report: (line: string) => Promise<void>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly signal: AbortSignal;
}

interface Reached {
  readonly control: TorControl;
  /** How the node will reach it again. */
  readonly options: readonly (readonly [name: string, value: string])[];
  readonly close: () => Promise<void>;
}

/** @throws ERR_USAGE when the control port is no place; ERR_PROXY when Tor is not reached, or refuses; ERR_TIMEOUT. */
export async function allocateOnion(options: OnionAllocationOptions): Promise<HiddenListener> {
  const { allocatePort, report, signal } = options;
  const reached = options.words.torLaunch === true ? await launchTor(options) : await reachTor(options);
  try {
    const localPort = await allocatePort();
    await report('allocating .onion address (takes ~40s)..');
    const { privateKey, serviceId } = await reached.control.addOnion('NEW:ED25519-V3', HIDDEN_PORT, localPort, signal);
    if (privateKey === undefined) throw new TahoeError('ERR_PROXY', { proxy: 'Tor', reason: 'it keeps the key' });
    await reached.control.removeOnion(serviceId, signal);
    await report('.onion address allocated');
    const onion = [
      ['onion', 'true'],
      ['onion.local_port', String(localPort)],
      ['onion.external_port', String(HIDDEN_PORT)],
      ['onion.private_key_file', 'private/tor_onion.privkey'],
    ] as const;
    return {
      tubPort: `tcp:${String(localPort)}:interface=127.0.0.1`,
      tubLocation: `tor:${serviceId}.onion:${String(HIDDEN_PORT)}`,
      section: { name: 'tor', options: [...reached.options, ...onion] },
      key: { name: 'tor_onion.privkey', dangerousText: privateKey },
    };
  } finally {
    reached.control.close();
    await reached.close();
  }
}

async function reachTor({ clock, random, report, signal, words }: OnionAllocationOptions): Promise<Reached> {
  const places = words.torControlPort === undefined ? CONTROL_PLACES : [controlPlaceOf(words.torControlPort)];
  await report('connecting to Tor (to allocate .onion address)..');
  for (const place of places) {
    try {
      const control = await TorControl.open({ place, clock, random, signal });
      await report('Tor connection established');
      return { control, options: [['control.port', formatPlace(place)]], close: () => Promise.resolve() };
    } catch (error) {
      if (!isTahoeError(error, 'ERR_PROXY', 'ERR_TIMEOUT')) throw error;
      await report(`Unable to reach Tor at '${formatPlace(place)}': ${error.message}`);
    }
  }
  const reason = 'no control port was reached; start it, with ControlPort and CookieAuthentication 1 in torrc';
  throw new TahoeError('ERR_PROXY', { proxy: 'Tor', reason });
}

function controlPlaceOf(text: string): ProxyPlace {
  const parsed = proxyPlace.parse(text);
  if ('value' in parsed && parsed.value !== undefined) return parsed.value;
  const reason = 'problem' in parsed ? parsed.problem : 'a place is expected';
  throw new TahoeError('ERR_USAGE', { reason: `--tor-control-port: ${reason}` });
}

/** The state is thrown away: the address is in its key. */
async function launchTor(options: OnionAllocationOptions): Promise<Reached> {
  const { clock, log, random, report, signal, words } = options;
  const executable = words.torExecutable === '' ? undefined : words.torExecutable;
  await report('launching Tor (to allocate .onion address)..');
  const directory = await mkdtemp(join(tmpdir(), 'tallac-tor-'));
  let process: TorProcess | undefined;
  const close = async (): Promise<void> => {
    await process?.close(clock);
    await rm(directory, { recursive: true, force: true });
  };
  try {
    process = await TorProcess.start({ executable, directory, clock, log }, signal);
    const control = await TorControl.open({ place: process.control, clock, random, signal });
    await report('Tor launched');
    const told = executable === undefined ? [] : [['tor.executable', executable] as const];
    return { control, options: [['launch', 'true'], ...told], close };
  } catch (error) {
    await close();
    throw error;
  }
}
