/**
 * How many files a second the disk itself takes that are made, written, synced, renamed, and their directory synced: the limit
 * of durable writes in bench/storage-node.ts.
 *
 *     node dist/bench/synced-files.js SIZE COUNT AT_ONCE
 *
 * In the temporary directory, a folder for each of those who write at once. Prints files a second.
 */
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, open, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';

const [size = 0, count = 0, atOnce = 1] = process.argv.slice(2).map(Number);
const bytes = randomBytes(size);
const directory = await mkdtemp(join(tmpdir(), 'tallac-synced-'));
let left = count;

async function write(folder: string): Promise<void> {
  await mkdir(folder);
  const entries = await open(folder, 'r');
  while (left-- > 0) {
    const file = await open(join(folder, 'new'), 'wx');
    await file.writev([bytes], 0);
    await file.datasync();
    await file.close();
    await rename(join(folder, 'new'), join(folder, String(left)));
    await entries.sync();
  }
  await entries.close();
}

try {
  const start = performance.now();
  await Promise.all(Array.from({ length: atOnce }, (_, i) => write(join(directory, String(i)))));
  console.log(String((count * 1000) / (performance.now() - start)));
} finally {
  await rm(directory, { recursive: true });
}
