/** One storage node and how to talk to it, by requests of the protocol and with the least effort: part of bench/storage-node.ts. */
import { randomBytes, randomInt } from 'node:crypto';
import { performance } from 'node:perf_hooks';
import { formatBase32 } from '#core/base32.js';
import { dangerouslyFormatAuthorization, dangerouslyFormatSecret, encodeAllocateRequest } from '#wire/storage.js';
import { encodeReadTestWriteRequest } from '#wire/storage-mutable.js';
import { RawConnection } from './raw-connection.js';

/** In bytes. */
export const MEBIBYTE = 1 << 20;
/** The size of the share that is read. */
export const READ_SHARE_SIZE = 64 * MEBIBYTE;
const SMALL_READ_SIZE = 4096;
/** What is uploaded, and written to a slot, in bytes. */
export const UPLOAD_SIZE = 100_000;
const uploadBody = randomBytes(UPLOAD_SIZE);
export const SLOT_SIZE = 2000;
const SLOT_COUNT = 32;
const slots = Array.from({ length: SLOT_COUNT }, () => ({
  index: formatBase32(randomBytes(16)),
  secret: randomBytes(32),
}));
const slotBody = Buffer.concat(
  encodeReadTestWriteRequest({
    shares: new Map([[0, { tests: [], writes: [{ offset: 0, data: randomBytes(SLOT_SIZE) }], newLength: undefined }]]),
    reads: [{ offset: 0, size: 100 }],
  }),
);

/** One storage node and how to talk to it. */
export class StorageTarget {
  readonly #port: number;
  readonly #authorization: string;
  readonly #readIndex = formatBase32(randomBytes(16));

  /** @param swissnum - any text where it is not asked for. */
  constructor(port: number, swissnum: string) {
    this.#port = port;
    this.#authorization = dangerouslyFormatAuthorization(swissnum);
  }

  /** Uploads the share that is read later. */
  static async prepare(port: number, swissnum: string): Promise<StorageTarget> {
    const target = new StorageTarget(port, swissnum);
    await target.withConnections(1, 1, (connection) =>
      target.#upload(connection, target.#readIndex, randomBytes(READ_SHARE_SIZE)),
    );
    return target;
  }

  /** Does `action` `count` times in all, over `connectionCount` connections. @returns seconds. */
  async withConnections(
    connectionCount: number,
    count: number,
    action: (connection: RawConnection) => Promise<void>,
  ): Promise<number> {
    const connections = await Promise.all(
      Array.from({ length: connectionCount }, () => RawConnection.open(this.#port)),
    );
    let left = count;
    const work = async (connection: RawConnection): Promise<void> => {
      while (left-- > 0) await action(connection);
    };
    const start = performance.now();
    await Promise.all(connections.map(work));
    const seconds = (performance.now() - start) / 1000;
    for (const connection of connections) connection.close();
    return seconds;
  }

  async readSmall(connection: RawConnection): Promise<void> {
    await this.#read(connection, randomInt(16_000) * SMALL_READ_SIZE, SMALL_READ_SIZE);
  }

  async readLarge(connection: RawConnection): Promise<void> {
    await this.#read(connection, randomInt(63) * MEBIBYTE, MEBIBYTE);
  }

  async listShares(connection: RawConnection): Promise<void> {
    const reply = await connection.request(this.#head('GET', `immutable/${this.#readIndex}/shares`, []));
    if (reply.status !== 200 || reply.size === 0) throw new Error(`a list gave ${JSON.stringify(reply)}`);
  }

  async uploadSmall(connection: RawConnection): Promise<void> {
    await this.#upload(connection, formatBase32(randomBytes(16)), uploadBody);
  }

  /** Writes on one of a few mutable shares, each with a lease that is renewed. */
  async readTestWrite(connection: RawConnection): Promise<void> {
    const { index, secret } = slots[randomInt(SLOT_COUNT)] ?? slots[0] ?? { index: '', secret: new Uint8Array(32) };
    const head = this.#head('POST', `mutable/${index}/read-test-write`, [
      'content-type: application/cbor',
      `content-length: ${String(slotBody.length)}`,
      ...(['lease-renew-secret', 'lease-cancel-secret', 'write-enabler'] as const).map(
        (kind) => `x-tahoe-authorization: ${dangerouslyFormatSecret(kind, secret)}`,
      ),
    ]);
    const reply = await connection.request(head, slotBody);
    if (reply.status !== 200) throw new Error(`a read-test-write gave ${JSON.stringify(reply)}`);
  }

  async #read(connection: RawConnection, begin: number, size: number): Promise<void> {
    const range = `range: bytes=${String(begin)}-${String(begin + size - 1)}`;
    const head = this.#head('GET', `immutable/${this.#readIndex}/0`, [range]);
    const reply = await connection.request(head);
    if (reply.status !== 206 || reply.size !== size) throw new Error(`a read gave ${JSON.stringify(reply)}`);
  }

  async #upload(connection: RawConnection, index: string, body: Uint8Array): Promise<void> {
    const request = encodeAllocateRequest({ shareNumbers: new Set([0]), allocatedSize: body.length });
    const uploadSecret = `x-tahoe-authorization: ${dangerouslyFormatSecret('upload-secret', randomBytes(20))}`;
    const allocate = this.#head('POST', `immutable/${index}`, [
      'content-type: application/cbor',
      `content-length: ${String(request.length)}`,
      `x-tahoe-authorization: ${dangerouslyFormatSecret('lease-renew-secret', randomBytes(32))}`,
      `x-tahoe-authorization: ${dangerouslyFormatSecret('lease-cancel-secret', randomBytes(32))}`,
      uploadSecret,
    ]);
    const allocated = await connection.request(allocate, request);
    if (allocated.status !== 200) throw new Error(`an allocation gave ${JSON.stringify(allocated)}`);
    const write = this.#head('PATCH', `immutable/${index}/0`, [
      'content-type: application/octet-stream',
      `content-length: ${String(body.length)}`,
      `content-range: bytes 0-${String(body.length - 1)}/*`,
      uploadSecret,
    ]);
    const written = await connection.request(write, body);
    if (written.status !== 201) throw new Error(`a write gave ${JSON.stringify(written)}`);
  }

  #head(method: string, path: string, headers: readonly string[]): string {
    const lines = ['host: localhost', 'accept: application/cbor', `authorization: ${this.#authorization}`, ...headers];
    return [`${method} /storage/v1/${path} HTTP/1.1`, ...lines, '', ''].join('\r\n');
  }
}
