/**
 * Does one storage node still answer while thousands of connections are idle and thousands more are slow?
 *
 *     node dist/bench/load.js [--idle 10000] [--slow 5000] [--seconds 60]
 *
 * The node is a process of its own, with room for all of them in tallac.cfg. Idle connections have shown the swissnum
 * once and then keep their connection without a word; slow ones send one byte of a head every four seconds, and come
 * again as soon as they are cut. Meanwhile an honest client asks, on connections that it keeps and on new ones, one
 * request at a time on each. Three processes beside the node, all on this machine: what they cost slows the node too.
 * Needs a limit on open files of 1.4 times the connections. Prints one JSON line before the siege, and one during it.
 */
import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { Agent, request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from 'node:tls';
import type { TLSSocket } from 'node:tls';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { parseFurl } from '#node/furl.js';
import { dangerouslyFormatAuthorization, storagePath } from '#wire/storage.js';
import { allocatePorts, writeNodeDirectory } from '#test/fixtures/grid-node-directory.js';
import { GridNode } from '#test/fixtures/process-grid.js';
import { printResult } from './report.js';

const SPARE_CONNECTIONS = 500;
const KEPT_CONNECTIONS = 8;
const DIALS_AT_ONCE = 50;
const DRIP_INTERVAL_MS = 4_000;
/** Below the 72 s after which the server closes a kept connection. */
const SIGN_OF_LIFE_INTERVAL_MS = 50_000;
const CALM_SECONDS = 10;
const OPENING_TIMEOUT_MS = 300_000;
/** Besiegers that have not become more for so long are as many as there will be. */
const STEADY_MS = 15_000;

const { values } = parseArgs({
  options: {
    idle: { type: 'string', default: '10000' },
    slow: { type: 'string', default: '5000' },
    seconds: { type: 'string', default: '60' },
    role: { type: 'string' },
    port: { type: 'string', default: '0' },
    swissnum: { type: 'string', default: '' },
  },
});
const port = Number(values.port);
const head = (swissnum: string): string =>
  `GET ${storagePath.version} HTTP/1.1\r\nHost: localhost\r\nAuthorization: ${dangerouslyFormatAuthorization(swissnum)}\r\n\r\n`;

/** A besieger: keeps `count` connections open by `dial`, and tells its parent how many are. */
async function besiege(count: number, serve: (socket: TLSSocket) => void): Promise<void> {
  let open = 0;
  let cut = 0;
  const keepOpen = async (): Promise<void> => {
    for (;;) {
      const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false });
      socket.on('error', () => undefined);
      const closed = new Promise((resolve) => socket.once('close', resolve));
      const secured = await Promise.race([
        once(socket, 'secureConnect').then(
          () => true,
          () => false,
        ),
        closed,
      ]);
      if (secured === true) {
        open += 1;
        serve(socket);
        await closed;
        open -= 1;
        cut += 1;
      } else {
        await sleep(1000);
      }
    }
  };
  setInterval(() => process.send?.({ open, cut }), 500);
  process.on('disconnect', () => process.exit());
  for (let i = 0; i < count; i++) {
    void keepOpen();
    if (i % DIALS_AT_ONCE === DIALS_AT_ONCE - 1) await sleep(DIALS_AT_ONCE);
  }
}

function serveIdle(socket: TLSSocket): void {
  const speak = (): void => {
    if (socket.writable) socket.write(head(values.swissnum));
  };
  speak();
  const timer = setInterval(speak, SIGN_OF_LIFE_INTERVAL_MS);
  socket.resume().once('close', () => {
    clearInterval(timer);
  });
}

function serveSlow(socket: TLSSocket): void {
  socket.write('G');
  const timer = setInterval(() => {
    if (socket.writable) socket.write('E');
  }, DRIP_INTERVAL_MS);
  socket.resume().once('close', () => {
    clearInterval(timer);
  });
}

/** Starts a besieger. */
function start(
  role: 'idle' | 'slow',
  target: readonly string[],
): { child: ChildProcess; state: { open: number; cut: number } } {
  const state = { open: 0, cut: 0 };
  const child = fork(fileURLToPath(import.meta.url), [
    '--role',
    role,
    '--idle',
    values.idle,
    '--slow',
    values.slow,
    ...target,
  ]);
  child.on('message', (message) => Object.assign(state, message));
  return { child, state };
}

