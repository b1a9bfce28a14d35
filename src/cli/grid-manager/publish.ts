/**
 * `grid-manager publish`: prints the signed list of the manager's servers, for any web server to hand out.
 * @see docs/server-lists.md
 */
import type { Command } from 'commander';
import { readFile } from 'node:fs/promises';
import { TahoeError } from '#core/errors.js';
import { makeServerList } from '#node/server-list-making.js';
import { resolveLocal } from '../directory-choice.js';
import { localFileError } from '../local-file.js';
import { write, writeLine } from '../output.js';
import { openManager } from './commands.js';
import type { ManagerContext } from './commands.js';

const DAY_MS = 86_400_000;
const DAYS_DEFAULT = '30';
const DAYS_MAX = 365;

interface PublishWords {
  readonly days: string;
  readonly number?: string;
}

/** Adds the command. @param context - is asked for when the command runs. */
export function describePublish(program: Command, context: () => ManagerContext): void {
  program
    .command('publish')
    .description(
      'Prints the signed list of the storage servers. Each FILE is the private/announcement.yaml of one of them. Clients ' +
        'that name the place and the public key in server_lists of their tallac.cfg need no introducer. A server that ' +
        'is not in the next list is given up by them.',
    )
    .argument('<file...>', 'announcements of the servers')
    .option('--days <count>', 'how long the list is valid', DAYS_DEFAULT)
    .option('--number <number>', 'its number, higher than that of the list before (default: one more than the last)')
    .action((files: string[], words: PublishWords) => publish(context(), files, words));
}

async function publish(context: ManagerContext, files: readonly string[], words: PublishWords): Promise<void> {
  const days = wholeNumber('--days', words.days, 1, DAYS_MAX);
  const number =
    words.number === undefined ? undefined : wholeNumber('--number', words.number, 0, Number.MAX_SAFE_INTEGER);
  const announcements = await Promise.all(
    files.map(async (file) => {
      const text = await readFile(resolveLocal(file, context), 'utf8').catch((error: unknown) => {
        throw localFileError(file, error);
      });
      return { file, text };
    }),
  );
  const issuedMs = context.clock.nowMs();
  const opened = await openManager(context);
  const made = await makeServerList({
    ...opened,
    announcements,
    number,
    issuedMs,
    expiresMs: issuedMs + days * DAY_MS,
  });
  for (const warning of made.warnings) await writeLine(context.stderr, `warning: ${warning}`);
  await write(context.stdout, made.document);
}

function wholeNumber(option: string, text: string, minimum: number, maximum: number): number {
  const value = /^[0-9]{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= minimum && value <= maximum) return value;
  const reason = `${option} must be a whole number from ${String(minimum)} to ${String(maximum)}`;
  throw new TahoeError('ERR_USAGE', { reason });
}
