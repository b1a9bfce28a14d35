/** A directory of many files on two grids, and how it is checked as a whole: part of bench/mutable.ts. */
import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import { randomBytes } from 'node:crypto';
import { request } from 'undici';
import { parseCapability } from '#core/capability/parse.js';
import { checkOfNodes } from '#client/check/check.js';
import { MutableFile } from '#client/mutable/mutable-file.js';
import { deepCheck } from '#client/traversal/deep-check.js';
import { walk } from '#client/traversal/walk.js';
import { openLibraryClient } from '#test/fixtures/library-client.js';
import type { GridNode, ProcessGrid } from '#test/fixtures/process-grid.js';

/** Each has shares: a smaller one would stand in its capability. */
const FILE_SIZE = 100;
const UPLOADS_AT_ONCE = 8;
const PARALLEL = 16;
const POLL_MS = 20;
const encoding = { needed: 3, happy: 7, total: 10 };

/** Uploads files through a gateway. @returns their capabilities. */
export async function uploadFiles(url: string, count: number): Promise<string[]> {
  const capabilities: string[] = [];
  const upload = async (): Promise<void> => {
    for (let i = capabilities.push(''); i <= count; i = capabilities.push('')) {
      const reply = await request(`${url}uri`, { method: 'PUT', body: randomBytes(FILE_SIZE) });
      capabilities[i - 1] = (await reply.body.text()).trim();
    }
  };
  await Promise.all(Array.from({ length: UPLOADS_AT_ONCE }, upload));
  return capabilities.slice(0, count);
}

/** Gives the storage nodes of `to` the shares of those of `from`, one to one: a check asks every server. */
export async function copyShares(from: ProcessGrid, to: ProcessGrid): Promise<void> {
  const sharesOf = ({ directory }: GridNode): string => join(directory, 'storage', 'shares');
  for (const [i, node] of from.storage.entries()) {
    const target = to.storage[i];
    if (target !== undefined) await cp(sharesOf(node), sharesOf(target), { recursive: true, force: false });
  }
}

/** Makes a directory of them. @returns its capability. */
export async function makeDirectoryOf(url: string, capabilities: readonly string[]): Promise<string> {
  const children = Object.fromEntries(
    capabilities.map((cap, i) => [`file ${String(i)}`, ['filenode', { ro_uri: cap }]]),
  );
  const body = JSON.stringify(children);
  const reply = await request(`${url}uri?t=mkdir-with-children`, { method: 'POST', body, headersTimeout: 600_000 });
  return (await reply.body.text()).trim();
}

/** Checks it through the web API. @returns how many objects were checked; undefined where the gateway has no such thing. */
export async function checkThroughGateway(url: string, directory: string): Promise<number | undefined> {
  const handle = randomBytes(8).toString('hex');
  const started = await request(
    `${url}uri/${encodeURIComponent(directory)}?t=start-deep-check&ophandle=${handle}&output=JSON`,
    { method: 'POST' },
  );
  await started.body.dump();
  if (started.statusCode >= 400) return undefined;
  for (;;) {
    const reply = await request(`${url}operations/${handle}?output=JSON`);
    const status = (await reply.body.json()) as Record<string, unknown>;
    if (status.finished === true) return healthy(status['count-objects-checked'], status['count-objects-healthy']);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

/** Checks it through the client library. @returns how many objects were checked. */
export async function checkThroughLibrary(grid: ProcessGrid, directory: string): Promise<number> {
  const client = await openLibraryClient(grid.storage, encoding);
  try {
    for (const server of client.servers) await server.version();
    return await checkAll(client.context, directory);
  } finally {
    await client.close();
  }
}

async function checkAll(
  context: Awaited<ReturnType<typeof openLibraryClient>>['context'],
  directory: string,
): Promise<number> {
  const root = parseCapability(directory);
  if (root.kind === 'unknown') throw new Error('no directory was made');
  const openMutable = (file: ConstructorParameters<typeof MutableFile>[1]) => ({
    read: async () => (await new MutableFile(context, file).read()).bytes,
    modify: () => Promise.reject(new Error('a check changes nothing')),
  });
  const counts = { checked: 0, healthy: 0 };
  const { crypto } = context;
  const steps = deepCheck(walk({ ...context, openMutable }, root), {
    crypto,
    check: checkOfNodes(context, {}),
    parallel: PARALLEL,
  });
  for await (const step of steps) {
    if (step.kind === 'unchecked') throw step.error;
    if (step.kind !== 'checked' || step.report === undefined) continue;
    counts.checked++;
    if (step.report.healthy) counts.healthy++;
  }
  return healthy(counts.checked, counts.healthy);
}

function healthy(checked: unknown, found: unknown): number {
  if (typeof checked !== 'number' || checked !== found)
    throw new Error(`${String(found)} of ${String(checked)} are healthy`);
  return checked;
}
