/**
 * One request of the script that runs against both gateways. A path and a text body hold places, `{name}`, for what an
 * earlier step of the same side has saved; in a path it is percent-encoded.
 */

/** How two answers of status 200 are held against each other. */
export type Comparison =
  | 'text'
  /** JSON whose lists are in no order. */
  | 'unordered'
  /** Lines of such JSON, in no order. */
  | 'lines'
  /** Status and type alone: what is in it is each program's own. */
  | 'kind';

/** A difference that is accepted: its number in docs/differences.md, and what we answer. */
export interface AcceptedDifference {
  readonly number: string;
  readonly status: number;
}

/** One request, and what is made of its answer. */
export interface Step {
  readonly method: 'GET' | 'HEAD' | 'PUT' | 'POST' | 'DELETE';
  readonly path: string;
  readonly body?: string | Uint8Array;
  readonly headers?: Readonly<Record<string, string>>;
  /** Keeps the answer's body, or its entity tag, under this name. */
  readonly save?: string;
  readonly saveTag?: string;
  readonly comparison?: Comparison;
  readonly differs?: AcceptedDifference;
  /** A file of the gateway's directory that is written before. */
  readonly writes?: { readonly file: string; readonly text: string };
  /** Asks again until the answer's body matches. */
  readonly until?: RegExp;
}

type More = Omit<Step, 'method' | 'path' | 'body'>;

export function get(path: string, more: More = {}): Step {
  return { method: 'GET', path, ...more };
}

export function head(path: string, more: More = {}): Step {
  return { method: 'HEAD', path, ...more };
}

export function put(path: string, body: string | Uint8Array = '', more: More = {}): Step {
  return { method: 'PUT', path, body, ...more };
}

export function post(path: string, body: string | Uint8Array = '', more: More = {}): Step {
  return { method: 'POST', path, body, ...more };
}

export function del(path: string, more: More = {}): Step {
  return { method: 'DELETE', path, ...more };
}

/** A form as browsers send it; a value with a `file` is one that was chosen from the disk. */
export function form(
  path: string,
  fields: Readonly<Record<string, string | { readonly file: string; readonly name?: string }>>,
  more: More = {},
): Step {
  const boundary = '-----------------------------8721656041911415653955004498';
  const parts = Object.entries(fields).map(([name, value]) => {
    const [fileName, text] = typeof value === 'string' ? [undefined, value] : [value.name, value.file];
    const named = fileName === undefined ? '' : `; filename="${fileName}"`;
    const type = typeof value === 'string' ? '' : 'Content-Type: application/octet-stream\r\n';
    return `--${boundary}\r\nContent-Disposition: form-data; name="${name}"${named}\r\n${type}\r\n${text}\r\n`;
  });
  const headers = { ...more.headers, 'content-type': `multipart/form-data; boundary=${boundary}` };
  return post(path, `${parts.join('')}--${boundary}--\r\n`, { ...more, headers });
}

/** A form as browsers send it when nothing is chosen from the disk. */
export function plainForm(path: string, fields: Readonly<Record<string, string>>, more: More = {}): Step {
  const headers = { ...more.headers, 'content-type': 'application/x-www-form-urlencoded' };
  return post(path, new URLSearchParams(fields).toString(), { ...more, headers });
}

/** Where the reference answers a fault of the sender with a fault of its own, we refuse in words. */
export function crash(step: Step, status = 400): Step {
  return { ...step, differs: { number: 'W1', status } };
}

/** An accepted difference. @param number - in docs/differences.md. @param status - ours. */
export function differs(number: string, status: number, step: Step): Step {
  return { ...step, differs: { number, status } };
}
