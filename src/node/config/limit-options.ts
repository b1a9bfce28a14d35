/** Options of our own about how much is said and how much may be held, for tallac.cfg. */
import type { Option } from './option.js';
import { integer, oneOf, size, text } from './values.js';

/** Descriptors a process may be given; a larger cap on connections would never be reached. */
const CONNECTIONS_MAX = 1_048_576;
const ROTATED_FILES_MAX = 1000;

type Details<Value> = Omit<Option<Value>, 'file' | 'effect' | 'fallback'> & { readonly fallback: NoInfer<Value> };

const own = <Value>(details: Details<Value>): Option<Value> => ({ file: 'tallac.cfg', effect: 'now', ...details });

/** By the names the code calls them. */
export const limits = {
  logLevel: own({
    section: 'log',
    name: 'level',
    kind: oneOf('debug', 'info', 'warn', 'error'),
    fallback: 'info',
    shown: 'info',
    says: 'The least important lines that are written to standard output: debug, info, warn or error.',
  }),
  logFile: own({
    section: 'log',
    name: 'file',
    kind: text,
    fallback: '',
    shown: '',
    says: 'A file that gets every line as well, as JSON in the shape of Eliot, such as logs/tallac.log; not set, there is none.',
  }),
  logRotateLength: own({
    section: 'log',
    name: 'rotate_length',
    kind: size,
    fallback: 10_000_000,
    shown: '10M',
    says: 'A log file of this size is renamed to FILE.1, that one to FILE.2, and so on.',
  }),
  logRotatedFiles: own({
    section: 'log',
    name: 'max_rotated_files',
    kind: integer(0, ROTATED_FILES_MAX),
    fallback: 10,
    shown: '10',
    says: 'How many of those are kept.',
  }),
  connectionsMax: own({
    section: 'limits',
    name: 'connections',
    kind: integer(1, CONNECTIONS_MAX),
    fallback: 10_000,
    shown: '10000',
    says: 'How many connections each listening port holds at a time; one more is closed at once.',
  }),
  spoolSize: own({
    section: 'limits',
    name: 'spool_size',
    kind: size,
    fallback: 107_374_182_400,
    shown: '100GiB',
    says: 'What all uploads together may take in tempdir while they arrive.',
  }),
  helperSize: own({
    section: 'limits',
    name: 'helper_size',
    kind: size,
    fallback: 107_374_182_400,
    shown: '100GiB',
    says: 'What files that a helper uploads for others may take in helper together.',
  }),
};
