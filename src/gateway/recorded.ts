/** The services of a gateway with a history of what is transferred by them. */
import { storageIndexOf } from '#core/capability/attenuate.js';
import type { ByteRange } from '#wire/storage.js';
import type { History, TransferKind } from './history.js';
import type { GatewayServices, OpenedFile, OpenedMutable, StoreServices } from './services.js';

/** The same services, recorded. */
export function recorded<Services extends GatewayServices>(services: Services, history: History): Services {
  const { crypto } = services;
  const changed: Partial<StoreServices> = {
    upload: (input, signal) =>
      history.during('upload', {}, async (transfer) => {
        const result = await services.upload(
          counted(input, (size) => (transfer.movedBytes += size)),
          signal,
        );
        transfer.sizeBytes = result.sizeBytes;
        transfer.storageIndex = storageIndexOf(crypto, result.capability);
        return result;
      }),
    openFile: async (capability, signal) => {
      const file = await services.openFile(capability, signal);
      const known = { storageIndex: storageIndexOf(crypto, capability) };
      return { ...reading(history, 'download', known, file), close: () => file.close() };
    },
    openMutable: async (capability, signal) => {
      const file = await services.openMutable(capability, signal);
      return mutable(history, storageIndexOf(crypto, capability), file);
    },
    createMutable: (contents, options) =>
      history.during('publish', { sizeBytes: contents.length }, async (transfer) => {
        const file = await services.createMutable(contents, options);
        transfer.storageIndex = storageIndexOf(crypto, file.capability);
        transfer.movedBytes = contents.length;
        return file;
      }),
  };
  return { ...services, ...changed };
}

function mutable(history: History, storageIndex: Uint8Array | undefined, file: OpenedMutable): OpenedMutable {
  const publish = <Result>(bytes: Uint8Array, action: () => Promise<Result>): Promise<Result> =>
    history.during('publish', { storageIndex, sizeBytes: bytes.length }, async (transfer) => {
      const result = await action();
      transfer.movedBytes = bytes.length;
      return result;
    });
  return {
    capability: file.capability,
    overwrite: (contents, options) => publish(contents, () => file.overwrite(contents, options)),
    update: (offset, bytes, options) => publish(bytes, () => file.update(offset, bytes, options)),
    openVersion: async (options) => {
      const version = await file.openVersion(options);
      return { size: version.size, ...reading(history, 'retrieve', { storageIndex }, version) };
    },
  };
}

function reading(
  history: History,
  kind: TransferKind,
  known: { readonly storageIndex: Uint8Array | undefined },
  source: Pick<OpenedFile, 'read'>,
): Pick<OpenedFile, 'read'> {
  return {
    async *read(range: ByteRange, signal: AbortSignal) {
      const transfer = history.begin(kind, { ...known, sizeBytes: range.end - range.begin });
      try {
        yield* counted(source.read(range, signal), (size) => (transfer.movedBytes += size));
        history.end(transfer);
      } catch (error) {
        history.end(transfer, error);
        throw error;
      } finally {
        // The reader may have gone away.
        history.end(transfer, new Error('nobody reads it any more'));
      }
    },
  };
}

async function* counted(
  source: AsyncIterable<Uint8Array>,
  count: (size: number) => void,
): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const bytes of source) {
    count(bytes.length);
    yield bytes;
  }
}
