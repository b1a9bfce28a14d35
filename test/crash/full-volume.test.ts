/** A node whose volume has no byte left: it starts, serves what it has, and takes shares again when there is room. */
import { appendFile } from 'node:fs/promises';
import { Agent, request as httpsRequest } from 'node:https';
import { join } from 'node:path';
import t from 'tap';
import type { Test } from 'tap';
import { allocatePort } from '#node/endpoint.js';
import { parseFurl } from '#node/furl.js';
import {
  dangerouslyFormatAuthorization,
  decodeAllocateReply,
  encodeAllocateRequest,
  storagePath,
} from '#wire/storage.js';
import { seededBytes } from '#test/fixtures/crypto.js';
import { temporaryDirectory } from '#test/fixtures/disk-subject.js';
import { writeNodeDirectory } from '#test/fixtures/grid-node-directory.js';
import { GridNode } from '#test/fixtures/process-grid.js';
import { sendOverSocket } from '#test/fixtures/protocol-subjects.js';
import { otherIndex, sameBytes, sorted, storageIndex } from '#test/fixtures/share-store.js';
import { emptyVolume, fillVolume, mountSmallVolume } from '#test/fixtures/small-volume.js';
import { allocationSecrets, cborType, rightSecrets } from '#test/fixtures/storage-talk.js';
import type { Header, TalkReply } from '#test/fixtures/storage-talk.js';

const VOLUME_MIB = 12;
const share = seededBytes('share', 20_000);

/** A node with its store on a volume. */
class Subject {
  readonly node: GridNode;
  readonly #ports: { readonly tub: number; readonly web: number };
  readonly #agent = new Agent({ keepAlive: false, rejectUnauthorized: false });

  private constructor(node: GridNode, ports: { readonly tub: number; readonly web: number }) {
    this.node = node;
    this.#ports = ports;
  }

  static async make(t: Test, volume: string): Promise<Subject> {
    const ports = { tub: await allocatePort(), web: await allocatePort() };
    const node = new GridNode('ours', 'node', join(await temporaryDirectory(t), 'node'), ports);
    t.teardown(() => node.stop('SIGKILL'));
    await writeNodeDirectory(node, { needed: 1, happy: 1, total: 1 });
    await appendFile(join(node.directory, 'tahoe.cfg'), `storage_dir = ${join(volume, 'store')}\n`);
    return new Subject(node, ports);
  }

  async ready(): Promise<{ readonly status: number; readonly text: string }> {
    const reply = await fetch(`http://127.0.0.1:${String(this.#ports.web)}/readyz`);
    return { status: reply.status, text: await reply.text() };
  }

  async send(method: string, path: string, headers: readonly Header[], body?: Uint8Array): Promise<TalkReply> {
    const swissnum = parseFurl((await this.node.read('private/storage.furl')).trim())?.swissnum ?? '';
    const sent: Header[] = [['Authorization', dangerouslyFormatAuthorization(swissnum)], ...headers];
    return sendOverSocket(this.#agent, this.#ports.tub, { method, path, headers: sent, body }, httpsRequest);
  }

  /** @returns the numbers that may be uploaded. */
  async allocate(index: Uint8Array): Promise<number[]> {
    const body = encodeAllocateRequest({ shareNumbers: new Set([0]), allocatedSize: share.length });
    const headers = [...rightSecrets(allocationSecrets), cborType];
    const reply = await this.send('POST', storagePath.allocate(index), headers, body);
    return reply.status === 200 ? sorted(decodeAllocateReply(reply.body).allocated) : [];
  }

  /** @returns the status. */
  async patch(index: Uint8Array): Promise<number> {
    const range: Header = ['Content-Range', `bytes 0-${String(share.length - 1)}/*`];
    const headers = [...rightSecrets(['upload-secret']), range];
    return (await this.send('PATCH', storagePath.share(index, 0), headers, share)).status;
  }
}

for (const kind of ['tmpfs', 'ext4'] as const) {
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    t.test(`a full ${kind}, after ${signal}`, { timeout: 120_000 }, async (t) => {
      const volume = await mountSmallVolume(t, kind, VOLUME_MIB);
      if (volume === undefined) {
        t.notOk(process.env['CI'], 'where tests count, volumes can be mounted');
        return;
      }
      const subject = await Subject.make(t, volume);
      await subject.node.start();
      t.strictSame(await subject.allocate(storageIndex), [0]);
      t.equal(await subject.patch(storageIndex), 201);
      t.same(await subject.ready(), { status: 200, text: 'ok\n' });
      await subject.node.stop(signal);

      fillVolume(volume);
      await subject.node.start();
      t.match(subject.node.output, /storage\.volume-full/, 'the log says so');
      const { status, text } = await subject.ready();
      t.equal(status, 200);
      t.match(text, /^ok\nthe share store: it has no room for new shares/);
      sameBytes(t, (await subject.send('GET', storagePath.share(storageIndex, 0), [])).body, share);
      t.strictSame(await subject.allocate(otherIndex), [], 'nothing new');

      emptyVolume(volume);
      t.strictSame(await subject.allocate(otherIndex), [0], 'there is room again');
      t.equal(await subject.patch(otherIndex), 201);
      sameBytes(t, (await subject.send('GET', storagePath.share(otherIndex, 0), [])).body, share);
      t.same(await subject.ready(), { status: 200, text: 'ok\n' });
    });
  }
}
