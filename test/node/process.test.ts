/**
 * What a process lends to the pure layers: its clock, its log, its ports.
 */
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { Server } from 'node:net';
import fc from 'fast-check';
import t from 'tap';
import { formatBase32 } from '#core/base32.js';
import { parseEndpoint } from '#node/config/endpoint-text.js';
import type { Endpoint } from '#node/config/endpoint-text.js';
import { systemClock } from '#node/clock.js';
import { allocatePort, listen, localAddresses } from '#node/endpoint.js';
import { createLog, redact } from '#node/log.js';
import type { LogLevel } from '#node/log.js';

t.test('the clock tells the time and never jumps', (t) => {
  t.ok(Math.abs(systemClock.nowMs() - Date.now()) < 1000);
  const before = systemClock.monotonicMs();
  t.ok(systemClock.monotonicMs() >= before);
  t.end();
});

t.test('an action is called once, unless it is cancelled', async (t) => {
  const calls: string[] = [];
  const cancel = systemClock.schedule(0, () => calls.push('cancelled'));
  cancel();
  await new Promise<void>((resolve) => {
    systemClock.schedule(-5, () => {
      calls.push('called');
      resolve();
    });
  });
  t.strictSame(calls, ['called']);
});

t.test('a delay beyond what setTimeout keeps is waited for in pieces', (t) => {
  const timers: { delayMs: number; run: () => void }[] = [];
  const cleared: unknown[] = [];
  const real = { setTimeout: globalThis.setTimeout, clearTimeout: globalThis.clearTimeout };
  t.teardown(() => Object.assign(globalThis, real));
  Object.assign(globalThis, {
    setTimeout: (run: () => void, delayMs: number) => timers.push({ delayMs, run }),
    clearTimeout: (timer: unknown) => cleared.push(timer),
  });
  let calls = 0;
  const month = 31 * 86_400_000;
  const cancel = systemClock.schedule(month, () => (calls += 1));
  t.equal(timers[0]?.delayMs, 2_147_483_647);
  timers[0]?.run();
  t.equal(calls, 0, 'it is not over before it began');
  t.equal(timers[1]?.delayMs, month - 2_147_483_647);
  cancel();
  t.strictSame(cleared, [2], 'cancelling cancels the piece that waits');
  timers[1]?.run();
  t.equal(calls, 1);
  t.equal(timers.length, 2);
  t.end();
});

function logged(level: LogLevel, write: (log: ReturnType<typeof createLog>) => void): Record<string, unknown>[] {
  const lines: string[] = [];
  const log = createLog(level, { write: (line) => void lines.push(line) });
  write(log);
  log.close();
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
}

