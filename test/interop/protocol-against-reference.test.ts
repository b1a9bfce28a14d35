/**
 * The protocol suite against the reference's own storage server: what we hold our server to is what the reference does,
 * but for the cases that say otherwise. Every test gets a node of its own.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { Agent, request as httpsRequest } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import type { Test } from 'tap';
import { storageProtocolSuite } from '#test/conformance/storage-protocol.js';
import { allocatePorts, readAnnouncement, writeNodeDirectory } from '#test/fixtures/grid-node-directory.js';
import { GridNode, hasReference } from '#test/fixtures/process-grid.js';
import { digestOf } from '#test/fixtures/protocol-subjects.js';
import type { ProtocolSubject, TalkReply, TalkRequest } from '#test/fixtures/storage-talk.js';

const REQUEST_TIMEOUT_MS = 30_000;

if (hasReference) storageProtocolSuite(makeReferenceSubject);
else t.test('the protocol', { skip: 'no reference' }, async () => undefined);

async function makeReferenceSubject(t: Test): Promise<ProtocolSubject> {
  const directory = await mkdtemp(join(tmpdir(), 'tallac-protocol-'));
  const node = new GridNode('reference', 'subject', join(directory, 'node'), await allocatePorts('storage'));
  const agent = new Agent({ keepAlive: true, rejectUnauthorized: false });
  t.teardown(async () => {
    agent.destroy();
    await node.stop('SIGKILL');
    await rm(directory, { recursive: true, force: true });
  });
  await writeNodeDirectory(node, { needed: 1, happy: 1, total: 1 });
  await node.start();
  const [nurl] = (await readAnnouncement(node)).nurls;
  if (nurl === undefined) throw new Error('the node has no address');
  return {
    swissnum: nurl.dangerousSwissnum(),
    isReference: true,
    request: (request) => send(agent, nurl.port, request),
    snapshot: () => digestOf(join(node.directory, 'storage/shares')),
  };
}

/** One request over TLS. Whose certificate it is, is no matter here. */
function send(agent: Agent, port: number, { body, headers, method, path }: TalkRequest): Promise<TalkReply> {
  const sent = [...headers.flat(), 'Host', 'localhost', 'Content-Length', String(body?.length ?? 0)];
  const signal = AbortSignal.timeout(REQUEST_TIMEOUT_MS);
  return new Promise((resolve, reject) => {
    const outgoing = httpsRequest(
      { agent, host: '127.0.0.1', port, method, path, headers: sent, signal },
      (response) => {
        const pieces: Buffer[] = [];
        response.on('data', (piece: Buffer) => pieces.push(piece));
        response.on('error', reject);
        response.on('end', () => {
          const headers = response.headers as TalkReply['headers'];
          resolve({ status: response.statusCode ?? 0, headers, body: new Uint8Array(Buffer.concat(pieces)) });
        });
      },
    );
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}
