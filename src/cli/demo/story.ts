/**
 * The demonstration's narrator: what happens with the time at which it happened, and between the steps sentences
 * that explain it. Times are seconds since the beginning.
 */
import type { CommandContext } from '../context.js';
import { writeLine } from '../output.js';

const INDENT = ' '.repeat(10);

/** Tells the story on standard output; says nothing when the command is quiet. */
export class Story {
  readonly #context: CommandContext;
  readonly #startMs: number;

  constructor(context: CommandContext) {
    this.#context = context;
    this.#startMs = context.clock.monotonicMs();
  }

  /** Seconds since the beginning, with one decimal. */
  get elapsedSeconds(): string {
    return ((this.#context.clock.monotonicMs() - this.#startMs) / 1000).toFixed(1);
  }

  /** Something has happened. */
  async step(text: string): Promise<void> {
    await this.#print(`[${this.elapsedSeconds.padStart(5)} s] ${text}`);
  }

  /** What it means: lines under the step. */
  async explain(...lines: readonly string[]): Promise<void> {
    for (const line of lines) await this.#print(INDENT + line);
  }

  async #print(line: string): Promise<void> {
    if (!this.#context.isQuiet) await writeLine(this.#context.stdout, line);
  }
}
