/**
 * Puts tokens together to messages: calls, answers, errors.
 *
 *     (call, request number, object number, method, (arguments, count, value …, name, value …))
 *     (answer, request number, value)      (error, request number, failure)
 *
 * What can be refused without losing the thread (an unknown type, a reference that leads nowhere, an ABORT) spoils its message
 * and nothing more: the rest of the message is read and forgotten. What cannot (a CLOSE that closes nothing, anything beyond a limit) is
 * ERR_BANANA, and the connection ends. Values are built from within, so that no nesting uses the stack.
 */
import { TahoeError, isTahoeError } from '#core/errors.js';
import { DEPTH_MAX, STEP_MESSAGE_COUNT_MAX } from './limits.js';
import type { BananaLimits } from './limits.js';
import type { TokenSink } from './token-reader.js';
import { buildValue, openTypeLength, pairs, violation } from './value-builders.js';
import type { ReferenceTable, Sequence } from './value-builders.js';
import { Float } from './values.js';
import type { Value } from './values.js';
import { IncomingVocabulary, textOf } from './vocabulary.js';

/** A call as it arrived. */
export interface CallMessage {
  readonly requestNumber: number;
  readonly clid: number;
  readonly method: string;
  readonly positional: readonly Value[];
  readonly named: ReadonlyMap<string, Value>;
}

/** Who hears of messages. */
export interface MessageSink {
  call(message: CallMessage): void;
  answer(requestNumber: number, value: Value): void;
  failure(requestNumber: number, failure: Value): void;
  /** A message that is spoiled; its number is undefined where it is not known. An ABORT asks for no answer. */
  spoiled(type: string, requestNumber: number | undefined, reason: TahoeError<'ERR_VIOLATION'>, aborted: boolean): void;
  /** A message that says nothing to anybody but the reader is over. */
  passed(): void;
  /** The peer says why it closes the connection. */
  error(text: string): void;
  ping(count: number | bigint): void;
  /** Room is wanted for a body of a message; throws where there is none. */
  admit(sizeBytes: number): void;
}

interface Frame {
  readonly openCount: number | bigint;
  /** Among all sequences of this connection: what a (reference) names. */
  readonly objectNumber: number;
  readonly openType: string[];
  readonly children: Value[];
}

/** Sequences that a later (reference) in the same message may name. */
const shareable: ReadonlySet<string> = new Set(['list', 'set', 'dict', 'tuple', 'immutable-set', 'copyable']);
const topTypes: ReadonlySet<string> = new Set(['call', 'answer', 'error', 'set-vocab', 'add-vocab']);

/** One direction of a connection. `limits` may be changed between messages. */
export class MessageReader implements TokenSink {
  limits: BananaLimits;
  readonly #sink: MessageSink;
  readonly #table: ReferenceTable;
  readonly #vocabulary: IncomingVocabulary;
  readonly #frames: Frame[] = [];
  readonly #shared = new Map<number, Value>();
  #inOpenType = false;
  #objectCount = 0;
  #spoiled: TahoeError<'ERR_VIOLATION'> | undefined;
  #aborted = false;
  #size = 0;
  #tokenCount = 0;
  #finishedCount = 0;

  constructor(options: { sink: MessageSink; table: ReferenceTable; limits: BananaLimits; vocabularyTable: number }) {
    this.#sink = options.sink;
    this.#table = options.table;
    this.limits = options.limits;
    this.#vocabulary = new IncomingVocabulary(options.vocabularyTable);
  }

  /** Whether enough messages have ended since `beginStep`. */
  get isFull(): boolean {
    return this.#finishedCount >= STEP_MESSAGE_COUNT_MAX;
  }

  beginStep(): void {
    this.#finishedCount = 0;
  }

