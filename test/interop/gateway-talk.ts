/** Talking to a gateway of either program as its clients do. */
import { request } from 'undici';
import type { GridNode } from '#test/fixtures/process-grid.js';

const REQUEST_TIMEOUT_MS = 60_000;

/** A gateway's answer, whole. */
export interface GatewayReply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: Buffer;
}

/** Sends one request; `path` is what follows the gateway's address, without a slash. */
export async function ask(
  gateway: GridNode,
  path: string,
  options: {
    readonly method?: 'GET' | 'HEAD' | 'POST' | 'PUT';
    readonly headers?: Record<string, string>;
    readonly body?: Uint8Array;
  } = {},
): Promise<GatewayReply> {
  const { method = 'GET', headers = {}, body } = options;
  const signal = AbortSignal.timeout(REQUEST_TIMEOUT_MS);
  const reply = await request(`${await gateway.url()}${path}`, { method, headers, body: body ?? null, signal });
  return {
    status: reply.statusCode,
    headers: reply.headers as GatewayReply['headers'],
    body: Buffer.from(await reply.body.arrayBuffer()),
  };
}

/** Where a file is read: after the gateway's address. */
export function pathOf(capability: string): string {
  return `uri/${encodeURIComponent(capability)}`;
}

/** Stores a file. @returns its capability. */
export async function putFile(gateway: GridNode, content: Uint8Array): Promise<string> {
  const { body, status } = await ask(gateway, 'uri', { method: 'PUT', body: content });
  if (status !== 200 && status !== 201) throw new Error(`PUT to ${gateway.name}: ${String(status)} ${reason(body)}`);
  return body.toString().trim();
}

/** Reads a file. */
export async function getFile(gateway: GridNode, capability: string): Promise<Buffer> {
  const { body, status } = await ask(gateway, pathOf(capability));
  if (status !== 200) throw new Error(`GET from ${gateway.name}: ${String(status)} ${reason(body)}`);
  return body;
}

/** Has the reference read every share of a file whole and check it. @returns whether all are there and good. */
export async function isHealthy(gateway: GridNode, capability: string): Promise<boolean> {
  const reply = await ask(gateway, `${pathOf(capability)}?t=check&verify=true&output=JSON`, { method: 'POST' });
  const { results } = JSON.parse(reply.body.toString()) as { results?: { healthy?: boolean } };
  return results?.healthy === true;
}

/** Has a gateway renew its leases on a file that is stored: ours by storing it again, the reference on demand. */
export async function renewLeases(gateway: GridNode, capability: string, content: Uint8Array): Promise<void> {
  if (gateway.program === 'ours') {
    const again = await putFile(gateway, content);
    if (again !== capability) throw new Error('the same file has another capability');
    return;
  }
  const reply = await ask(gateway, `${pathOf(capability)}?t=check&add-lease=true&output=JSON`, { method: 'POST' });
  if (reply.status !== 200) throw new Error(`add-lease: ${String(reply.status)} ${reason(reply.body)}`);
}

/** Makes a mutable file, with a given RSA key if any (PKCS#8, DER). @returns its write capability. */
export async function putMutable(
  gateway: GridNode,
  content: Uint8Array,
  format: 'sdmf' | 'mdmf',
  privateKey?: Buffer,
): Promise<string> {
  const key = privateKey === undefined ? '' : `&private-key=${encodeURIComponent(toUrlSafe(privateKey))}`;
  return expectText(ask(gateway, `uri?format=${format}${key}`, { method: 'PUT', body: content }), 'making a file');
}

/** Base64 with its padding, in the alphabet for addresses. */
function toUrlSafe(bytes: Buffer): string {
  return bytes.toString('base64').replaceAll('+', '-').replaceAll('/', '_');
}

/** Writes over a mutable file, all of it or from `offset` on. */
export async function overwrite(
  gateway: GridNode,
  capability: string,
  content: Uint8Array,
  offset?: number,
): Promise<void> {
  const query = offset === undefined ? '' : `?offset=${String(offset)}`;
  await expectText(ask(gateway, `${pathOf(capability)}${query}`, { method: 'PUT', body: content }), 'writing');
}

/** Makes a directory. @returns its write capability. */
export async function makeDirectory(gateway: GridNode, format: 'sdmf' | 'mdmf'): Promise<string> {
  return expectText(ask(gateway, `uri?t=mkdir&format=${format}`, { method: 'POST' }), 'making a directory');
}

/** Puts a file into a directory. */
export async function putChild(
  gateway: GridNode,
  directory: string,
  name: string,
  content: Uint8Array,
): Promise<string> {
  const path = `${pathOf(directory)}/${encodeURIComponent(name)}`;
  return expectText(ask(gateway, path, { method: 'PUT', body: content }), 'adding to a directory');
}

/** The names in a directory. */
export async function namesIn(gateway: GridNode, directory: string): Promise<string[]> {
  const text = await expectText(ask(gateway, `${pathOf(directory)}?t=json`), 'listing a directory');
  const [, { children }] = JSON.parse(text) as [string, { children: Record<string, unknown> }];
  return Object.keys(children).sort();
}

/** Has the gateway add or renew its lease on every share of what is named. */
export async function addLease(gateway: GridNode, capability: string): Promise<void> {
  const path = `${pathOf(capability)}?t=check&add-lease=true&output=JSON`;
  await expectText(ask(gateway, path, { method: 'POST' }), 'adding a lease');
}

async function expectText(asking: Promise<GatewayReply>, what: string): Promise<string> {
  const { body, status } = await asking;
  if (status !== 200 && status !== 201) throw new Error(`${what}: ${String(status)} ${reason(body)}`);
  return body.toString().trim();
}

function reason(body: Buffer): string {
  return body.toString().slice(0, 500);
}
