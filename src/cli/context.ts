/**
 * What a command is: a module under commands/ that describes its words to commander and does its work with what
 * it is handed. Commands touch neither `process` nor the clock by themselves, so tests can run them in place.
 */
import type { Readable, Writable } from 'node:stream';
import type { Command } from 'commander';
import type { Clock } from '#core/environment.js';
import type { LogDestination } from '#node/logs/destination.js';

/** Where lines for people go; a terminal says so and how wide it is. */
export type MessageStream = Writable & { readonly isTTY?: boolean; readonly columns?: number };

/** What surrounds the whole program. */
export interface Surroundings {
  /** `tallac` or `tahoe`: what it was called as. */
  readonly programName: string;
  readonly stdin: Readable;
  readonly stdout: Writable;
  readonly stderr: MessageStream;
  readonly environment: NodeJS.ProcessEnv;
  /** Absolute; relative paths start here. */
  readonly workingDirectory: string;
  /** Absolute; `~` and the default node directory start here. */
  readonly homeDirectory: string;
  readonly clock: Clock;
}

/** The surroundings and what the global options said. */
export interface CommandContext extends Surroundings {
  /** The value of -d as it was typed; undefined when it was not given. */
  readonly nodeDirectory: string | undefined;
  /** No reports, no progress: only what was asked for, and errors. */
  readonly isQuiet: boolean;
  /** Where invitations are exchanged, and under which name; undefined when that was not given. */
  readonly wormholeServer?: string | undefined;
  readonly wormholeAppId?: string | undefined;
  /** Where the log goes beside standard output, as --eliot-destination said. */
  readonly logDestinations?: readonly LogDestination[];
}

/** A module under commands/ exports one of these as `command`. */
export interface CommandModule {
  /** Adds the command's options, arguments and help. */
  describe(command: Command): void;
  /**
   * Does the work.
   * @param command - after parsing: its options and arguments.
   * @returns the exit status.
   * @throws TahoeError for everything that is not a fault of the program.
   */
  run(command: Command, context: CommandContext): Promise<number>;
}
