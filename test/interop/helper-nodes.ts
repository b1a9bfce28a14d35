/**
 * Nodes for tests of helpers, beside a grid of processes: a helper, and a gateway that uploads through it, each of either program
 * and with the servers of the grid.
 */
import { copyFile, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { allocatePort } from '#node/endpoint.js';
import { seededBytes } from '#test/fixtures/crypto.js';
import { allocatePorts, writeConvergenceSecret, writeNodeDirectory } from '#test/fixtures/grid-node-directory.js';
import type { GridEncoding } from '#test/fixtures/grid-node-directory.js';
import { GridNode } from '#test/fixtures/process-grid.js';
import type { ProcessGrid, Program } from '#test/fixtures/process-grid.js';
import { putFile } from './gateway-talk.js';

const CONNECT_TIMEOUT_MS = 60_000;

/** What a helper counts. */
export type HelperFigures = Readonly<Record<string, number>>;

/** What the nodes are made with. */
export interface HelperPlan {
  readonly grid: ProcessGrid;
  readonly encoding: GridEncoding;
  /** 32 bytes. */
  readonly convergenceSecret: Uint8Array;
}

/** A helper that runs. It has a web port, for its figures. */
export async function startHelper({ encoding, grid }: HelperPlan, program: Program): Promise<GridNode> {
  const name = `helper-${program}`;
  const ports = { tub: await allocatePort(), web: await allocatePort() };
  const node = new GridNode(program, name, join(grid.directory, name), ports);
  await writeNodeDirectory(node, encoding);
  await change(node, (text) => `${text}\n[helper]\nenabled = true\n`);
  await knowServers(grid, node);
  await node.start();
  await grid.connected(node);
  return node;
}

/** A gateway that uses the helper, and runs. Over HTTPS it is one of ours. */
export async function startHelped(
  { convergenceSecret, encoding, grid }: HelperPlan,
  program: Program,
  helper: GridNode,
  way: 'foolscap' | 'https' = 'foolscap',
): Promise<GridNode> {
  const name = `client-${program}-of-${helper.name}-${way}`;
  const node = new GridNode(program, name, join(grid.directory, name), await allocatePorts('gateway'));
  await writeNodeDirectory(node, encoding);
  if (way === 'https') {
    const nurl = (await helper.read('private/helper.nurl')).trim();
    await writeFile(join(node.directory, 'tallac.cfg'), `[client]\nhelper_nurl = ${nurl}\n`, { mode: 0o600 });
  } else {
    const furl = (await helper.read('private/helper.furl')).trim();
    await change(node, (text) => text.replace('[client]\n', `[client]\nhelper.furl = ${furl}\n`));
  }
  await writeConvergenceSecret(node.directory, convergenceSecret);
  await knowServers(grid, node);
  await node.start();
  await grid.connected(node);
  await throughHelper(node, helper);
  return node;
}

/** The figures of a helper, by their names without what all begin with. */
export async function figuresOf(helper: GridNode): Promise<HelperFigures> {
  const reply = await fetch(`${await helper.url()}helper_status?t=json`, { signal: AbortSignal.timeout(10_000) });
  const figures = (await reply.json()) as Record<string, number>;
  return Object.fromEntries(
    Object.entries(figures).map(([key, value]) => [key.replace('chk_upload_helper.', ''), value]),
  );
}

/** The reference uploads by itself until it has met its helper. */
async function throughHelper(client: GridNode, helper: GridNode): Promise<void> {
  const { upload_requests: before } = await figuresOf(helper);
  const deadline = Date.now() + CONNECT_TIMEOUT_MS;
  for (let i = 0; (await figuresOf(helper))['upload_requests'] === before; i++) {
    if (Date.now() > deadline) throw new Error(`${client.name} does not use its helper: ${client.output}`);
    await putFile(client, seededBytes(`${client.name} ${String(i)}`, 100));
  }
}

async function change(node: GridNode, edit: (text: string) => string): Promise<void> {
  const path = join(node.directory, 'tahoe.cfg');
  await writeFile(path, edit(await readFile(path, 'utf8')));
}

async function knowServers(grid: ProcessGrid, node: GridNode): Promise<void> {
  const [gateway] = grid.gateways;
  if (gateway === undefined) throw new Error('a gateway knows the servers');
  await copyFile(join(gateway.directory, 'private/servers.yaml'), join(node.directory, 'private/servers.yaml'));
}
