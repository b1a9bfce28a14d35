/** The layers of docs/architecture.md: who may import whom, and who may touch the outside world. */
import t from 'tap';
import { posix } from 'node:path';
import { importsOf, productSources } from './sources.js';

const layers = ['core', 'wire', 'client', 'gateway', 'sftp', 'node', 'cli', 'storage', 'introducer'] as const;
type Layer = (typeof layers)[number];

const mayImport: Readonly<Record<Layer, readonly Layer[]>> = {
  core: ['core'],
  wire: ['core', 'wire'],
  client: ['core', 'wire', 'client'],
  storage: ['core', 'wire', 'storage'],
  introducer: ['core', 'wire', 'introducer'],
  gateway: ['core', 'wire', 'client', 'gateway'],
  sftp: ['core', 'wire', 'client', 'sftp'],
  node: ['core', 'wire', 'client', 'storage', 'introducer', 'gateway', 'sftp', 'node'],
  cli: ['core', 'wire', 'node', 'cli'],
};

/** The modules of Node that a layer may use, and the few files that may use more. */
const pureModules = ['node:events', 'node:stream', 'node:util', 'node:path'];
const outsideWorld: Readonly<Record<string, readonly string[]>> = {
  'src/core/native-bulk-crypto.ts': ['node:crypto'],
  'src/core/native-crypto.ts': ['node:crypto'],
  'src/core/native-rsa.ts': ['node:crypto'],
  'src/client/pinned-connector.ts': ['node:crypto', 'node:net', 'node:tls'],
  'src/client/https-storage-server.ts': ['node:crypto'],
  'src/client/undici.ts': ['node:v8'],
  'storage/app.ts': ['node:http'],
  'storage/secure-server.ts': ['node:http2', 'node:https'],
  'storage/routes.ts': ['node:net'],
  'storage/disk-files.ts': ['node:fs', 'node:fs/promises'],
  'storage/disk-uploads.ts': ['node:fs/promises'],
  'storage/upload-record.ts': ['node:zlib'],
  'storage/disk-store.ts': ['node:fs', 'node:fs/promises'],
  'storage/node-file-system.ts': ['node:fs', 'node:fs/promises'],
  'storage/share-commit.ts': ['node:fs/promises'],
  'storage/journal-record.ts': ['node:zlib'],
  'storage/index/expired-shares.ts': ['node:fs/promises'],
  'storage/index/index-table.ts': ['node:fs/promises'],
  'storage/index/own-files.ts': ['node:fs/promises'],
  'storage/index/file-look.ts': ['node:fs'],
  'storage/index/look-worker.ts': ['node:worker_threads'],
  'storage/index/looking-thread.ts': ['node:worker_threads'],
  'storage/index/share-inventory.ts': ['node:fs/promises'],
};
const unrestricted: readonly Layer[] = ['node', 'cli'];

function layerOf(path: string): Layer | undefined {
  const name = path.replace(/^src\//, '').split('/')[0];
  return layers.find((layer) => layer === name);
}

function targetOf(path: string, specifier: string): Layer | undefined {
  if (specifier.startsWith('#')) return layers.find((layer) => specifier.startsWith(`#${layer}/`));
  return specifier.startsWith('.') ? layerOf(posix.join(posix.dirname(path), specifier)) : undefined;
}

t.test('a layer imports only what lies below it', async (t) => {
  for (const source of productSources) {
    const layer = layerOf(source.path);
    t.ok(layer, `${source.path} stands in a layer`);
    for (const specifier of importsOf(source)) {
      const target = targetOf(source.path, specifier);
      if (target === undefined || layer === undefined) continue;
      t.ok(mayImport[layer].includes(target), `${source.path} may import ${specifier}`);
      t.equal(specifier.startsWith('#'), target !== layer, `${source.path}: ${specifier} shows its layer`);
    }
  }
});

t.test('sockets, disks and processes stay in the files that are named for them', async (t) => {
  for (const source of productSources) {
    const layer = layerOf(source.path);
    if (layer === undefined || unrestricted.includes(layer)) continue;
    for (const specifier of importsOf(source).filter((name) => name.startsWith('node:'))) {
      const allowed = pureModules.includes(specifier) || outsideWorld[source.path]?.includes(specifier) === true;
      t.ok(allowed || isTypeOnly(source.text, specifier), `${source.path} may use ${specifier}`);
    }
  }
});

function isTypeOnly(text: string, specifier: string): boolean {
  const lines = text.split('\n').filter((line) => line.includes(`'${specifier}'`));
  return (
    lines.every((line) => /^(import type|\} from)/.test(line) && !/^import \{/.test(line)) &&
    !lines.some((line) => line.startsWith('} from'))
  );
}

t.test('clock, chance and environment are passed in everywhere but in node/ and cli/', async (t) => {
  for (const source of productSources) {
    const layer = layerOf(source.path);
    if (layer === undefined || unrestricted.includes(layer)) continue;
    t.notMatch(source.text, /\b(Date\.now\(|Math\.random\(|process\.env\b)/, source.path);
  }
});
