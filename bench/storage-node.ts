/**
 * What one storage node does in a second, beside the reference's in one run.
 *
 *     node dist/bench/storage-node.js [--rounds N] [--scale FACTOR] [--only ours|reference] [--work WORDS]
 *
 * Both nodes run as processes on this machine; the requests are the protocol's, over HTTPS with kept-alive connections,
 * sent by a client that does as little as it can. The programs take turns, each round does the same number of requests
 * of every kind, the first is not counted, and the disk is synced before each. Ours has every upload synced to the disk
 * before it answers; the reference syncs nothing. Prints one JSON line a result: requests or MB a second, and the
 * processor time that the node took for each request, which other programs on the machine disturb less.
 */
import { execFileSync } from 'node:child_process';
import { randomBytes, randomInt } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import { parseArgs } from 'node:util';
import { formatBase32 } from '#core/base32.js';
import { readAnnouncement } from '#test/fixtures/grid-node-directory.js';
import { ProcessGrid } from '#test/fixtures/process-grid.js';
import type { Program } from '#test/fixtures/process-grid.js';
import { dangerouslyFormatAuthorization, dangerouslyFormatSecret, encodeAllocateRequest } from '#wire/storage.js';
import { encodeReadTestWriteRequest } from '#wire/storage-mutable.js';
import { RawConnection } from './raw-connection.js';
import { median, printResult } from './report.js';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    scale: { type: 'string', default: '1' },
    only: { type: 'string' },
    work: { type: 'string', default: '' },
  },
});
const scale = Number(values.scale);
const programs = (['ours', 'reference'] as const).filter(
  (program) => values.only === undefined || values.only === program,
);
/** What Linux counts processor time in. */
const MS_PER_TICK = 10;
const MEBIBYTE = 1 << 20;
const SMALL_READ_SIZE = 4096;
const UPLOAD_SIZE = 100_000;
const uploadBody = randomBytes(UPLOAD_SIZE);
const SLOT_SIZE = 2000;
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
class Target {
  readonly #port: number;
  readonly #authorization: string;
  readonly #readIndex = formatBase32(randomBytes(16));

  private constructor(port: number, swissnum: string) {
    this.#port = port;
    this.#authorization = dangerouslyFormatAuthorization(swissnum);
  }

  /** Uploads the share that is read later. */
  static async prepare(port: number, swissnum: string): Promise<Target> {
    const target = new Target(port, swissnum);
    await target.withConnections(1, 1, (connection) =>
      target.#upload(connection, target.#readIndex, randomBytes(64 * MEBIBYTE)),
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

interface Work {
  readonly question: string;
  readonly connectionCount: number;
  readonly count: number;
  /** How many of `unit` one action is. */
  readonly amount: number;
  readonly unit: string;
  readonly action: (target: Target, connection: RawConnection) => Promise<void>;
}

const allWorks: readonly Work[] = [
  ...[1, 16].map((connectionCount) => ({
    question: '4 KiB reads',
    connectionCount,
    count: 4000,
    amount: 1,
    unit: 'a second',
    action: (target: Target, connection: RawConnection) => target.readSmall(connection),
  })),
  {
    question: '1 MiB reads',
    connectionCount: 4,
    count: 400,
    amount: MEBIBYTE / 1e6,
    unit: 'MB a second',
    action: (target, connection) => target.readLarge(connection),
  },
  ...[1, 16].map((connectionCount) => ({
    question: 'uploads of 100 kB',
    connectionCount,
    count: connectionCount === 1 ? 300 : 800,
    amount: 1,
    unit: 'a second',
    action: (target: Target, connection: RawConnection) => target.uploadSmall(connection),
  })),
  ...[1, 16].map((connectionCount) => ({
    question: 'read-test-writes of 2 kB',
    connectionCount,
    count: connectionCount === 1 ? 400 : 800,
    amount: 1,
    unit: 'a second',
    action: (target: Target, connection: RawConnection) => target.readTestWrite(connection),
  })),
];

const works = allWorks.filter(({ question }) => question.includes(values.work));

async function startTarget(program: Program): Promise<{ grid: ProcessGrid; target: Target }> {
  const encoding = { needed: 1, happy: 1, total: 1 };
  const grid = await ProcessGrid.start({ storage: [program], gateways: [], encoding });
  const [node] = grid.storage;
  if (node === undefined) throw new Error('the grid has no storage node');
  const nurl = (await readAnnouncement(node)).nurls[0];
  if (nurl === undefined) throw new Error('the storage node has no NURL');
  return { grid, target: await Target.prepare(nurl.port, nurl.dangerousSwissnum()) };
}

/** What was measured of one kind of work, round by round. */
interface Measured {
  readonly rates: number[];
  /** Of the node's process, for each action. */
  readonly processorMs: number[];
}

/** The processor time that a process has taken, in its own name and in the system's, in ms. */
function processorMsOf(pid: number): number {
  const text = readFileSync(`/proc/${String(pid)}/stat`, 'utf8');
  // The name in parentheses may hold anything; user and system time are the 14th and 15th field.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * MS_PER_TICK;
}

const results = new Map<Work, Map<Program, Measured>>();
const targets = new Map<Program, { grid: ProcessGrid; target: Target }>();
try {
  for (const program of programs) targets.set(program, await startTarget(program));
  for (let round = 0; round <= Number(values.rounds); round++) {
    for (const work of works) {
      for (const [program, { grid, target }] of targets) {
        execFileSync('sync');
        const count = Math.max(work.connectionCount, Math.round(work.count * scale));
        const pid = grid.storage[0]?.pid ?? 0;
        const before = processorMsOf(pid);
        const seconds = await target.withConnections(work.connectionCount, count, (connection) =>
          work.action(target, connection),
        );
        if (round === 0) continue;
        const ofWork = results.get(work) ?? new Map<Program, Measured>();
        const measured = ofWork.get(program) ?? { rates: [], processorMs: [] };
        measured.rates.push((count * work.amount) / seconds);
        measured.processorMs.push((processorMsOf(pid) - before) / count);
        results.set(work, ofWork.set(program, measured));
      }
    }
  }
} finally {
  for (const { grid } of targets.values()) await grid.stop();
}
for (const [{ question, connectionCount, unit }, ofWork] of results) {
  const medians = programs.map((program) => {
    const { rates, processorMs } = ofWork.get(program) ?? { rates: [], processorMs: [] };
    const [rate, least, most] = [median(rates), Math.min(...rates), Math.max(...rates)];
    const facts = { question, connections: connectionCount, program, unit };
    printResult({ ...facts, rate, least, most, processorMs: median(processorMs) });
    return { rate, processorMs: median(processorMs) };
  });
  const [ours, reference] = medians;
  if (ours !== undefined && reference !== undefined) {
    printResult({
      question,
      connections: connectionCount,
      timesAsFast: ours.rate / reference.rate,
      timesAsCheap: reference.processorMs / ours.processorMs,
    });
  }
}
