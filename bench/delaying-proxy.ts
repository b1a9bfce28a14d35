/**
 * A process between gateways and storage nodes that makes the way longer: part of bench/distance.ts.
 *
 *     node dist/bench/delaying-proxy.js PORT…
 *
 * Listens on a port of its own for each given port of 127.0.0.1 and passes on every connection's bytes, in their order, each
 * half a round trip after it came; the first wait for one more, as a connection has to be made. It costs no bandwidth: what is on its way may be as much
 * as WINDOW_SIZE a connection and direction. A lossy way cuts connections, with the given chance for each MiB that they carry.
 *
 * Prints `{"ports":[…]}`. A line `{"roundTripMs":…,"lossPercent":…}` on standard input ends all connections and makes
 * the way such; answered by what became of connections before, `{"made":…,"cut":…}`. Ends with its standard input.
 */
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { performance } from 'node:perf_hooks';
import { createInterface } from 'node:readline';

/** So much may be on its way, in bytes: more than a round trip of 300 ms takes at the speed of this machine. */
const WINDOW_SIZE = 256 << 20;
const MEBIBYTE = 1 << 20;
const CHANCES = 1_000_000;

/** How the way is. */
interface Way {
  readonly roundTripMs: number;
  readonly lossPercent: number;
}

let way: Way = { roundTripMs: 0, lossPercent: 0 };
const open = new Set<Socket>();
let [made, cut] = [0, 0];

/** What is on its way in one direction; `bytes` are missing at the end. */
interface Passing {
  readonly dueMs: number;
  readonly bytes: Buffer | undefined;
}

/** Passes on what `from` says. @param readyMs - nothing that came earlier leaves before. */
function carry(from: Socket, to: Socket, readyMs: number, carried: (size: number) => void): void {
  const queue: Passing[] = [];
  let onTheWay = 0;
  let isWaiting = false;
  const deliver = (): void => {
    isWaiting = false;
    const now = performance.now();
    for (let first = queue[0]; first !== undefined && first.dueMs <= now; first = queue[0]) {
      queue.shift();
      const { bytes } = first;
      if (bytes === undefined) to.end();
      else to.write(bytes, () => left(bytes.length));
    }
    wait();
  };
  const left = (size: number): void => {
    onTheWay -= size;
    if (onTheWay < WINDOW_SIZE) from.resume();
  };
  const wait = (): void => {
    const [first] = queue;
    if (isWaiting || first === undefined) return;
    isWaiting = true;
    setTimeout(deliver, Math.max(0, Math.ceil(first.dueMs - performance.now())));
  };
  const enter = (bytes: Buffer | undefined): void => {
    queue.push({ dueMs: Math.max(performance.now(), readyMs) + way.roundTripMs / 2, bytes });
    if (way.roundTripMs === 0 && queue.length === 1) deliver();
    else wait();
  };
  from.on('data', (bytes: Buffer) => {
    onTheWay += bytes.length;
    if (onTheWay >= WINDOW_SIZE) from.pause();
    carried(bytes.length);
    enter(bytes);
  });
  from.on('end', () => {
    enter(undefined);
  });
}

/** Joins an accepted connection to one of its own. */
function join(near: Socket, port: number): void {
  const far = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  made += 1;
  const end = (): void => {
    near.destroy();
    far.destroy();
  };
  for (const socket of [near, far]) {
    open.add(socket);
    socket.setNoDelay(true);
    socket.on('error', end);
    socket.on('close', () => {
      open.delete(socket);
      if (socket.errored !== null) end();
    });
  }
  let sinceChance = 0;
  const carried = (size: number): void => {
    sinceChance += size;
    for (; sinceChance >= MEBIBYTE; sinceChance -= MEBIBYTE) {
      if (near.destroyed || randomInt(CHANCES) >= (way.lossPercent / 100) * CHANCES) continue;
      cut += 1;
      near.resetAndDestroy();
      far.resetAndDestroy();
    }
  };
  const readyMs = performance.now() + way.roundTripMs;
  carry(near, far, readyMs, carried);
  carry(far, near, readyMs, carried);
}

async function listen(port: number): Promise<number> {
  const server = createServer({ allowHalfOpen: true }, (near) => {
    join(near, port);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

const ports = await Promise.all(process.argv.slice(2).map((port) => listen(Number(port))));
console.log(JSON.stringify({ ports }));
for await (const line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify({ made, cut }));
  [made, cut] = [0, 0];
  way = JSON.parse(line) as Way;
  for (const socket of open) socket.destroy();
}
process.exit();
