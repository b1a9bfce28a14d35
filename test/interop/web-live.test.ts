/** What a gateway sends as it happens: its log, as the reference sends it, and the versions of what somebody else writes. */
import { once } from 'node:events';
import t from 'tap';
import { WebSocket } from 'ws';
import { hasReference, ProcessGrid } from '#test/fixtures/process-grid.js';
import type { GridNode } from '#test/fixtures/process-grid.js';
import { ask, overwrite, pathOf, putMutable } from './gateway-talk.js';

/** Follows the log while something happens. @returns the first line that is told. */
async function logLine(gateway: GridNode, path: string): Promise<Record<string, unknown>> {
  const token = (await gateway.read('private/api_auth_token')).trim();
  const address = (await gateway.url()).replace('http', 'ws');
  const socket = new WebSocket(`${address}${path}`, { headers: { authorization: `tahoe-lafs ${token}` } });
  await once(socket, 'open');
  const message = once(socket, 'message') as Promise<[Buffer, boolean]>;
  await ask(gateway, 'report_incident?details=x', { method: 'POST' });
  const [data, isBinary] = await message;
  socket.terminate();
  if (isBinary) throw new Error('a binary frame');
  return JSON.parse(data.toString()) as Record<string, unknown>;
}

t.test('as it happens', { skip: hasReference ? false : 'no reference', timeout: 120_000 }, async (t) => {
  const grid = await ProcessGrid.start({
    storage: ['ours', 'reference'],
    gateways: ['ours', 'reference'],
    encoding: { needed: 1, happy: 1, total: 2 },
  });
  t.teardown(() => grid.stop());
  const [ours, reference] = [grid.gateway('ours'), grid.gateway('reference')];

  await t.test('the log', async (t) => {
    for (const gateway of [ours, reference]) {
      for (const path of ['private/logs/v1', ...(gateway === ours ? ['/private/logs/v1'] : [])]) {
        const line = await logLine(gateway, path);
        const { task_uuid: task, task_level: level, timestamp } = line;
        const shape = [typeof task, Array.isArray(level), typeof timestamp];
        t.same(shape, ['string', true, 'number'], `${gateway.program} ${path}`);
      }
    }
  });

  await t.test('versions, by whomever', async (t) => {
    const file = await putMutable(reference, Buffer.from('one'), 'sdmf');
    const stop = new AbortController();
    const reply = await fetch(`${await ours.url()}${pathOf(file)}?t=watch`, { signal: stop.signal });
    t.equal(reply.headers.get('content-type'), 'text/event-stream');
    if (reply.body === null) throw new Error('no body');
    let text = '';
    let isWritten = false;
    try {
      for await (const part of reply.body) {
        text += Buffer.from(part).toString();
        if (text.includes('"sequence-number":1') && !isWritten) {
          isWritten = true;
          await overwrite(reference, file, Buffer.from('two'));
        }
        if (text.includes('"sequence-number":2')) break;
      }
    } finally {
      stop.abort();
    }
    t.match(
      text,
      /event: version\nid: 1-[a-z2-7]+\ndata: \{"sequence-number":1,.*\n\nevent: version\nid: 2-[a-z2-7]+\ndata: \{"sequence-number":2,/s,
    );
  });
});