/** Asks for `seconds`. @returns how long each request took, in milliseconds; Infinity for one that failed. */
async function askHonestly(node: { port: number; swissnum: string }, seconds: number): Promise<number[]> {
  const end = performance.now() + seconds * 1000;
  const times: number[] = [];
  const ask = (agent: Agent | false): Promise<void> =>
    new Promise((resolve) => {
      const started = performance.now();
      const done = (failed: boolean): void => {
        times.push(failed ? Infinity : performance.now() - started);
        resolve();
      };
      const headers = { authorization: dangerouslyFormatAuthorization(node.swissnum) };
      const options = { host: '127.0.0.1', port: node.port, path: storagePath.version, rejectUnauthorized: false };
      request({ ...options, agent, headers }, (reply) => {
        reply
          .resume()
          .on('end', () => done(reply.statusCode !== 200))
          .on('error', () => done(true));
      })
        .on('error', () => done(true))
        .end();
    });
  const agent = new Agent({ keepAlive: true, maxSockets: KEPT_CONNECTIONS, rejectUnauthorized: false });
  const work = async (through: Agent | false): Promise<void> => {
    while (performance.now() < end) {
      await ask(through);
      await sleep(5);
    }
  };
  await Promise.all([...Array.from({ length: KEPT_CONNECTIONS }, () => work(agent)), work(false), work(false)]);
  agent.destroy();
  return times;
}

/** Prints what the honest client saw and what the node holds. */
async function report(
  way: string,
  node: GridNode,
  times: readonly number[],
  more: Record<string, number>,
): Promise<void> {
  const sorted = [...times].sort((a, b) => a - b);
  const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN;
  const status = await readFile(`/proc/${String(node.pid)}/status`, 'utf8');
  const mebibytes = (name: string): number => Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)?.[1] ?? 0) / 1024;
  const failed = times.filter((time) => time === Infinity).length;
  printResult({
    question: 'load',
    way,
    requests: times.length,
    failed,
    p50Ms: at(0.5),
    p99Ms: at(0.99),
    maxMs: sorted[sorted.length - failed - 1] ?? NaN,
    residentMiB: mebibytes('VmRSS'),
    peakMiB: mebibytes('VmHWM'),
    ...more,
  });
}

/** Waits until nearly all of a besieger's connections are open, or no more than there are: slow ones are cut and come again. */
async function opened(state: { readonly open: number }, count: number): Promise<void> {
  const deadline = performance.now() + OPENING_TIMEOUT_MS;
  let most = 0;
  let grownMs = performance.now();
  while (state.open < count * 0.95 && performance.now() < deadline && performance.now() - grownMs < STEADY_MS) {
    if (state.open > most) grownMs = performance.now();
    most = Math.max(most, state.open);
    await sleep(500);
  }
}

async function main(): Promise<void> {
  const [idleCount, slowCount] = [Number(values.idle), Number(values.slow)];
  const directory = await mkdtemp(join(tmpdir(), 'tallac-load-'));
  const node = new GridNode('ours', 'storage', join(directory, 'storage'), await allocatePorts('storage'));
  const besiegers: ReturnType<typeof start>[] = [];
  try {
    await writeNodeDirectory(node, { needed: 1, happy: 1, total: 1 });
    const connections = idleCount + slowCount + SPARE_CONNECTIONS;
    await writeFile(join(node.directory, 'tallac.cfg'), `[limits]\nconnections = ${String(connections)}\n`);
    await node.start();
    const swissnum = parseFurl((await node.read('private/storage.furl')).trim())?.swissnum ?? '';
    const target = { port: node.ports.tub ?? 0, swissnum };
    await report('calm', node, await askHonestly(target, CALM_SECONDS), {});
    const args = ['--port', String(target.port), '--swissnum', swissnum];
    for (const [role, count] of [
      ['idle', idleCount],
      ['slow', slowCount],
    ] as const) {
      const besieger = start(role, args);
      besiegers.push(besieger);
      await opened(besieger.state, count);
    }
    const times = await askHonestly(target, Number(values.seconds));
    const [idle, slow] = besiegers.map(({ state }) => state);
    const counts = { idle: idle?.open ?? 0, idleCut: idle?.cut ?? 0, slow: slow?.open ?? 0, slowCut: slow?.cut ?? 0 };
    await report('siege', node, times, counts);
  } finally {
    for (const { child } of besiegers) child.kill('SIGKILL');
    await node.stop('SIGKILL');
    await rm(directory, { recursive: true, force: true });
  }
}

if (values.role === 'idle') await besiege(Number(values.idle), serveIdle);
else if (values.role === 'slow') await besiege(Number(values.slow), serveSlow);
else await main();
