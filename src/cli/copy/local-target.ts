/** Writes copies to this machine. Each file appears under its name when all of it is there. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { localFileError } from '../local-file.js';
import { openFileTarget } from '../file-target.js';
import { allEnded } from '../parallel.js';
import type { Lanes } from '../parallel.js';
import type { PlannedDirectory } from './plan.js';
import type { SourceFile } from './source.js';

/** What a copy is done with. */
export interface CopyWork {
  readonly lanes: Lanes;
  /** Called once for each file that is there. */
  readonly done: () => void;
}

/** Writes one file. @param path - absolute. @throws ERR_FILE, ERR_NO_SPACE; what its source throws. */
export async function writeLocalFile(path: string, source: SourceFile): Promise<void> {
  const target = await openFileTarget(path);
  try {
    const open = await source.open();
    try {
      for await (const piece of open.read()) await target.write(piece);
    } finally {
      await open.close();
    }
    await target.finish();
  } finally {
    await target.discard();
  }
}

/** Writes a directory and all below it; what is there already stays. @throws as writeLocalFile does. */
export async function writeLocalTree(path: string, planned: PlannedDirectory, work: CopyWork): Promise<void> {
  await mkdir(path, { recursive: true }).catch((error: unknown) => {
    throw localFileError(path, error);
  });
  const files = [...planned.files].map(([name, source]) =>
    work.lanes.run(async () => {
      await writeLocalFile(join(path, name), source);
      work.done();
    }),
  );
  const below = [...planned.directories].map(([name, directory]) => writeLocalTree(join(path, name), directory, work));
  await allEnded([...files, ...below]);
}
