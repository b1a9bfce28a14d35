/**
 * Where the log goes beside standard output, in the words of the reference's --eliot-destination:
 *
 *     file:PATH[,rotate_length=BYTES][,max_rotated_files=COUNT]     PATH `-` is standard output
 */
import { TahoeError } from '#core/errors.js';

/** One file of JSON lines, which is turned over when it is full. */
export interface LogDestination {
  readonly path: string;
  readonly rotateLengthBytes: number;
  /** How many full ones are kept. */
  readonly rotatedFilesMax: number;
}

const ROTATE_LENGTH_BYTES = 1_073_741_824;
const ROTATED_FILES_MAX = 10;
const NUMBER = /^[0-9]{1,15}$/;

/** What --help-eliot-destinations prints. */
export const destinationHelp = `Where the log goes beside standard output:

    file:PATH[,rotate_length=BYTES][,max_rotated_files=COUNT]

One JSON object a line. A file that has reached BYTES (${String(ROTATE_LENGTH_BYTES)}) becomes PATH.1, that one PATH.2, and so on; COUNT of
them (${String(ROTATED_FILES_MAX)}) are kept.
`;

/** @throws ERR_USAGE saying what is wrong with it. */
export function parseDestination(text: string): LogDestination {
  const colon = text.indexOf(':');
  if (colon < 0) throw wrong(text, 'it is written as KIND:WORDS');
  if (text.slice(0, colon) !== 'file') throw wrong(text, 'only file: is known');
  if (text.includes('@')) throw wrong(text, 'an @ cannot stand in it');
  const [path = '', ...words] = text.slice(colon + 1).split(',');
  if (path === '') throw wrong(text, 'it names no file');
  const given = new Map(words.map((word) => [word.split('=', 1)[0] ?? '', word.slice(word.indexOf('=') + 1)]));
  const number = (name: string, fallback: number): number => {
    const value = given.get(name) ?? String(fallback);
    if (!NUMBER.test(value)) throw wrong(text, `${name} is not a number`);
    return Number(value);
  };
  for (const name of given.keys())
    if (name !== 'rotate_length' && name !== 'max_rotated_files') throw wrong(text, `'${name}' means nothing there`);
  const rotatedFilesMax = number('max_rotated_files', ROTATED_FILES_MAX);
  return { path, rotateLengthBytes: number('rotate_length', ROTATE_LENGTH_BYTES), rotatedFilesMax };
}

function wrong(text: string, reason: string): TahoeError {
  return new TahoeError('ERR_USAGE', {
    reason: `the log destination '${text}': ${reason}; see --help-eliot-destinations`,
  });
}
