/**
 * `demo`: a whole grid on this machine in a few seconds. A file is stored on ten servers, seven of them are killed,
 * and the file is read back from the other three and compared. It tells what happens as it happens.
 */
import { randomInt } from 'node:crypto';
import { join } from 'node:path';
import { TahoeError, isTahoeError, reasonOf } from '#core/errors.js';
import { systemCode } from '#node/durable-file.js';
import type { CommandContext, CommandModule } from '../context.js';
import { ENCODING } from '../demo/directories.js';
import { DemoGrid } from '../demo/grid.js';
import { Fingerprint, makeRandomSample, takeSample } from '../demo/sample.js';
import type { Sample } from '../demo/sample.js';
import { chooseSurvivors, contains, findShares } from '../demo/shares.js';
import type { HeldShare } from '../demo/shares.js';
import { Story } from '../demo/story.js';
import { resolveLocal } from '../directory-choice.js';
import { SUCCESS } from '../exit-status.js';
import { interruptible } from '../interrupt.js';
import { openLocalFile } from '../local-file.js';
import { isReaderGone, writeLine } from '../output.js';
import { formatRate, formatSize } from '../quantities.js';
import { addressOf } from '../remote-path.js';

interface DemoWords {
  readonly keep?: boolean;
}

/** What one run of the demonstration works with. */
interface Demonstration {
  readonly context: CommandContext;
  readonly story: Story;
  readonly grid: DemoGrid;
  readonly signal: AbortSignal;
}

/** What was stored. */
interface Stored {
  /** A secret. */
  readonly capability: string;
  readonly sizeBytes: number;
  readonly digest: string;
}

const NUMBERS = Array.from({ length: ENCODING.total }, (_, index) => index + 1);

/** Shows a grid at work. */
export const command: CommandModule = {
  describe(command) {
    command
      .usage('[options] [FILE]')
      .description(
        'Starts ten storage servers and a gateway on this machine, stores FILE (or 16 MB of random bytes), kills ' +
          'seven of the ten servers, and reads the file back from the other three.',
      )
      .argument('[file]', 'the file to store')
      .option('--keep', 'leave the grid running, and print how to use it and how to stop it');
  },

  async run(command, context) {
    const [file] = command.args;
    const keep = command.opts<DemoWords>().keep === true;
    const given = file === undefined ? undefined : await takeSample(resolveLocal(file, context));
    return interruptible('the demonstration', (signal) => demonstrate(given, keep, context, signal));
  },
};

async function demonstrate(
  given: Sample | undefined,
  keep: boolean,
  context: CommandContext,
  signal: AbortSignal,
): Promise<number> {
  const story = new Story(context);
  let grid: DemoGrid | undefined;
  try {
    await introduce(story);
    grid = await DemoGrid.create({ ...context, outlives: keep, signal });
    const demonstration = { context, story, grid, signal };
    const capability = await play(given, demonstration);
    if (keep) await keepRunning(capability, demonstration);
    else await grid.close();
  } catch (error) {
    await grid?.close();
    throw isReaderGone(error) ? error : demoError(error, signal);
  }
  if (!keep)
    await story.step('Every process is stopped and the directory removed. Try it with --keep, or your own file.');
  return SUCCESS;
}

function demoError(error: unknown, signal: AbortSignal): unknown {
  // A bug keeps its stack trace, an interruption its own name.
  const isBug = !isTahoeError(error) && systemCode(error) === undefined;
  if (signal.aborted || isBug || isTahoeError(error, 'ERR_DEMO')) return error;
  return new TahoeError('ERR_DEMO', { reason: reasonOf(error) }, { cause: error });
}

async function introduce(story: Story): Promise<void> {
  await story.step('A grid is a group of storage servers that keep files for people who need not trust them.');
  await story.explain('This one is ten servers and one gateway, each a process on this machine.');
}

/** The whole play. @returns the capability of the file. */
async function play(given: Sample | undefined, demonstration: Demonstration): Promise<string> {
  const { grid } = demonstration;
  await start(demonstration);
  const sample = given ?? (await makeRandomSample(join(grid.directory, 'random-file')));
  const stored = await store(sample, demonstration);
  const shares = (await Promise.all(NUMBERS.map((node) => findShares(node, grid.shareDirectory(node))))).flat();
  await showShares(shares, sample, demonstration);
  await showCapability(stored, demonstration);
  await loseServers(shares, demonstration);
  await readBack(stored, demonstration);
  return stored.capability;
}

async function start({ story, grid }: Demonstration): Promise<void> {
  await story.step(`Their directories are made, each with a key of its own, in ${grid.directory}`);
  await grid.startStorage(NUMBERS);
  await grid.startGateway();
  await story.step('All ten servers run, and the gateway is connected to each of them.');
  await story.explain(
    'The gateway is yours: it alone sees your files, and encrypts them before anything leaves it.',
    "The servers are other people's machines.",
  );
}

