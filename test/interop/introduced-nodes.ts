/**
 * Nodes of both programs that know nothing of one another but an introducer: how it is started, how nodes are told of
 * it, and when a gateway has found its servers.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tap';
import { allocatePort } from '#node/endpoint.js';
import { allocatePorts, writeNodeDirectory } from '#test/fixtures/grid-node-directory.js';
import type { GridEncoding } from '#test/fixtures/grid-node-directory.js';
import { GridNode, runCommand } from '#test/fixtures/process-grid.js';
import type { Program } from '#test/fixtures/process-grid.js';

const CONNECT_TIMEOUT_MS = 60_000;

/** An endpoint of this machine alone. */
export function endpointOf(port: number): string {
  return `tcp:${String(port)}:interface=127.0.0.1`;
}

/** A directory that is gone when the test is over. */
export async function temporaryGrid(t: Test): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'tallac-introducer-'));
  t.teardown(() => rm(directory, { recursive: true, force: true, maxRetries: 5 }));
  return directory;
}

/** An introducer that runs. */
export async function startIntroducer(t: Test, program: Program, directory: string): Promise<GridNode> {
  const port = await allocatePort();
  const location = ['--port', endpointOf(port), '--location', `tcp:127.0.0.1:${String(port)}`];
  await runCommand(program, ['create-introducer', ...location, directory]);
  const node = new GridNode(program, 'introducer', directory, { tub: port, web: undefined });
  t.teardown(() => node.stop('SIGKILL'));
  await node.start();
  return node;
}

/** What a node is told. */
export interface IntroducedNode {
  readonly program: Program;
  readonly kind: 'storage' | 'gateway';
  readonly directory: string;
  /** Of the introducer: a furl, or a NURL where it is for ours. */
  readonly address: string;
  readonly encoding: GridEncoding;
  readonly forceFoolscap?: boolean;
}

/** A node that knows the introducer by this address alone, and runs. */
export async function startNode(t: Test, told: IntroducedNode): Promise<GridNode> {
  const { address, directory, encoding, forceFoolscap, kind, program } = told;
  const node = new GridNode(program, `${kind} of ${program}`, directory, await allocatePorts(kind));
  await writeNodeDirectory(node, encoding, forceFoolscap);
  await writeFile(join(directory, 'private/introducers.yaml'), `introducers:\n  default:\n    furl: ${address}\n`);
  t.teardown(() => node.stop('SIGKILL'));
  await node.start();
  return node;
}

/** Waits until a gateway is connected to so many servers. @returns what it says of each of its connections. */
export async function connected(gateway: GridNode, count: number): Promise<readonly string[]> {
  const deadline = Date.now() + CONNECT_TIMEOUT_MS;
  for (;;) {
    const reply = await fetch(`${await gateway.url()}?t=json`, { signal: AbortSignal.timeout(10_000) });
    const { servers } = (await reply.json()) as { servers: { connection_status: string }[] };
    const states = servers.map((server) => server.connection_status);
    if (states.filter((state) => /^connected/i.test(state)).length >= count) return states;
    if (Date.now() > deadline) throw new Error(`${gateway.name}: ${JSON.stringify(servers)}; ${gateway.output}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
