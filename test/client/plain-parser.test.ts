/** undici's parser: V8 compiles it once and spends no more on it, and on what is compiled later as much as ever. */
import { spawnSync } from 'node:child_process';
import { Socket } from 'node:net';
import t from 'tap';
import { withPlainParser } from '#client/undici.js';

/** Enough replies for V8 to optimise what parses them, and time for it to say so. */
const program = (wrap: string, after: string): string => `
  const { createServer } = await import('node:http');
  const { connect } = await import('node:net');
  const { once } = await import('node:events');
  const { Pool, requestOver, withPlainParser } = await import(${JSON.stringify(import.meta.resolve('#client/undici.js'))});
  const server = createServer((request, response) => response.setHeader('x', 'y'.repeat(4000)).end('z')).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const origin = 'http://127.0.0.1:' + server.address().port;
  const dial = (target, callback) => {
    const socket = connect(target.port, target.hostname, () => (${wrap})(callback)(null, socket));
  };
  const pool = new Pool(origin, { connect: dial, connections: 1 });
  for (let i = 0; i < 1500; i++) await (await requestOver(pool, { path: '/', method: 'GET' })).body.text();
  await pool.close();
  server.close();
  ${after}
`;

/** Work for the core of erasure coding. */
const coding = `
  const { defaultKernel } = await import(${JSON.stringify(import.meta.resolve('#core/erasure/kernel.js'))});
  const kernel = defaultKernel();
  const block = new Uint8Array(1 << 20);
  for (let i = 0; i < 100; i++) kernel.multiply(new Uint8Array([7]), [block], [new Uint8Array(block.length)]);
`;

/** Whether V8 optimised some WebAssembly. */
function isOptimised(wrap: string, after = ''): boolean {
  const words = ['--trace-wasm-compilation-times', '--input-type=module', '-e', program(wrap, after)];
  const { status, stderr, stdout } = spawnSync(process.execPath, words, {
    encoding: 'utf8',
    env: { ...process.env, NODE_OPTIONS: '' },
  });
  if (status !== 0) throw new Error(stderr);
  return /using TurboFan/.test(stdout);
}

t.test('it is compiled once', (t) => {
  t.ok(isOptimised('(callback) => callback'), 'else it would be optimised');
  t.notOk(isOptimised('withPlainParser'));
  t.ok(isOptimised('withPlainParser', coding), 'what comes after is optimised as ever');
  t.end();
});

t.test('results and errors are handed on, and what is thrown is thrown', (t) => {
  const results: unknown[][] = [];
  const callback = withPlainParser((...result: unknown[]) => results.push(result));
  const error = new Error('no way there');
  const socket = new Socket();
  callback(error, null);
  callback(null, socket);
  callback(null, socket);
  t.strictSame(results, [
    [error, null],
    [null, socket],
    [null, socket],
  ]);
  const failing = withPlainParser(() => {
    throw error;
  });
  t.throws(() => failing(null, socket), error);
  t.end();
});