async function store(sample: Sample, { story, grid, context, signal }: Demonstration): Promise<Stored> {
  const what = sample.excerpt === undefined ? sample.path : 'random bytes';
  await story.step(`${formatSize(sample.sizeBytes)} are handed to the gateway: ${what}.`);
  const startMs = context.clock.monotonicMs();
  const file = await openLocalFile(sample.path);
  const fingerprint = new Fingerprint();
  try {
    const { sizeBytes } = file;
    const { capability } = await grid.client.put(fingerprint.take(file.read()), { sizeBytes, signal });
    const elapsedMs = context.clock.monotonicMs() - startMs;
    const took = `${(elapsedMs / 1000).toFixed(1)} s (${formatRate(sample.sizeBytes, elapsedMs)})`;
    await story.step(`Stored in ${took}: encrypted, and cut into ten shares of which any three are enough.`);
    return { capability, ...fingerprint.result() };
  } finally {
    await file.close();
  }
}

async function showShares(
  shares: readonly HeldShare[],
  { sizeBytes, excerpt }: Sample,
  { story }: Demonstration,
): Promise<void> {
  for (const { node, shareNumber, sizeBytes } of shares) {
    await story.explain(
      `  node ${String(node).padStart(2)} holds share ${String(shareNumber)}, ${formatSize(sizeBytes)}`,
    );
  }
  const total = shares.reduce((sum, share) => sum + share.sizeBytes, 0);
  await story.explain(
    `Together ${formatSize(total)}, ${(total / sizeBytes).toFixed(1)} times the file: the price of losing seven servers of ten.`,
  );
  if (excerpt === undefined) return;
  for (const { node, path } of shares) {
    if (!(await contains(path, excerpt))) continue;
    throw new TahoeError('ERR_DEMO', {
      reason: `node ${String(node)} holds a piece of the file that is not encrypted`,
    });
  }
  await story.explain(
    'Servers see only ciphertext: the first 32 bytes of the file are looked for in all shares, in vain.',
  );
}

async function showCapability({ capability }: Stored, { story }: Demonstration): Promise<void> {
  await story.step("The gateway answers with the file's capability:");
  await story.explain(
    `  ${capability}`,
    'It is all it takes to find the file, decrypt it and prove every byte of it, and nothing else does.',
    'Whoever has it can read the file: keep it secret, and keep it.',
  );
}

async function loseServers(shares: readonly HeldShare[], { story, grid }: Demonstration): Promise<void> {
  const survivors = chooseSurvivors(shares, ENCODING.needed, randomInt);
  const victims = NUMBERS.filter((number) => !survivors.includes(number));
  await grid.kill(victims);
  await story.step(`Seven of the ten servers are killed without warning: nodes ${listOf(victims)}.`);
  await story.explain(`Left are nodes ${listOf(survivors)}, chosen at random.`);
}

function listOf(numbers: readonly number[]): string {
  return `${numbers.slice(0, -1).join(', ')} and ${String(numbers.at(-1))}`;
}

async function readBack(stored: Stored, { story, grid, context, signal }: Demonstration): Promise<void> {
  const startMs = context.clock.monotonicMs();
  const { bytes } = await grid.client.get(addressOf({ root: stored.capability, path: '' }), {
    sizeBytes: stored.sizeBytes,
    signal,
  });
  const fingerprint = new Fingerprint();
  await fingerprint.read(bytes);
  const { sizeBytes, digest } = fingerprint.result();
  if (sizeBytes !== stored.sizeBytes || digest !== stored.digest) {
    throw new TahoeError('ERR_DEMO', { reason: 'what was read back is not what was stored' });
  }
  const elapsedMs = context.clock.monotonicMs() - startMs;
  const took = `${(elapsedMs / 1000).toFixed(1)} s (${formatRate(sizeBytes, elapsedMs)})`;
  await story.step(`Read back from three servers in ${took}, and compared: the same ${formatSize(sizeBytes)}.`);
  await story.explain(`SHA-256 of both: ${digest}`);
}

async function keepRunning(capability: string, { story, grid, context }: Demonstration): Promise<void> {
  const { programName, stdout } = context;
  await grid.restartKilled();
  await story.step('The seven are started again; the gateway finds them within a few seconds.');
  const lines = [
    `gateway:    ${grid.client.address}`,
    `capability: ${capability}`,
    `directory:  ${grid.directory}`,
    `use it:     ${programName} -d ${grid.gatewayDirectory} put FILE`,
    `stop it:    kill ${grid.pids.join(' ')}`,
    `remove it:  rm -r ${grid.directory}`,
  ];
  for (const line of lines) await writeLine(stdout, line);
  await grid.release();
}
