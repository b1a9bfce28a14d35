/**
 * `debug flogtool`: reads incidents and log files, of this program and of the reference. Of Foolscap's tool it has what
 * reads and writes files; what talks to a node over Foolscap ends with a sentence that says who does it.
 */
import { readFile, stat, writeFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { TahoeError } from '#core/errors.js';
import { FLOG_MAGIC, flogLevels, parseFlog } from '#node/logs/flogfile.js';
import type { FlogLine } from '#node/logs/flogfile.js';
import type { LogEvent } from '#wire/foolscap/logport.js';
import type { CommandContext, CommandModule } from '../context.js';
import { resolveLocal } from '../directory-choice.js';
import { SUCCESS } from '../exit-status.js';
import { localFileError } from '../local-file.js';
import { writeLine } from '../output.js';

/** A larger file is to be cut with `filter` of the reference's tool, or with grep. */
const FILE_SIZE_MAX = 256 << 20;
const MODE = 0o600;

const elsewhere: Readonly<Record<string, string>> = {
  tail: "Foolscap's flogtool follows a node by its private/logport.furl; without it follow /private/logs/v1, or 'tail -f' a file of --eliot-destination",
  'web-viewer': 'there is no page for logs; dump prints them',
  'create-gatherer': "Foolscap's flogtool makes gatherers; [node]log_gatherer.furl names one to a node",
  'create-incident-gatherer': "Foolscap's flogtool makes gatherers; [node]log_gatherer.furl names one to a node",
  'classify-incident': 'incidents are not classified; dump shows what made one',
};

interface FlogWords {
  readonly verbose?: boolean;
  readonly justNumbers?: boolean;
  readonly rxTime?: boolean;
  readonly timestamps: string;
  readonly after?: string;
  readonly before?: string;
  readonly above?: string;
  readonly from?: string;
  readonly stripFacility?: string;
}

/** Reads. */
export const command: CommandModule = {
  describe(command) {
    command
      .usage('dump [options] FILE\nfilter [options] OLDFILE NEWFILE')
      .description('Prints the events of an incident or a log file, or writes some of them into a new file.')
      .argument('<word>', 'dump or filter')
      .argument('[files...]', 'an incident of logs/incidents, a flogfile, or a log file of JSON lines')
      .option('-v, --verbose', 'dump: print all of each event')
      .option('-n, --just-numbers', 'dump: print only times and numbers')
      .option('-r, --rx-time', 'dump: also print when an event was received')
      .option('-t, --timestamps <format>', 'dump: short-local, long-local, utc or epoch', 'short-local')
      .option('--after <seconds>', 'filter: events after this Unix time')
      .option('--before <seconds>', 'filter: events before this Unix time')
      .option('--above <level>', 'filter: events of this severity or more, such as WEIRD or 30')
      .option('--from <prefix>', 'filter: events of these tubs')
      .option('--strip-facility <prefix>', 'filter: no events of this facility');
  },

  async run(command, context) {
    const [word = '', ...files] = command.args;
    if (word === 'dump') await dump(files, command, context);
    else if (word === 'filter') await filter(files, command, context);
    else {
      const reason = elsewhere[word] ?? `there is no '${word}': dump and filter are known`;
      throw new TahoeError('ERR_USAGE', { reason: `flogtool ${word}: ${reason}` });
    }
    return SUCCESS;
  },
};

async function dump(files: readonly string[], command: Command, context: CommandContext): Promise<void> {
  const words = command.opts<FlogWords>();
  if (!['short-local', 'long-local', 'utc', 'epoch'].includes(words.timestamps))
    throw new TahoeError('ERR_USAGE', { reason: `there is no format '${words.timestamps}' of timestamps` });
  const [file, ...more] = files;
  if (file === undefined || more.length > 0) throw new TahoeError('ERR_USAGE', { reason: 'dump takes one FILE' });
  let trigger: LogEvent | undefined;
  for (const line of await readFlog(file, context)) {
    trigger ??= line.trigger;
    for (const text of dumpedLines(line, trigger, words)) await writeLine(context.stdout, text);
  }
}

function dumpedLines(line: FlogLine, trigger: LogEvent | undefined, words: FlogWords): string[] {
  const { event, from = '', pid, text, versions } = line;
  if (event === undefined) {
    if (words.verbose === true) return [text];
    if (words.justNumbers === true) return [];
    const names = Object.keys(versions ?? {}).sort();
    const width = Math.max(0, ...names.map((name) => name.length));
    const known = names.map((name) => `${name.padStart(width)}: ${versions?.[name] ?? ''}`);
    const head = versions === undefined ? [] : ['Application versions (embedded in logfile):', ...known];
    return [...head, ...(pid === undefined ? [] : [`PID: ${String(pid)}`]), ''];
  }
  const when = formatTime(event.time, words.timestamps);
  if (words.justNumbers === true) return [`${when} ${String(event.num)}`];
  const isTrigger = trigger?.num === event.num && trigger.incarnation[0] === event.incarnation[0];
  const times = words.rxTime === true ? `rx(${when}) emit(${when})` : when;
  const all = words.verbose === true ? `: ${text}` : '';
  const mark = isTrigger ? ' [INCIDENT-TRIGGER]' : '';
  return [`${from.slice(0, 8)}#${String(event.num)} ${times}: ${event.message}${all}${mark}`];
}

/** Fractions are cut, not rounded, as Foolscap does. */
function formatTime(seconds: number, format: string): string {
  if (format === 'epoch') return seconds.toFixed(3);
  const whole = Math.trunc(seconds);
  const fraction = (digits: number): string =>
    String(Math.trunc(10 ** digits * (seconds - whole))).padStart(digits, '0');
  const minutesEast = format === 'utc' ? 0 : -new Date(whole * 1000).getTimezoneOffset();
  const [day = '', time = ''] = new Date((whole + 60 * minutesEast) * 1000).toISOString().slice(0, 19).split('T');
  if (format === 'short-local') return `${time}.${fraction(3)}`;
  return `${day}_${time}.${fraction(6)}${format === 'utc' ? 'Z' : zoneOf(minutesEast)}`;
}

function zoneOf(minutes: number): string {
  const digits = (value: number): string => String(value).padStart(2, '0');
  const size = Math.abs(minutes);
  return `${minutes < 0 ? '-' : '+'}${digits(Math.trunc(size / 60))}${digits(size % 60)}`;
}

async function filter(files: readonly string[], command: Command, context: CommandContext): Promise<void> {
  const [from, to, ...more] = files;
  if (from === undefined || to === undefined || more.length > 0)
    throw new TahoeError('ERR_USAGE', { reason: 'filter takes OLDFILE and NEWFILE' });
  const isWanted = wantedBy(command.opts<FlogWords>());
  const lines = await readFlog(from, context);
  const kept = lines.filter(({ event, from: tub = '' }) => event === undefined || isWanted(event, tub));
  const path = resolveLocal(to, context);
  try {
    await writeFile(path, `${[FLOG_MAGIC, ...kept.map(({ text }) => text)].join('\n')}\n`, { mode: MODE });
  } catch (error) {
    throw localFileError(path, error);
  }
  await writeLine(context.stdout, `copied ${String(kept.length)} of ${String(lines.length)} events into new file`);
}

function wantedBy(words: FlogWords): (event: LogEvent, tub: string) => boolean {
  const { from = '', stripFacility } = words;
  const after = numberOf('--after', words.after) ?? Number.NEGATIVE_INFINITY;
  const before = numberOf('--before', words.before) ?? Number.POSITIVE_INFINITY;
  const above = flogLevels[words.above ?? ''] ?? numberOf('--above', words.above) ?? 0;
  return ({ facility, level, time }, tub) =>
    time > after &&
    time < before &&
    level >= above &&
    tub.startsWith(from) &&
    (stripFacility === undefined || !facility.startsWith(stripFacility));
}

function numberOf(option: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (/^[0-9]{1,15}$/.test(text)) return Number(text);
  throw new TahoeError('ERR_USAGE', { reason: `${option}: '${text}' is not a number` });
}

async function readFlog(name: string, context: CommandContext): Promise<readonly FlogLine[]> {
  if (name.endsWith('.bz2'))
    throw new TahoeError('ERR_USAGE', { reason: `'${name}' is compressed; unpack it with bunzip2 first` });
  const path = resolveLocal(name, context);
  try {
    const { size } = await stat(path);
    if (size > FILE_SIZE_MAX) throw new TahoeError('ERR_TOO_LARGE', { what: `'${path}'`, limitBytes: FILE_SIZE_MAX });
    return parseFlog(await readFile(path, 'utf8'), name);
  } catch (error) {
    if (error instanceof TahoeError) throw error;
    throw localFileError(path, error);
  }
}
