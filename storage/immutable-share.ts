/** An immutable share in its container, opened for reading. */
import { TahoeError } from '#core/errors.js';
import { CONTAINER_HEADER_SIZE } from './container.js';
import type { ContainerShape } from './container.js';
import type { ShareFile } from './share-files.js';
import type { OpenShare } from './share-store.js';

/** The data of the container in `file`; closing it closes the file. */
export function toOpenShare(file: ShareFile, shape: ContainerShape): OpenShare {
  return {
    size: shape.dataSize,
    async read(offset, size, room) {
      const wanted = Math.max(0, Math.min(size, shape.dataSize - offset));
      const bytes = await file.read(CONTAINER_HEADER_SIZE + offset, wanted, room);
      if (bytes.length < wanted) throw new TahoeError('ERR_CONTAINER', { reason: 'it became shorter' });
      return bytes;
    },
    readNow: (offset, size) =>
      offset + size <= shape.dataSize ? file.readNow?.(CONTAINER_HEADER_SIZE + offset, size) : undefined,
    close: () => file.close(),
  };
}