  open(openCount: number | bigint): void {
    this.#count();
    if (this.#inOpenType) throw broken('an OPEN follows an OPEN');
    if (this.#frames.length === DEPTH_MAX) throw broken(`sequences lie more than ${String(DEPTH_MAX)} deep`);
    this.#frames.push({ openCount, objectNumber: this.#objectCount, openType: [], children: [] });
    this.#objectCount += 1;
    this.#inOpenType = true;
  }

  close(openCount: number | bigint): void {
    this.#count();
    const frame = this.#top();
    if (frame?.openCount !== openCount || this.#inOpenType) throw broken('a CLOSE closes nothing');
    if (this.#frames.length === 1) this.#finish(frame);
    else this.#closeInner(frame);
  }

  /** One outside of any message means nothing, nor does one in what is spoiled already. */
  abort(): void {
    this.#inOpenType = false;
    if (this.#frames.length === 0) return;
    this.#count();
    if (this.#spoiled !== undefined) return;
    this.#aborted = true;
    this.#spoiled = violation('the sender gave it up');
  }

  integer(value: number | bigint): void {
    this.#child(value);
  }

  float(value: number): void {
    this.#child(new Float(value));
  }

  string(bytes: Uint8Array): void {
    if (this.#inOpenType) this.#openTypeWord(bytes);
    else this.#child(bytes);
  }

  vocabulary(index: number | bigint): void {
    this.string(this.#vocabulary.word(index));
  }

  error(text: Uint8Array): void {
    this.#sink.error(textOf(text));
  }

  ping(count: number | bigint): void {
    this.#sink.ping(count);
  }

  pong(): void {
    // It has shown that it is alive, as any other byte does.
  }

  begin(size: number): boolean {
    this.#size += size;
    if (this.#size > this.limits.messageSizeMax) throw broken('a message is larger than what is taken');
    this.#sink.admit(size);
    return this.#spoiled === undefined;
  }

  #top(): Frame | undefined {
    return this.#frames[this.#frames.length - 1];
  }

  #count(): void {
    this.#tokenCount += 1;
    if (this.#tokenCount > this.limits.tokenCountMax) throw broken('a message has more tokens than are taken');
  }

  #openTypeWord(bytes: Uint8Array): void {
    this.#count();
    const frame = this.#top();
    frame?.openType.push(textOf(bytes));
    this.#inOpenType = frame !== undefined && frame.openType.length < openTypeLength(frame.openType[0] ?? '');
  }

  #child(value: Value): void {
    this.#count();
    const frame = this.#top();
    if (frame === undefined || this.#inOpenType) throw broken('something stands where only a sequence can');
    // What is spoiled is only followed to its end; of a message the number that it is answered under stays.
    if (this.#spoiled === undefined) frame.children.push(value);
  }

  #closeInner(frame: Frame): void {
    this.#frames.pop();
    const parent = this.#top();
    if (this.#spoiled !== undefined || parent === undefined) return;
    try {
      parent.children.push(this.#valueOf(frame, parent));
    } catch (error) {
      if (!isTahoeError(error, 'ERR_VIOLATION')) throw error;
      this.#spoiled = error;
    }
  }

  #valueOf(frame: Frame, parent: Frame): Value {
    const [type = ''] = frame.openType;
    if (type === 'reference') return this.#again(frame.children[0]);
    if (type === 'arguments' && parent.openType[0] === 'call') return frame.children;
    const value = buildValue(frame satisfies Sequence, this.#table);
    if (shareable.has(type)) this.#shared.set(frame.objectNumber, value);
    return value;
  }

  /** A sequence that contains itself is not complete yet where it names itself. */
  #again(objectNumber: Value | undefined): Value {
    const value = typeof objectNumber === 'number' ? this.#shared.get(objectNumber) : undefined;
    if (value === undefined) throw violation('a reference names nothing that is complete in the same message');
    return value;
  }

  #finish(frame: Frame): void {
    const spoiled = this.#spoiled;
    const aborted = this.#aborted;
    this.#frames.pop();
    this.#shared.clear();
    this.#spoiled = undefined;
    this.#aborted = false;
    this.#size = 0;
    this.#tokenCount = 0;
    this.#finishedCount += 1;
    const [type = ''] = frame.openType;
    if (!topTypes.has(type)) this.#sink.passed();
    else if (spoiled === undefined) this.#deliver(type, frame.children);
    else this.#sink.spoiled(type, requestNumberOf(frame.children), spoiled, aborted);
  }

  #deliver(type: string, children: readonly Value[]): void {
    if (type === 'call') {
      this.#sink.call(toCall(children));
    } else if (type === 'answer' || type === 'error') {
      this.#deliverReply(type, children);
    } else {
      if (type === 'set-vocab') this.#vocabulary.replace(new Map(pairsOf(children)));
      else for (const [index, word] of pairsOf(children)) this.#vocabulary.add(index, word);
      this.#sink.passed();
    }
  }

  #deliverReply(type: string, children: readonly Value[]): void {
    const [, value] = children;
    const requestNumber = requestNumberOf(children);
    if (requestNumber === undefined || value === undefined || children.length !== 2) {
      throw broken('an answer has no number or no value');
    }
    if (type === 'answer') this.#sink.answer(requestNumber, value);
    else this.#sink.failure(requestNumber, value);
  }
}

function requestNumberOf([number]: readonly Value[]): number | undefined {
  return typeof number === 'number' && number >= 0 ? number : undefined;
}

/** @throws ERR_BANANA: a call of another form leaves nobody to tell. */
function toCall(children: readonly Value[]): CallMessage {
  const [requestNumber, clid, method, given] = children;
  if (
    typeof requestNumber !== 'number' ||
    requestNumber < 0 ||
    typeof clid !== 'number' ||
    !(method instanceof Uint8Array) ||
    !isSequence(given) ||
    children.length !== 4
  ) {
    throw broken('a call is not made as calls are');
  }
  const [count, ...values] = given;
  if (typeof count !== 'number' || count < 0 || count > values.length) throw broken('a call lacks arguments');
  return {
    requestNumber,
    clid,
    method: textOf(method),
    positional: values.slice(0, count),
    named: namedArguments(values.slice(count)),
  };
}

function namedArguments(children: readonly Value[]): Map<string, Value> {
  if (children.length % 2 !== 0) throw broken('an argument has a name and no value');
  return new Map(
    pairs(children).map(([name, value]) => {
      if (name instanceof Uint8Array) return [textOf(name), value];
      throw broken("an argument's name is no text");
    }),
  );
}

function isSequence(value: Value | undefined): value is readonly Value[] {
  return Array.isArray(value);
}

function pairsOf(children: readonly Value[]): [number, Uint8Array][] {
  if (children.length % 2 !== 0) throw broken('a word of the vocabulary is missing');
  return pairs(children).map(([index, word]) => {
    if (typeof index === 'number' && word instanceof Uint8Array) return [index, word];
    throw broken('a word of the vocabulary has no number');
  });
}

function broken(reason: string): TahoeError {
  return new TahoeError('ERR_BANANA', { reason });
}
