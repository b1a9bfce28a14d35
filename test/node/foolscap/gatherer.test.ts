/** A node's log service: its port and its furl, and the link to a gatherer that comes, goes, hangs, floods or is none. */
import { mkdir, stat, writeFile } from 'node:fs/promises';
import t from 'tap';
import type { Test } from 'tap';
import { fromUtf8 } from '#core/bytes.js';
import type { Log } from '#core/environment.js';
import { TahoeError } from '#core/errors.js';
import { createCertificatePem, formatTubId, parseCertificatePem } from '#node/certificate.js';
import { systemClock } from '#node/clock.js';
import { Closers } from '#node/closers.js';
import { RECONNECT_FIRST_MS, RECONNECT_MAX_MS } from '#client/keep-connecting.js';
import { GathererLink } from '#node/foolscap/logport/gatherer-link.js';
import { LogPublisher } from '#node/foolscap/logport/publisher.js';
import { createLog } from '#node/log.js';
import { READER_MEMORY_MAX, startLogService } from '#node/foolscap/log-service.js';
import { keepLogs } from '#node/logs/keep-logs.js';
import { directDialler } from '#node/network/direct-dialler.js';
import { NodeDirectory } from '#node/node-directory.js';
import { isRemoteReference } from '#wire/foolscap/tub.js';
import type { RemoteObject, RemoteReference } from '#wire/foolscap/tub.js';
import type { Value } from '#wire/foolscap/values.js';
import { ManualClock, settle } from '#test/fixtures/clock.js';
import { seededRandom } from '#test/fixtures/crypto.js';
import { objectOf } from '#test/fixtures/foolscap/banana-talk.js';
import { LogObserver, until } from '#test/fixtures/foolscap/log-observer.js';
import { makeTub, startTub } from '#test/fixtures/foolscap/tub-pair.js';
import { temporaryDirectory } from '../fixtures/temporary-directory.js';

const certificate = parseCertificatePem(await createCertificatePem(systemClock), 'node.pem');
const tubId = formatTubId(certificate.tubId);

/** A node of nothing but a log. */
async function startNode(t: Test, gatherer?: string, prepare?: (directory: NodeDirectory) => Promise<void>) {
  const directory = new NodeDirectory(await temporaryDirectory(t));
  await directory.ensurePrivate();
  await prepare?.(directory);
  const lines: string[] = [];
  const log = createLog('debug', { write: (line) => void lines.push(line) });
  const clock = new ManualClock();
  const source = keepLogs(log, { directory: directory.path, clock, destinations: [] });
  const closers = new Closers(systemClock, log);
  const close = async (): Promise<void> => {
    await closers.closeAll();
    source.end();
  };
  t.teardown(close);
  const environment = { dialler: directDialler, clock, random: seededRandom(directory.path), log, closers };
  await startLogService({ directory, certificate, source, gatherer, ...environment });
  return { directory, lines, log, clock, close, furl: () => directory.read('private/logport.furl') };
}

/** A gatherer whose publishers wait to be used. */
async function startGatherer(t: Test, logport?: (...given: Value[]) => Promise<Value>) {
  const given: Value[][] = [];
  const keep = (...words: Value[]): Promise<Value> => {
    given.push(words);
    return logport?.(...words) ?? Promise.resolve(null);
  };
  const server = await startTub(t);
  const object = objectOf({ logport: keep }, 'RILogGatherer.foolscap.lothar.com');
  return { ...server, given, furl: server.serve('gatherer', object) };
}

function publisherOf(given: readonly Value[] | undefined): RemoteReference {
  const publisher = given?.[1] ?? null;
  if (!isRemoteReference(publisher)) throw new Error('no publisher');
  return publisher;
}

t.test('the logport is a secret of this machine, new at each start', async (t) => {
  const { close, directory, furl, log } = await startNode(t);
  const text = (await furl()) ?? '';
  t.match(text, new RegExp(`^pb://${tubId}@tcp:127\\.0\\.0\\.1:[0-9]+/[a-z2-7]{32}$`));
  t.equal((await stat(directory.privateFile('logport.furl'))).mode & 0o777, 0o600);
  const reader = await makeTub(t);
  const observer = new LogObserver();
  const logport = await reader.connect(text);
  await logport.call('subscribe_to_all', [observer]);
  log.info('heard');
  await until(() => observer.messages.includes('heard'));
  await close();
  await until(() => !logport.connected);
  await t.rejects(reader.connect(text), { code: 'ERR_CONNECT' });
  t.not((await (await startNode(t)).furl())?.slice(-32), text.slice(-32));
});

