/**
 * The gateway's JSON of a check, as the lines that people and their scripts read: the reference's, word for word.
 * @see Tahoe-LAFS docs/frontends/CLI.rst, "tahoe check"
 */
import { TahoeError } from '#core/errors.js';

/** `json` as lines. @throws ERR_GATEWAY_REPLY when it is not what a check answers. */
export function checkedLines(json: string): string[] {
  const data = objectOf(parse(json));
  return 'pre-repair-results' in data ? repairLines(data) : checkLines(data);
}

function checkLines(data: Fields): string[] {
  const results = objectOf(data['results']);
  const counts = 'count-shares-good' in results ? countLines(results) : [];
  return [
    `Summary: ${textOf(data['summary'] ?? 'Healthy (LIT)')}`,
    ` storage index: ${textOf(data['storage-index'])}`,
    ...counts,
    ...corruptLines(results),
  ];
}

function repairLines(data: Fields): string[] {
  const results = objectOf(objectOf(data['pre-repair-results'])['results']);
  const outcome = data['repair-successful'] === true ? ' repair successful' : ' repair failed';
  return [
    `Summary: ${results['healthy'] === true ? 'healthy' : 'not healthy'}`,
    ` storage index: ${textOf(data['storage-index'])}`,
    ...countLines(results),
    ...corruptLines(results),
    ...(data['repair-attempted'] === true ? [outcome] : []),
  ];
}

function countLines(results: Fields): string[] {
  const count = (name: string): string => String(numberOf(results[name]));
  const encoding = `${count('count-shares-needed')}-of-${count('count-shares-expected')}`;
  return [
    ` good-shares: ${count('count-shares-good')} (encoding is ${encoding})`,
    ` wrong-shares: ${count('count-wrong-shares')}`,
  ];
}

function corruptLines(results: Fields): string[] {
  const corrupt: unknown = results['list-corrupt-shares'] ?? [];
  if (!Array.isArray(corrupt)) throw unexpected();
  if (corrupt.length === 0) return [];
  const lines = corrupt.map((entry: unknown) => {
    const [server, storageIndex, shareNumber] = Array.isArray(entry) ? (entry as unknown[]) : [];
    return `  server ${textOf(server)}, SI ${textOf(storageIndex)}, shnum ${String(numberOf(shareNumber))}`;
  });
  return [' corrupt shares:', ...lines];
}

type Fields = Readonly<Record<string, unknown>>;

function parse(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    throw unexpected();
  }
}

function objectOf(value: unknown): Fields {
  if (typeof value !== 'object' || value === null) throw unexpected();
  return value as Fields;
}

/** Without what could steer a terminal. */
function textOf(value: unknown): string {
  if (typeof value !== 'string') throw unexpected();
  return value.replaceAll(/\p{Cc}/gu, '?');
}

function numberOf(value: unknown): number {
  if (typeof value !== 'number') throw unexpected();
  return value;
}

function unexpected(): TahoeError {
  return new TahoeError('ERR_GATEWAY_REPLY', { status: 200, reason: 'this is not the JSON of a check' });
}
