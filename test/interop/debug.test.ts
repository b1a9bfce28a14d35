/**
 * The debug commands of both programs side by side, on the storage directory of a node of the reference with shares of
 * every kind, large ones among them, and on the capabilities of all of them.
 */
import { execFile } from 'node:child_process';
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import t from 'tap';
import { seededBytes } from '#test/fixtures/crypto.js';
import { ProcessGrid, commandOf, hasReference } from '#test/fixtures/process-grid.js';
import type { GridNode, Program } from '#test/fixtures/process-grid.js';
import { ask } from './gateway-talk.js';

const run = promisify(execFile);
const SIZES = [0, 100, 300_000];

interface Outcome {
  readonly status: number;
  readonly stdout: string;
}

/** Runs one debug command. The seconds that a lease has left are not the same twice. */
async function debug(program: Program, words: readonly string[]): Promise<Outcome> {
  const [file, args] = commandOf(program, ['debug', ...words]);
  const env = { ...process.env, NODE_OPTIONS: '' };
  const outcome = await run(file, args, { env }).then(
    ({ stdout }) => ({ status: 0, stdout }),
    (error: unknown) => {
      const { code, stdout } = error as { readonly code: number; readonly stdout: string };
      return { status: code, stdout };
    },
  );
  const stdout = outcome.stdout.replaceAll(/(expires? in )[0-9]+s/g, '$1…').replaceAll(/ [0-9]+( '\/)/g, ' …$1');
  return { ...outcome, stdout };
}

/** Makes files and directories of every kind. @returns their capabilities. */
async function fill(gateway: GridNode): Promise<string[]> {
  const text = async (path: string, method: 'PUT' | 'POST', body: Uint8Array = new Uint8Array()): Promise<string> =>
    (await ask(gateway, path, { method, body })).body.toString().trim();
  const capabilities: string[] = [];
  for (const format of ['CHK', 'SDMF', 'MDMF']) {
    for (const size of SIZES) {
      capabilities.push(await text(`uri?format=${format}`, 'PUT', seededBytes(`${format} ${String(size)}`, size)));
    }
  }
  for (const format of ['SDMF', 'MDMF']) capabilities.push(await text(`uri?t=mkdir&format=${format}`, 'POST'));
  const child = { entry: ['filenode', { ro_uri: capabilities[1] }] };
  capabilities.push(await text('uri?t=mkdir-immutable', 'POST', Buffer.from(JSON.stringify(child))));
  return capabilities;
}

t.test('debug commands', { skip: hasReference ? false : 'no reference', timeout: 300_000 }, async (t) => {
  const grid = await ProcessGrid.start({
    storage: ['reference'],
    gateways: ['reference'],
    encoding: { needed: 2, happy: 1, total: 11 },
  });
  t.teardown(() => grid.stop());
  const [gateway, node] = [grid.gateway('reference'), grid.storage[0]];
  if (node === undefined) throw new Error('the grid has no storage node');
  const capabilities = await fill(gateway);
  const both = async (words: readonly string[]): Promise<string> => {
    const [theirs, ours] = await Promise.all([debug('reference', words), debug('ours', words)]);
    t.strictSame(ours, theirs, words.join(' '));
    return ours.stdout;
  };

  const nodeId = (await readFile(join(node.directory, 'my_nodeid'), 'utf8')).trim();
  for (const capability of capabilities) {
    await both(['dump-cap', '-n', nodeId, '-d', gateway.directory, capability]);
    const [, storageIndex] = / storage index: ([a-z2-7]+)\n/.exec(await both(['dump-cap', capability])) ?? [];
    if (storageIndex === undefined) continue;
    const [first, ...others] = (await both(['find-shares', storageIndex, node.directory])).trimEnd().split('\n');
    t.equal(others.length, 10);
    for (const path of [first, others.at(-1)]) await both(['dump-share', '--offsets', path ?? '']);
  }
  const catalog = await both(['catalog-shares', node.directory, gateway.directory]);
  t.equal(catalog.trimEnd().split('\n').length, 11 * (capabilities.length - 1), 'all but the literal have shares');

  for (const words of [['dump-share'], ['dump-share', '/absent'], ['find-shares', '!'], ['catalog-shares'], []]) {
    const [theirs, ours] = await Promise.all([debug('reference', words), debug('ours', words)]);
    t.equal(ours.status, theirs.status, `the status of a wrong command line: ${words.join(' ')}`);
  }
  t.ok((await readdir(join(node.directory, 'storage/shares'))).length > 1);
});
