/**
 * How fast is erasure coding, and how much faster than Python's zfec on the same machine at the same time?
 *
 *     node dist/bench/erasure.js [--python PATH]     (else $PYTHON, else .venv/bin/python)
 *
 * Encodes segments of 1 MiB 3-of-10, and decodes them from secondary blocks alone. The contenders take turns for
 * several rounds on the same blocks, and must make the same bytes. Each JSON line gives the median of the rounds in
 * 10^6 bytes of plaintext a second. A Python without zfec is said so, loudly, and left out.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createInterface } from 'node:readline';
import { createErasureCodec } from '#core/erasure/codec.js';
import { hasSimd, instantiateKernel, type KernelKind } from '#core/erasure/kernel.js';
import { median } from './report.js';

const needed = 3;
const total = 10;
const segmentBytes = 1 << 20;
const blockBytes = Math.ceil(segmentBytes / needed);
const rounds = 7;
const roundSeconds = 0.3;

/** What a turn gave: the speed, and the SHA-256 of the bytes made. */
interface Turn {
  readonly mbPerSecond: number;
  readonly sha256: string;
}
type Task = 'encode' | 'decode';
type Contender = (task: Task) => Promise<Turn>;

/** Block j, byte i: i·7 + j·13 + ⌊i/256⌋ modulo 256; the Python side makes the same. */
const primary = Array.from({ length: needed }, (_, j) =>
  Uint8Array.from({ length: blockBytes }, (_, i) => i * 7 + j * 13 + (i >> 8)),
);

const pythonProgram = `
import hashlib, json, sys, time, zfec
k, n, size, plain, seconds = ${String(needed)}, ${String(total)}, ${String(blockBytes)}, ${String(segmentBytes)}, ${String(roundSeconds)}
primary = [bytes((i * 7 + j * 13 + (i >> 8)) & 255 for i in range(size)) for j in range(k)]
encoder, decoder = zfec.Encoder(k, n), zfec.Decoder(k, n)
last, numbers = encoder.encode(primary)[-k:], list(range(n - k, n))
tasks = {'encode': lambda: encoder.encode(primary), 'decode': lambda: decoder.decode(last, numbers)}
for line in sys.stdin:
    task, count, start = tasks[line.strip()], 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        blocks = task()
        count += 1
    speed = count * plain / (time.perf_counter() - start) / 1e6
    print(json.dumps({'mbPerSecond': speed, 'sha256': hashlib.sha256(b''.join(blocks)).hexdigest()}), flush=True)
`;

function sha256(blocks: readonly Uint8Array[]): string {
  const hash = createHash('sha256');
  for (const block of blocks) hash.update(block);
  return hash.digest('hex');
}

/** One build of ours; `reuse` gives each call the blocks of the call before as spare arrays. */
function ours(kind: KernelKind, reuse: boolean): Contender {
  const codec = createErasureCodec(needed, total, instantiateKernel(kind));
  const last = codec
    .encode(primary)
    .map((block, shareNumber) => ({ shareNumber, block }))
    .slice(-needed);
  const spare = reuse ? codec.encode(primary).slice(needed) : [];
  const tasks = { encode: () => codec.encode(primary, undefined, spare), decode: () => codec.decode(last, spare) };
  return (task) => {
    const start = performance.now();
    let blocks: Uint8Array[];
    let count = 0;
    do {
      blocks = tasks[task]();
      count++;
    } while (performance.now() - start < roundSeconds * 1000);
    const mbPerSecond = (count * segmentBytes) / 1e3 / (performance.now() - start);
    return Promise.resolve({ mbPerSecond, sha256: sha256(blocks) });
  };
}

/** One Python process that answers a line for each turn it is given; nothing if it does not answer. */
async function python(path: string): Promise<{ take: Contender; end: () => void } | undefined> {
  const child = spawn(path, ['-c', pythonProgram], { stdio: ['pipe', 'pipe', 'inherit'] });
  child.on('error', () => undefined);
  child.stdin.on('error', () => undefined);
  const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const take: Contender = async (task) => {
    child.stdin.write(`${task}\n`);
    const answer = await answers.next();
    if (answer.done === true) throw new Error(`${path} with zfec does not run`);
    return JSON.parse(answer.value) as Turn;
  };
  try {
    await take('encode');
    return { take, end: () => child.stdin.end() };
  } catch (error) {
    console.error(`SKIPPED: ${String(error)}; nothing is compared with it. Give one with --python PATH.`);
    return undefined;
  }
}

/** All contenders in turn, `rounds` times after one that does not count. */
async function race(task: Task, contenders: ReadonlyMap<string, Contender>): Promise<void> {
  const speeds = new Map([...contenders.keys()].map((name): [string, number[]] => [name, []]));
  const results = new Set<string>();
  for (let round = 0; round <= rounds; round++) {
    for (const [name, contender] of contenders) {
      const { mbPerSecond, sha256 } = await contender(task);
      results.add(sha256);
      if (round > 0) speeds.get(name)?.push(mbPerSecond);
    }
  }
  if (results.size !== 1) throw new Error(`${task}: the contenders made different bytes`);
  const zfecSpeed = median(speeds.get('zfec') ?? []);
  for (const [name, values] of speeds) {
    const speed = median(values);
    const ratio = Number.isNaN(zfecSpeed) ? {} : { timesZfec: Number((speed / zfecSpeed).toFixed(2)) };
    const question = `erasure ${task} ${String(needed)}-of-${String(total)}`;
    const facts = { question, contender: name, segmentBytes, rounds, mbPerSecond: Math.round(speed), ...ratio };
    console.log(JSON.stringify({ ...facts, identicalBytes: contenders.size > 1 }));
  }
}

const flag = process.argv.indexOf('--python');
const pythonPath = (flag === -1 ? process.env['PYTHON'] : process.argv[flag + 1]) ?? '.venv/bin/python';
const zfec = await python(pythonPath);
const contenders = new Map<string, Contender>();
if (hasSimd()) {
  contenders.set('simd', ours('simd', false));
  contenders.set('simd, spare blocks', ours('simd', true));
}
contenders.set('scalar', ours('scalar', false));
if (zfec) contenders.set('zfec', zfec.take);
await race('encode', contenders);
await race('decode', contenders);
zfec?.end();
