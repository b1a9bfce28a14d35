/**
 * `watch`: a line whenever a mutable file or a directory changes, until it is interrupted. The gateway tells (server-sent
 * events of `?t=watch`); where it goes away it is asked again, from the last change that it told.
 */
import type { Clock } from '#core/environment.js';
import { isTahoeError, TahoeError } from '#core/errors.js';
import { EVENT_STREAM_MEDIA_TYPE, EventStreamReader, STREAM_SILENCE_MS } from '#wire/event-stream.js';
import type { StreamEvent } from '#wire/event-stream.js';
import { CAP_FILE_OPTION, pathWord } from '../capability-source.js';
import type { CommandContext, CommandModule } from '../context.js';
import { withFileStore, withFileStoreOptions } from '../file-store-command.js';
import type { FileStoreTools } from '../file-store-command.js';
import { sentenceOf } from '../gateway-client.js';
import { numberIn, parseAnswer, textIn } from '../line-stream.js';
import { writeLine } from '../output.js';
import { pause } from '../pause.js';
import { addressOf, parseStart } from '../remote-path.js';

/** The longest event, in characters. */
const EVENT_LENGTH_MAX = 4096;
/** The pause before a gateway that went away is asked again, and the longest, in milliseconds; each is twice the last. */
const PAUSE_MS = 500;
const PAUSE_MAX_MS = 30_000;

/** Watches. */
export const command: CommandModule = {
  describe(command) {
    withFileStoreOptions(command)
      .usage('[options] [PATH]')
      .description(
        'Prints a line for the version of a mutable file or a directory that there is, and one for each newer version ' +
          'as it appears: when it was seen, its number, and its root hash. It goes on until it is interrupted, also ' +
          'while the gateway is started anew.',
      )
      .argument('[path]', "such as ALIAS:photos (default: the root of the alias 'tahoe')")
      .option(...CAP_FILE_OPTION)
      .option('--json', 'print an object of JSON on each line');
  },

  async run(command, context) {
    const { json = false, capFile } = command.opts<{ readonly json?: boolean; readonly capFile?: string }>();
    const word = await pathWord(command.args[0], capFile, context);
    return withFileStore('the watch', command, context, async (tools) => {
      const address = `${addressOf(parseStart(word, tools.aliases))}?t=watch`;
      return new Watch(tools, context, json ? jsonLine : plainLine).run(address);
    });
  },
};

class Watch {
  readonly #tools: FileStoreTools;
  readonly #context: CommandContext;
  readonly #format: (event: StreamEvent, clock: Clock) => string;
  #lastId = '';
  #pauseMs = PAUSE_MS;

  constructor(tools: FileStoreTools, context: CommandContext, format: (event: StreamEvent, clock: Clock) => string) {
    this.#tools = tools;
    this.#context = context;
    this.#format = format;
  }

  /** @throws what the gateway refuses; that it is not there, only while it never was; the signal's reason. */
  async run(address: string): Promise<never> {
    const { signal } = this.#tools;
    for (;;) {
      const gone = await this.#follow(address).catch((error: unknown) => {
        signal.throwIfAborted();
        if (this.#lastId === '' || !isPassing(error)) throw error;
        return error.message;
      });
      await this.#report(`${gone}; asking again in ${String(this.#pauseMs / 1000)} s`);
      await pause(this.#context.clock, this.#pauseMs, signal);
      this.#pauseMs = Math.min(2 * this.#pauseMs, PAUSE_MAX_MS);
    }
  }

  /** @returns why there is no more. */
  async #follow(address: string): Promise<string> {
    const { client, signal } = this.#tools;
    const known = this.#lastId === '' ? undefined : { 'last-event-id': this.#lastId };
    const headers = { accept: EVENT_STREAM_MEDIA_TYPE, ...known };
    const pieces = await client.stream(address, { method: 'GET', headers, signal, pieceMs: STREAM_SILENCE_MS });
    const reader = new EventStreamReader(EVENT_LENGTH_MAX);
    for await (const piece of pieces) {
      for (const event of reader.read(piece)) await this.#tell(event);
    }
    return 'the gateway has ended the stream';
  }

  async #tell(event: StreamEvent): Promise<void> {
    if (event.event === 'failed') {
      const reason = sentenceOf(textIn(parseAnswer(event.data), 'reason'));
      throw new TahoeError('ERR_GATEWAY_REPLY', { status: 200, reason });
    }
    if (event.event !== 'version') return;
    await writeLine(this.#context.stdout, this.#format(event, this.#context.clock));
    this.#lastId = event.id;
    this.#pauseMs = PAUSE_MS;
  }

  async #report(sentence: string): Promise<void> {
    if (!this.#context.isQuiet) await writeLine(this.#context.stderr, `${this.#context.programName}: ${sentence}`);
  }
}

/** Whether a gateway that is asked again may have an answer. */
function isPassing(error: unknown): error is TahoeError {
  if (isTahoeError(error, 'ERR_GATEWAY_REPLY')) return error.facts.status >= 500;
  return isTahoeError(error) && ['ERR_GATEWAY', 'ERR_GATEWAY_CUT', 'ERR_TIMEOUT'].includes(error.code);
}

function plainLine({ data }: StreamEvent, clock: Clock): string {
  const fields = parseAnswer(data);
  return `${seenAt(clock)} version ${String(numberIn(fields, 'sequence-number'))} ${textIn(fields, 'root-hash')}`;
}

function jsonLine({ data }: StreamEvent, clock: Clock): string {
  return JSON.stringify({ time: seenAt(clock), ...parseAnswer(data) });
}

function seenAt(clock: Clock): string {
  return new Date(clock.nowMs()).toISOString();
}
