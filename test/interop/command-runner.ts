/**
 * Runs one script of commands with both programs and compares what they print. Each program has a directory of its
 * own, with its own aliases, and talks to the same gateway; equal files therefore have equal capabilities.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { commandOf } from '#test/fixtures/process-grid.js';
import type { GridNode, Program } from '#test/fixtures/process-grid.js';

const COMMAND_TIMEOUT_MS = 120_000;

/** What a step may say besides its words. */
export interface StepOptions {
  readonly stdin?: string;
  /** The first line of standard output is kept; later words may name it as `$NAME`. */
  readonly keep?: string;
  /** The lines of standard output come in any order. */
  readonly sorted?: boolean;
  /** Key of an accepted difference: a paragraph of docs/differences-commands.md. */
  readonly differs?: string;
  /** Ours, where a difference is accepted. */
  readonly status?: number;
  /** What ours prints, where a difference is accepted. */
  readonly stdout?: RegExp;
  /** The statuses and the fact of a message are compared, but no text: the reference's is a traceback or a page. */
  readonly loose?: boolean;
  /** The local files of both are compared afterwards. */
  readonly files?: boolean;
}

/** One command. */
export interface Step extends StepOptions {
  readonly words: string;
}

/** What a command did, with what differs from run to run replaced. */
export interface StepOutcome {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly files: readonly string[];
}

/** One program in its directory. */
export class CommandUser {
  readonly program: Program;
  readonly directory: string;
  readonly #kept = new Map<string, string>();

  private constructor(program: Program, directory: string) {
    this.program = program;
    this.directory = directory;
  }

  /** Makes a directory that knows the gateway, and fills it with `files`. */
  static async make(
    program: Program,
    directory: string,
    gateway: GridNode,
    files: Readonly<Record<string, string | Uint8Array>>,
  ): Promise<CommandUser> {
    await mkdir(join(directory, 'node/private'), { recursive: true });
    await mkdir(join(directory, 'home'));
    for (const name of ['node.url', 'private/api_auth_token']) {
      await copyFile(join(gateway.directory, name), join(directory, 'node', name));
    }
    await writeTree(join(directory, 'work'), files);
    return new CommandUser(program, directory);
  }

  /** Has later words find `value` under `$KEY`. */
  keep(key: string, value: string): void {
    this.#kept.set(key, value);
  }

  /** The same directory, used with the other program. */
  as(program: Program): CommandUser {
    return new CommandUser(program, this.directory);
  }

  /** Runs one command to its end. */
  async run(step: Step): Promise<StepOutcome> {
    const words = split(step.words).map((word) => this.#fill(word));
    const [file, args] = commandOf(this.program, words[0] === '!' ? words.slice(1) : ['-d', '../node', ...words]);
    const child = spawn(file, args, {
      cwd: join(this.directory, 'work'),
      env: {
        PATH: process.env['PATH'],
        HOME: join(this.directory, 'home'),
        LANG: 'C.UTF-8',
        TZ: 'UTC',
        COLUMNS: '80',
        PYTHONWARNINGS: 'ignore',
        BROWSER: '/bin/true',
      },
      timeout: COMMAND_TIMEOUT_MS,
    });
    child.stdin.on('error', () => undefined).end(step.stdin ?? '');
    const [stdout, stderr]: Buffer[][] = [[], []];
    child.stdout.on('data', (piece: Buffer) => stdout?.push(piece));
    child.stderr.on('data', (piece: Buffer) => stderr?.push(piece));
    const [status] = (await once(child, 'close')) as [number | null];
    const printed = Buffer.concat(stdout ?? []).toString();
    if (step.keep !== undefined) this.#kept.set(step.keep, printed.trim().split('\n')[0] ?? '');
    const lines = this.#normalize(printed);
    return {
      status,
      stdout: step.sorted === true ? lines.split('\n').sort().join('\n') : lines,
      stderr: this.#normalize(Buffer.concat(stderr ?? []).toString()),
      files: step.files === true ? await this.#files() : [],
    };
  }

  #fill(word: string): string {
    return word.replaceAll(/\$([A-Z][A-Z0-9]*)/g, (_name, key: string) => this.#kept.get(key) ?? `missing-${key}`);
  }

  #normalize(text: string): string {
    return normalizeOutput(
      text.replaceAll(this.directory, '/HERE').replaceAll(this.#kept.get('SHARED') ?? this.directory, '/SHARED'),
    );
  }

  async #files(): Promise<string[]> {
    const root = join(this.directory, 'work');
    const entries = await readdir(root, { recursive: true, withFileTypes: true });
    const lines = entries.map(async (entry) => {
      const path = join(entry.parentPath, entry.name);
      const name = path.slice(root.length + 1);
      if (!entry.isFile()) return `${name}/`;
      return `${name}: ${normalizeOutput((await readFile(path)).toString('latin1'))}`;
    });
    return (await Promise.all(lines)).sort();
  }
}

/** Writes files by their paths. */
export async function writeTree(root: string, files: Readonly<Record<string, string | Uint8Array>>): Promise<void> {
  for (const [name, content] of Object.entries(files)) {
    const path = join(root, name);
    await mkdir(join(path, '..'), { recursive: true });
    await writeFile(path, content);
  }
}

/** Without keys of mutable files, times and what else is new each time. */
export function normalizeOutput(text: string): string {
  return text
    .replaceAll(/URI:((?:DIR2|SSK|MDMF)[A-Za-z-]*):[a-z2-7]{26}:[a-z2-7]{52}/g, (whole, kind: string) =>
      /CHK|LIT/.test(kind) ? whole : `URI:${kind}:#`,
    )
    .replaceAll(/[0-9]{4}-[0-9]{2}-[0-9]{2}_[0-9:]{8}Z/g, 'STAMP')
    .replaceAll(/[0-9]+h [0-9]+m [0-9]+s/g, 'ELAPSED')
    .replaceAll(/elapsed time: [0-9:]+/g, 'elapsed time: ELAPSED')
    .replaceAll(/\b[A-Z][a-z]{2} [0-9]{2} [0-9]{2}:[0-9]{2}\b/g, 'DATE')
    .replaceAll(/("(?:link(?:cr|mo)time|[cm]time)": )[0-9.]+/g, '$1TIME')
    .replaceAll(/(SI |storage index: |"storage-index": "|^)[a-z2-7]{26}(?=["\s,]|$)/gm, '$1INDEX')
    .replaceAll(/^( +(?:size-directories|largest-directory): ).*$/gm, '$1DEPENDS ON TIMES')
    .replaceAll(/127\.0\.0\.1:[0-9]+/g, 'GATEWAY');
}

/** Words between blanks; quotation marks keep blanks in a word. */
function split(line: string): string[] {
  return [...line.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? '');
}
