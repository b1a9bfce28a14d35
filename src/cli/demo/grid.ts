/**
 * The demonstration's grid: ten storage nodes and a gateway, each a process, in a directory of their own.
 * `close` stops what still runs and removes the directory; `release` leaves both.
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Clock } from '#core/environment.js';
import { createNativeCrypto, systemRandom } from '#core/native-crypto.js';
import { GatewayClient } from '../gateway-client.js';
import { localFileError } from '../local-file.js';
import { ENCODING, makeDirectories } from './directories.js';
import type { DemoDirectories } from './directories.js';
import { NodeProcess } from './node-process.js';
import { waitUntil } from './waiting.js';

/** How long the gateway may take to connect to all servers. */
const CONNECT_TIMEOUT_MS = 60_000;

/** What the grid is made with. */
export interface DemoGridOptions {
  readonly environment: NodeJS.ProcessEnv;
  readonly clock: Clock;
  /** Whether its nodes go on when the demonstration ends. */
  readonly outlives: boolean;
  readonly signal: AbortSignal;
}

/** The grid. Nodes are called by their numbers, 1 to 10. */
export class DemoGrid {
  /** The directory that holds everything. */
  readonly directory: string;
  readonly #directories: DemoDirectories;
  readonly #options: DemoGridOptions;
  readonly #storage = new Map<number, NodeProcess>();
  #gateway: NodeProcess | undefined;
  #client: GatewayClient | undefined;

  private constructor(directory: string, directories: DemoDirectories, options: DemoGridOptions) {
    this.directory = directory;
    this.#directories = directories;
    this.#options = options;
  }

  /** Makes all directories and keys; nothing runs yet. @throws ERR_FILE, ERR_NO_SPACE, ERR_LISTEN. */
  static async create(options: DemoGridOptions): Promise<DemoGrid> {
    const directory = await mkdtemp(join(tmpdir(), 'tallac-demo-')).catch((error: unknown) => {
      throw localFileError(tmpdir(), error);
    });
    try {
      const making = { clock: options.clock, random: systemRandom, crypto: await createNativeCrypto() };
      return new DemoGrid(directory, await makeDirectories(directory, making), options);
    } catch (error) {
      await rm(directory, { recursive: true, force: true });
      throw error;
    }
  }

  /** The gateway's web API. Only after `startGateway`. */
  get client(): GatewayClient {
    if (this.#client === undefined) throw new TypeError('the gateway has not been started');
    return this.#client;
  }

  /** The gateway's node directory, for `tallac -d`. */
  get gatewayDirectory(): string {
    return this.#directories.gateway;
  }

  /** Process numbers of all nodes. */
  get pids(): readonly number[] {
    return this.#processes().map(({ pid }) => pid);
  }

  /** Where a storage node keeps its shares. */
  shareDirectory(number: number): string {
    return join(this.#storageDirectory(number), 'storage', 'shares');
  }

  /** Starts these storage nodes and waits until they run. @throws ERR_DEMO, ERR_TIMEOUT, the signal's reason. */
  async startStorage(numbers: readonly number[]): Promise<void> {
    for (const number of numbers) this.#storage.set(number, await this.#start(this.#storageDirectory(number)));
    await Promise.all(this.#storageNodes(numbers).map((node) => node.running(this.#options.signal)));
  }

  /** Starts the gateway and waits until it is connected to every server. @throws as startStorage. */
  async startGateway(): Promise<void> {
    const { clock, signal } = this.#options;
    this.#gateway = await this.#start(this.#directories.gateway);
    await this.#gateway.running(signal);
    const client = new GatewayClient(new URL(await this.#readNodeUrl()), { clock });
    this.#client = client;
    await waitUntil(async () => (await client.connectedServerCount(signal)) === ENCODING.total, {
      ...{ clock, signal, what: 'the connection of the gateway to all servers' },
      timeoutMs: CONNECT_TIMEOUT_MS,
    });
  }

  /** Kills these storage nodes without warning, and waits until they are gone. */
  async kill(numbers: readonly number[]): Promise<void> {
    await Promise.all(this.#storageNodes(numbers).map((node) => node.kill()));
    for (const number of numbers) this.#storage.delete(number);
  }

  /** Starts the storage nodes that were killed. @throws as startStorage. */
  async restartKilled(): Promise<void> {
    const numbers = this.#directories.storage.map((_, index) => index + 1);
    await this.startStorage(numbers.filter((number) => !this.#storage.has(number)));
  }

  /** Leaves everything running. */
  async release(): Promise<void> {
    for (const node of this.#processes()) node.release();
    await this.#client?.close();
  }

  /** Stops everything and removes the directory. */
  async close(): Promise<void> {
    await this.#client?.close();
    await Promise.all(this.#processes().map((node) => node.stop()));
    await rm(this.directory, { recursive: true, force: true, maxRetries: 3 });
  }

  async #start(directory: string): Promise<NodeProcess> {
    this.#options.signal.throwIfAborted();
    const { environment, clock, outlives } = this.#options;
    return NodeProcess.start({ directory, environment, clock, outlives });
  }

  #storageNodes(numbers: readonly number[]): readonly NodeProcess[] {
    return numbers.flatMap((number) => this.#storage.get(number) ?? []);
  }

  #processes(): readonly NodeProcess[] {
    return [...this.#storage.values(), ...(this.#gateway === undefined ? [] : [this.#gateway])];
  }

  #storageDirectory(number: number): string {
    const directory = this.#directories.storage[number - 1];
    if (directory === undefined) throw new TypeError('the demonstration has ten storage nodes');
    return directory;
  }

  async #readNodeUrl(): Promise<string> {
    return (await readFile(join(this.#directories.gateway, 'node.url'), 'utf8')).trim();
  }
}
