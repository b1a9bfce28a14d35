/**
 * What a Node HTTPS server can do at best that reads files and does nothing else: the limit in bench/storage-node.ts.
 *
 *     node dist/bench/bare-server.js SIZE
 *
 * Makes a file of SIZE random bytes in a temporary directory, listens on a port of 127.0.0.1 and prints it. A request whose path ends in
 * `/shares` is answered with what the directory lists, any other with the range that it names. Nothing is checked and no
 * secret asked for. Small reads are done at once, large ones on a thread. Ends with its standard input.
 */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, openSync, read, readdirSync, readSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createTlsIdentity } from '#test/fixtures/certificates.js';

/** The largest read that is done at once, in bytes. */
const SMALL_SIZE_MAX = 64 * 1024;

const directory = mkdtempSync(join(tmpdir(), 'tallac-bare-'));
writeFileSync(join(directory, '0'), randomBytes(Number(process.argv[2])));
const file = openSync(join(directory, '0'), 'r');
const { cert, key } = await createTlsIdentity();
const server = createServer({ cert, key }, ({ headers, url = '' }, response) => {
  if (url.endsWith('/shares')) {
    const listed = JSON.stringify(readdirSync(directory));
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': listed.length }).end(listed);
    return;
  }
  const [, begin = 0, last = 0] = (/^bytes=(\d+)-(\d+)$/.exec(headers.range ?? '') ?? []).map(Number);
  const bytes = Buffer.allocUnsafe(last - begin + 1);
  const send = (): void => {
    const type = { 'content-type': 'application/octet-stream', 'content-length': bytes.length };
    response.writeHead(206, type).end(bytes);
  };
  if (bytes.length > SMALL_SIZE_MAX) read(file, bytes, 0, bytes.length, begin, send);
  else {
    readSync(file, bytes, 0, bytes.length, begin);
    send();
  }
});
server.listen(0, '127.0.0.1');
await once(server, 'listening');
console.log(String((server.address() as AddressInfo).port));
process.stdin.resume();
await once(process.stdin, 'end');
rmSync(directory, { recursive: true });
process.exit();
