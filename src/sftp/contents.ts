/** Opens what a file holds: to be read piece by piece, or as one stream. */
import type { Child } from '#core/directory/child.js';
import { FileReader, literalContents } from './file-reader.js';
import type { OpenContents } from './file-reader.js';
import type { SftpServices } from './services.js';
import { refusal } from './status.js';

/** The contents of a file. The caller closes them. @throws ERR_SFTP for what is no file, and what opening it throws. */
export async function openContents(services: SftpServices, child: Child, signal: AbortSignal): Promise<OpenContents> {
  switch (child.kind) {
    case 'lit':
      return literalContents(child.data);
    case 'chk':
      return new FileReader(await services.openFile(child, signal), child.size);
    case 'ssk':
    case 'ssk-ro': {
      const version = await (await services.openMutable(child, signal)).openVersion({ signal });
      return new FileReader(version, version.size);
    }
    case 'directory':
      throw refusal('permissionDenied', 'this is a directory, and cannot be opened as if it were a file');
    case 'unknown':
    case 'chk-verify':
    case 'ssk-verify':
      throw refusal(
        'permissionDenied',
        'its capability is of no kind that can be read here; a later release may know it',
      );
  }
}

/** A file from its beginning to its end. @throws as `openContents`, and what reading it throws. */
export async function* streamContents(
  services: SftpServices,
  child: Child,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  if (child.kind === 'lit') yield child.data;
  if (child.kind === 'chk') {
    const file = await services.openFile(child, signal);
    try {
      yield* file.read({ begin: 0, end: child.size }, signal);
    } finally {
      file.close();
    }
  }
  if (child.kind === 'ssk' || child.kind === 'ssk-ro') {
    const version = await (await services.openMutable(child, signal)).openVersion({ signal });
    yield* version.read({ begin: 0, end: version.size }, signal);
  }
}
