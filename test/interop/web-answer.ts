/** Answers of two gateways, held against each other once keys, times and addresses are taken out of them. */
import { isDeepStrictEqual } from 'node:util';
import type { Comparison, Step } from './web-script/step.js';

/** Headers that clients build on. */
const COMPARED = [
  'content-type',
  'content-disposition',
  'content-encoding',
  'content-range',
  'accept-ranges',
  'www-authenticate',
  'x-frame-options',
  'referrer-policy',
];

/** One gateway's answer. */
export class Answer {
  readonly base: string;
  readonly status: number;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: Buffer;

  constructor(base: string, status: number, headers: Record<string, string | undefined>, body: Buffer) {
    this.base = base;
    this.status = status;
    this.headers = headers;
    this.body = body;
  }

  get text(): string {
    return this.body.toString();
  }

  get type(): string {
    return (this.headers['content-type'] ?? '').split(';')[0] ?? '';
  }

  /** Where it leads, without the gateway's own address. */
  get location(): string | undefined {
    const { location } = this.headers;
    return location === undefined ? undefined : normalized(decodeURIComponent(location.replace(this.base, '/')));
  }
}

/** @returns how they differ; undefined where they do not. */
export function isSameAnswer(step: Step, ours: Answer, reference: Answer): string | undefined {
  if (ours.status !== reference.status) {
    return `status ${String(ours.status)}, not ${String(reference.status)}: ${ours.text.trim().slice(0, 300)} | ${reference.text.replaceAll(/\s+/g, ' ').slice(-300)}`;
  }
  if (ours.status >= 400)
    return ours.type === 'text/plain' || ours.text === '' ? undefined : `an error as ${ours.type}`;
  if (ours.location !== reference.location) return `to ${String(ours.location)}, not ${String(reference.location)}`;
  if (ours.status >= 300) return undefined;
  if (step.comparison === 'kind' && isBareText(ours, reference)) return undefined;
  if (step.comparison === 'kind')
    return ours.type === reference.type ? undefined : `${ours.type}, not ${reference.type}`;
  for (const name of COMPARED) {
    const [left, right] = [ours.headers[name], reference.headers[name]];
    if (name === 'content-type' && isBareText(ours, reference)) continue;
    if (left !== right) return `${name}: ${String(left)}, not ${String(right)}`;
  }
  if (step.method === 'HEAD') {
    const [left, right] = [ours.headers['content-length'], reference.headers['content-length']];
    return left === right ? undefined : `length ${String(left)}, not ${String(right)}`;
  }
  const [left, right] = [ours, reference].map((answer) => comparable(step.comparison ?? 'text', answer));
  return isDeepStrictEqual(left, right) ? undefined : firstDifference(show(left), show(right));
}

/** What the reference leaves at its server's usual type, HTML, though it is a capability or a sentence (W2). */
function isBareText(ours: Answer, reference: Answer): boolean {
  return ours.type === 'text/plain' && reference.type === 'text/html' && !reference.text.trimStart().startsWith('<');
}

function comparable(comparison: Comparison, { text }: Answer): unknown {
  const clean = normalized(text);
  if (comparison === 'unordered') return unordered(JSON.parse(clean));
  if (comparison !== 'lines') return clean;
  return clean
    .trim()
    .split('\n')
    .map((line) => show(unordered(JSON.parse(line))))
    .sort();
}

/** Keys that are random, times, and the sizes of what holds times. */
function normalized(text: string): string {
  return text
    .replaceAll(/(URI:(?:SSK|MDMF|DIR2)[A-Za-z0-9-]*:)[a-z2-7]{26}:[a-z2-7]{52}/g, '$1*')
    .replaceAll(/("format": "[SM]DMF"),\n +"size": [0-9]+(?=,\n +"metadata")/g, '$1')
    .replaceAll(/"link(cr|mo)time": [0-9.e+]+/g, '"link$1time": 0')
    .replaceAll(/seq[0-9]+-[a-z2-7]{4}-sh/g, 'seq*-*-sh')
    .replaceAll(/"(available_space|last_received_data)": ([0-9.e+]+|null)/g, '"$1": 0')
    .replaceAll(/"(size-directories|largest-directory)": [0-9]+/g, '"$1": 0')
    .replaceAll(/"[a-z2-7]{26}"/g, '"*"');
}

function unordered(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(unordered).sort((a, b) => (show(a) < show(b) ? -1 : 1));
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(([name, inner]): [string, unknown] => [
    name,
    name === 'sharemap' ? holders(inner as Record<string, string[]>) : unordered(inner),
  ]);
  return Object.fromEntries(entries.sort());
}

/** Where a mutable file's shares lie follows from its key. */
function holders(sharemap: Readonly<Record<string, readonly string[]>>): unknown {
  const isMutable = Object.keys(sharemap).some((id) => id.startsWith('seq'));
  const entries = Object.entries(sharemap).map(([id, servers]) => [
    id,
    isMutable ? servers.length : unordered(servers),
  ]);
  return Object.fromEntries(entries.sort()) as unknown;
}

function show(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function firstDifference(left: string, right: string): string {
  let at = 0;
  while (at < left.length && left[at] === right[at]) at++;
  const from = Math.max(0, at - 60);
  return `…${left.slice(from, at + 200)}… not …${right.slice(from, at + 200)}…`;
}