t.test('the log writes one JSON line an event', (t) => {
  const lines = logged('info', (log) => {
    log.debug('too fine');
    log.info('client running', { port: 3456, isReady: true, none: undefined });
    log.warn('odd', { file: '/tmp/x' });
    log.error('bad');
  });
  t.match(lines, [
    { level: 'info', event: 'client running', port: 3456, isReady: true },
    { level: 'warn', event: 'odd', file: '/tmp/x' },
    { level: 'error', event: 'bad' },
  ]);
  t.match(lines[0]?.['time'], /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  t.strictSame(Object.keys(lines[2] ?? {}).sort(), ['event', 'level', 'time'], 'neither pid nor host name');
  t.end();
});

t.test('who follows the log gets what is written of it, in the shape of Eliot', (t) => {
  const log = createLog('info', { write: () => undefined });
  const lines: string[] = [];
  log.info('before');
  const stop = log.follow((line) => lines.push(line));
  log.debug('too fine');
  log.info('got URI:CHK:key:hash:3:10:99', { n: 1, task_uuid: 'no' });
  log.warn('second');
  stop();
  log.info('after');
  log.close();
  const [first, second, ...rest] = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  t.match(first, { message_type: 'got URI:CHK:[hidden]', log_level: 'info', n: 1, timestamp: Number, task_level: [1] });
  t.match(second, { message_type: 'second', task_uuid: first?.['task_uuid'], task_level: [2] });
  t.not(first?.['task_uuid'], 'no');
  t.same(rest, []);
  t.end();
});

t.test('secrets are blotted out of events and facts', (t) => {
  const [line] = logged('debug', (log) => {
    log.debug('got URI:CHK:key:hash:3:10:99', { furl: 'to pb://abc@tcp:a:1,tcp:b:2/swiss, then', n: 1 });
  });
  t.equal(line?.['event'], 'got URI:CHK:[hidden]');
  t.equal(line?.['furl'], 'to pb://abc@[hidden] then');
  t.equal(line?.['n'], 1);
  const blotted: [text: string, clean: string][] = [
    ['/uri/URI:DIR2:aaaa:bbbb/x', '/uri/URI:DIR2:[hidden]/x'],
    ['/uri/URI%3ADIR2-RO%3Aaaaa%3Abbbb?t=json', '/uri/URI%3ADIR2-RO%3A[hidden]?t=json'],
    ['URI%253ALIT%253Aaaaa', 'URI%253ALIT%253A[hidden]'],
    ['pb+tor://h_-A@x.onion:1/swiss#v=1', 'pb+tor://h_-A@[hidden]'],
    ['pb%3A%2F%2Fh%40x%3A1%2Fswiss', 'pb%3A%2F%2Fh%40[hidden]'],
    ['key priv-v0-abcdef7 end', 'key priv-v0-[hidden] end'],
    ['Authorization: Tahoe-LAFS c3dpc3NudW0=', 'Authorization: Tahoe-LAFS [hidden]'],
    ['storage index aaaaaaaaaaaaaaaaaaaaaaaaaa', 'storage index aaaaaaaaaaaaaaaaaaaaaaaaaa'],
  ];
  for (const [text, clean] of blotted) t.equal(redact(text), clean);
  t.end();
});

t.test('no capability and no swissnum passes the redactor, however it is wrapped', (t) => {
  const secret = fc.uint8Array({ minLength: 16, maxLength: 32 }).map(formatBase32);
  const kind = fc.constantFrom('CHK', 'SSK', 'SSK-RO', 'MDMF', 'DIR2', 'DIR2-CHK', 'CHK-Verifier', 'LIT');
  const capability = fc
    .tuple(kind, secret, secret)
    .map(([kind, a, b]) => ({ text: `URI:${kind}:${a}:${b}`, secrets: [a, b] }));
  const furl = fc.tuple(secret, secret).map(([tub, swissnum]) => ({
    text: `pb://${tub}@tcp:host:1,tor:x.onion:2/${swissnum}#v=1`,
    secrets: [swissnum],
  }));
  const wrap = fc.constantFrom<(text: string) => string>(
    (text) => text,
    encodeURIComponent,
    (text) => encodeURIComponent(encodeURIComponent(text)),
    (text) => `GET /uri/${text}/a?b=c`,
    (text) => JSON.stringify({ text }),
    (text) => `(${text})`,
  );
  t.doesNotThrow(() => {
    fc.assert(
      fc.property(fc.oneof(capability, furl), wrap, fc.string(), ({ text, secrets }, wrap, before) => {
        const clean = redact(before + wrap(text));
        return secrets.every((secret) => !clean.includes(secret));
      }),
    );
  });
  t.end();
});

t.test('the redactor is quick on hostile text', (t) => {
  const started = performance.now();
  for (const text of ['pb://', 'URI:', 'URI:a:', 'pb://a@', '%25', 'priv-v0-']) redact(text.repeat(50_000));
  t.ok(performance.now() - started < 2000);
  t.end();
});

function endpoint(text: string): Endpoint {
  const parsed = parseEndpoint(text);
  if ('problem' in parsed) throw new Error(parsed.problem);
  return parsed.value;
}

async function close(server: Server): Promise<void> {
  await new Promise((resolve) => server.close(resolve));
}

t.test('a server listens where the option says, and says where it listens', async (t) => {
  const server = createServer();
  t.teardown(() => close(server));
  const where = await listen(server, endpoint('tcp:0:interface=127.0.0.1:backlog=5'), { option: '[node]web.port' });
  t.equal(where.host, '127.0.0.1');
  t.ok(where.port > 0);
  t.equal(server.listenerCount('error'), 0, 'no listener of ours is left');
});

t.test('a port that is taken is named with its option', async (t) => {
  const server = createServer();
  t.teardown(() => close(server));
  const { port } = await listen(server, endpoint('tcp:0:interface=127.0.0.1'), { option: '[node]web.port' });
  const text = `tcp:${String(port)}:interface=127.0.0.1`;
  await t.rejects(listen(createServer(), endpoint(text), { option: '[node]web.port' }), {
    code: 'ERR_PORT_IN_USE',
    message: `cannot listen on ${text}: another program uses that port; stop it or change [node]web.port in tahoe.cfg`,
  });
});

t.test('an address that cannot be listened on is named with its option', async (t) => {
  const option = '[node]tub.port';
  await t.rejects(listen(createServer(), endpoint('tcp:0:interface=192.0.2.1'), { option }), {
    code: 'ERR_LISTEN',
    message:
      'cannot listen on tcp:0:interface=192.0.2.1: this machine has no such address; change [node]tub.port in tahoe.cfg',
  });
  const denied = Object.assign(new Error('denied'), { code: 'EACCES' });
  const server = createServer();
  server.listen = () => {
    queueMicrotask(() => server.emit('error', denied));
    return server;
  };
  await t.rejects(listen(server, endpoint('tcp:80'), { option }), {
    code: 'ERR_LISTEN',
    message: /^cannot listen on tcp:80: this user may not open that port/,
  });
});

t.test('one connection more than the limit is closed', async (t) => {
  const server = createServer();
  t.teardown(() => close(server));
  const { port } = await listen(server, endpoint('tcp:0:interface=127.0.0.1'), { option: 'x', connectionsMax: 1 });
  const first = connect(port, '127.0.0.1');
  await Promise.all([once(first, 'connect'), once(server, 'connection')]);
  const second = connect(port, '127.0.0.1');
  await once(second, 'close');
  t.equal(second.destroyed, true);
  first.destroy();
});

t.test('ports that are given are free, each once, and below those of outgoing connections', async (t) => {
  const ports = new Set<number>();
  for (let i = 0; i < 20; i++) ports.add(await allocatePort());
  t.equal(ports.size, 20);
  for (const port of ports) t.ok(port >= 10_000 && port < 32_768, String(port));
  const next = (await allocatePort()) + 1;
  const server = createServer();
  await listen(server, { host: '127.0.0.1', port: next, backlog: undefined, text: 'x' }, { option: 'x' });
  t.teardown(() => server.close());
  t.not(await allocatePort(), next, 'another has it, on one address alone');
});

t.test('an allocated port is free', async (t) => {
  const port = await allocatePort();
  const server = createServer();
  t.teardown(() => close(server));
  t.equal((await listen(server, endpoint(`tcp:${String(port)}`), { option: 'x' })).port, port);
  t.ok(localAddresses().includes('127.0.0.1'));
});
