/**
 * Many small files, stored by a gateway with one request: our own addition to the web API, for commands that store trees.
 *
 *     POST /tallac/v1/files      the contents, each as a netstring
 *     →     {"files": [{"capability": "URI:…"} or {"status": 500, "reason": "…"}, …]}, in the same order
 *
 * Each file is stored as `PUT /uri` stores it, and one that cannot be stored keeps no other from it. A gateway without
 * this answers 404, as for every path that it does not know.
 */
import { join } from '#core/bytes.js';
import { TahoeError } from '#core/errors.js';
import { decodeNetstring, encodeNetstring } from '#core/netstring.js';

/** Where they are sent. */
export const SMALL_FILES_PATH = '/tallac/v1/files';
/** The largest file that goes with others, in bytes. */
export const SMALL_FILE_SIZE_MAX = 32 * 1024;
/** Files in one request. */
export const SMALL_FILES_COUNT_MAX = 64;
/** What stands around the bytes of each, at most, in bytes. */
const FRAME_SIZE_MAX = 8;
/** The largest request, in bytes. */
export const SMALL_FILES_REQUEST_SIZE_MAX = SMALL_FILES_COUNT_MAX * (SMALL_FILE_SIZE_MAX + FRAME_SIZE_MAX);

/** What became of one file: its capability, a secret, or the status and sentence that `PUT /uri` would have answered. */
export type SmallFileAnswer = { readonly capability: string } | { readonly status: number; readonly reason: string };

/** The request. */
export function encodeSmallFiles(files: readonly Uint8Array[]): Uint8Array {
  return join(files.map(encodeNetstring));
}

/** @throws ERR_NETSTRING, or ERR_MESSAGE when there is no file, or one that is too large, or too many. */
export function decodeSmallFiles(bytes: Uint8Array): Uint8Array[] {
  const files: Uint8Array[] = [];
  for (let offset = 0; offset < bytes.length;) {
    const { content, end } = decodeNetstring(bytes, offset);
    if (content.length > SMALL_FILE_SIZE_MAX) throw malformed(`a file has over ${String(SMALL_FILE_SIZE_MAX)} bytes`);
    if (files.push(content) > SMALL_FILES_COUNT_MAX)
      throw malformed(`it has over ${String(SMALL_FILES_COUNT_MAX)} files`);
    offset = end;
  }
  if (files.length === 0) throw malformed('it has no file');
  return files;
}

/** The answer. */
export function dangerouslyFormatSmallFilesAnswer(files: readonly SmallFileAnswer[]): string {
  return `${JSON.stringify({ files })}\n`;
}

/** @param count - of the files that were sent. @throws ERR_MESSAGE, which repeats nothing. */
export function parseSmallFilesAnswer(text: string, count: number): readonly SmallFileAnswer[] {
  const files = fieldsOf(parseJson(text))['files'];
  if (!Array.isArray(files) || files.length !== count) throw malformed('it does not tell of each file');
  return files.map((file: unknown) => {
    const { capability, status, reason } = fieldsOf(file);
    if (typeof capability === 'string' && /^(URI:|uri:)\S+$/.test(capability)) return { capability };
    if (typeof status !== 'number' || typeof reason !== 'string')
      throw malformed('it does not tell what became of a file');
    return { status, reason };
  });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The error of JSON.parse repeats the text.
    throw malformed('it is no JSON');
  }
}

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
}

function malformed(reason: string): TahoeError {
  return new TahoeError('ERR_MESSAGE', { what: 'message about small files', reason });
}