t.test('a gatherer is given the log, again after each connection', async (t) => {
  const gatherer = await startGatherer(t);
  const lines: string[] = [];
  const log = createLog('debug', { write: (line) => void lines.push(line) });
  const clock = new ManualClock();
  const kept = keepLogs(log, { directory: await temporaryDirectory(t), clock, destinations: [] });
  t.teardown(kept.end);
  const tub = await makeTub(t);
  const publisher = new LogPublisher(kept, log);
  const link = new GathererLink({ furl: gatherer.furl, publisher, tub, clock, random: seededRandom('link'), log });
  link.start();
  const waits: number[] = [];
  for (let round = 1; round <= 3; round++) {
    await until(() => gatherer.given.length === round);
    if (round === 3) clock.advance(RECONNECT_MAX_MS + 1);
    const [nodeId] = gatherer.given.at(-1) ?? [];
    t.equal(nodeId instanceof Uint8Array && fromUtf8(nodeId), tub.tubId);
    const reference = publisherOf(gatherer.given.at(-1));
    t.equal(reference.interfaceName, 'RILogPublisher.foolscap.lothar.com');
    const observer = new LogObserver();
    await reference.call('subscribe_to_all', [observer]);
    log.info('round', { round });
    await until(() => observer.messages.includes(`round round=${String(round)}`));
    t.equal(publisher.subscriptionCount, 1);
    gatherer.sockets.at(-1)?.destroy();
    await until(() => clock.pending === 1);
    t.equal(publisher.subscriptionCount, 0);
    waits.push(clock.untilNextMs ?? 0);
    clock.advance(RECONNECT_MAX_MS);
  }
  await until(() => gatherer.given.length === 4);
  await link.close();
  t.equal(clock.pending, 0);
  const [first = 0, second = 0, afterLong = 0] = waits;
  t.ok(first <= RECONNECT_FIRST_MS && second >= RECONNECT_FIRST_MS && afterLong <= RECONNECT_FIRST_MS, waits.join(' '));
  t.notMatch(lines.join(''), /\/gatherer/, 'its secret is in no line');
});

t.test('one that is not there is tried with waits that grow, and said once', async (t) => {
  const clock = new ManualClock();
  const said: string[] = [];
  const say = (event: string): void => void said.push(event);
  const log: Log = { debug: say, info: say, warn: say, error: say };
  const attempts: number[] = [];
  let reason = 'connection refused';
  const tub = {
    tubId,
    connect: () => {
      attempts.push(clock.monotonicMs());
      return Promise.reject(new TahoeError('ERR_CONNECT', { server: 'x', reason }));
    },
  };
  const publisher: RemoteObject = objectOf({});
  const random = { bytes: (size: number) => new Uint8Array(size).fill(255) };
  const furl = `pb://${'a'.repeat(32)}@tcp:127.0.0.1:1/secret`;
  const link = new GathererLink({ furl, publisher, tub, clock, random, log });
  link.start();
  for (let i = 0; i < 10; i++) {
    await settle(1);
    clock.advance(clock.untilNextMs ?? 0);
  }
  const waits = attempts.slice(1).map((ms, i) => Math.ceil((ms - (attempts[i] ?? 0)) / 1000));
  t.strictSame(waits.slice(0, 8), [1, 2, 4, 8, 16, 32, 60, 60]);
  t.equal(RECONNECT_FIRST_MS, 1000);
  t.strictSame(said, ['log gatherer not reached']);
  reason = 'something else';
  await settle(1);
  clock.advance(RECONNECT_MAX_MS);
  await settle(1);
  t.equal(said.length, 2);
  await link.close();
  t.equal(clock.pending, 0);
  t.throws(() => new GathererLink({ furl: 'pb://secret', publisher, tub, clock, random, log }), { code: 'ERR_FURL' });
});

t.test('what is no gatherer is said, and one that never answers is left alone', async (t) => {
  const none = await startTub(t);
  const { lines } = await startNode(t, none.serve('else', objectOf({})));
  await until(() => lines.some((line) => line.includes('log gatherer refused the log')));
  await settle();
  t.equal(none.sockets.length, 1, 'it is not asked again');
  const silent = await startGatherer(t, () => new Promise(() => undefined));
  const node = await startNode(t, silent.furl);
  await until(() => silent.given.length === 1);
  await node.close();
  await until(() => silent.tub.connectionCount === 0);
  t.notOk(node.lines.some((line) => line.includes('refused')));
});

t.test('a reader that floods is cut off, and nobody else', async (t) => {
  const { furl, log } = await startNode(t);
  const [good, bad] = [await makeTub(t), await makeTub(t)];
  const observer = new LogObserver();
  await (await good.connect((await furl()) ?? '')).call('subscribe_to_all', [observer]);
  const logport = await bad.connect((await furl()) ?? '');
  await t.rejects(logport.call('get_incident', [new Uint8Array(READER_MEMORY_MAX)]), { code: 'ERR_CONNECTION_CLOSED' });
  log.info('still here');
  await until(() => observer.messages.includes('still here'));
});

t.test('a node that can offer no logport says so and has its gatherer', async (t) => {
  const gatherer = await startGatherer(t);
  const { lines } = await startNode(t, gatherer.furl, async (directory) => {
    await mkdir(directory.privateFile('logport.furl'));
    await writeFile(directory.privateFile('logport.furl/in-the-way'), '');
  });
  await until(() => gatherer.given.length === 1);
  t.ok(lines.some((line) => line.includes('there is no logport')));
  t.equal(await publisherOf(gatherer.given[0]).call('get_pid', []), process.pid);
});
