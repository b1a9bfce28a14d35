/**
 * One script of requests to a gateway of either program on one grid: statuses, types, headers and bodies are equal, once
 * keys and times are taken out. Where we answer otherwise on purpose, the step names the difference, which stands with
 * its reason in docs/differences.md; one that is no difference any more fails too.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { request } from 'undici';
import { seededBytes } from '#test/fixtures/crypto.js';
import { hasReference, ProcessGrid } from '#test/fixtures/process-grid.js';
import type { GridNode } from '#test/fixtures/process-grid.js';
import { Answer, isSameAnswer } from './web-answer.js';
import { storageIndexOfText } from './share-files.js';
import { formatBase32 } from '#core/base32.js';
import { blacklisted } from './web-script/blacklisted.js';
import { checks } from './web-script/checks.js';
import { directories } from './web-script/directories.js';
import { files } from './web-script/files.js';
import { pages } from './web-script/pages.js';
import type { Step } from './web-script/step.js';

const script: readonly Step[] = [...pages, ...files, ...directories, ...checks, ...blacklisted];
const REQUESTS_MIN = 250;
const ASK_AGAIN_MAX = 100;
const PAUSE_MS = 100;
/** The reference asks its servers once a second whether they are there. */
const RECONNECTION_MS = 2_000;

/** One gateway, and what was kept of its answers. */
class Side {
  readonly #gateway: GridNode;
  readonly #kept = new Map<string, string>();

  constructor(gateway: GridNode) {
    this.#gateway = gateway;
  }

  async begin(): Promise<void> {
    this.#kept.set('token', (await this.#gateway.read('private/api_auth_token')).trim());
  }

  async take(step: Step): Promise<Answer> {
    if (step.writes !== undefined) {
      await writeFile(
        join(this.#gateway.directory, step.writes.file),
        this.#filled(step.writes.text, (text) => text),
      );
    }
    let answer = await this.#ask(step);
    for (let i = 0; step.until !== undefined && !step.until.test(answer.text) && i < ASK_AGAIN_MAX; i++) {
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
      answer = await this.#ask(step);
    }
    if (step.save !== undefined) this.#kept.set(step.save, answer.text.trim());
    if (step.saveTag !== undefined) this.#kept.set(step.saveTag, answer.headers.etag ?? '');
    return answer;
  }

  async #ask({ method, path, body, headers = {} }: Step): Promise<Answer> {
    const base = await this.#gateway.url();
    const url = `${base}${this.#filled(path, encodeURIComponent)}`;
    const sent = typeof body === 'string' ? this.#filled(body, (text) => text) : (body ?? null);
    const named = Object.entries(headers).map(([name, value]) => [name, this.#filled(value, (text) => text)]);
    const options = { method, headers: Object.fromEntries(named) as Record<string, string>, body: sent };
    const reply = await request(url, { ...options, signal: AbortSignal.timeout(60_000) }).catch((error: unknown) => {
      if (this.#gateway.program === 'ours') throw error;
    });
    // The reference has answers that are no HTTP.
    if (reply === undefined) return new Answer(base, 500, {}, Buffer.alloc(0));
    const bytes = Buffer.from(await reply.body.arrayBuffer());
    return new Answer(base, reply.statusCode, reply.headers as Record<string, string | undefined>, bytes);
  }

  #indexOf(name: string): string {
    return formatBase32(storageIndexOfText(this.#kept.get(name) ?? ''));
  }

  #filled(text: string, encode: (value: string) => string): string {
    return text.replaceAll(/\{(!?)([a-z-]+)\}/g, (whole, isPlain: string, name: string) => {
      const value = name.endsWith('-index') ? this.#indexOf(name.slice(0, -'-index'.length)) : this.#kept.get(name);
      if (value === undefined) return whole;
      return isPlain === '' ? encode(value) : value;
    });
  }
}

/** The numbers of the differences that are written down. */
async function acceptedDifferences(): Promise<ReadonlySet<string>> {
  const text = await readFile(join(import.meta.dirname, '../../../docs/differences.md'), 'utf8');
  return new Set([...text.matchAll(/^\| (W[0-9]+) \|/gm)].map(([, number = '']) => number));
}

/** The steps that check an object once more: a check itself, or the start of one under another handle and its result. */
function askedAnew(start: Step | undefined, ask: Step | undefined): Step[] {
  if (ask !== undefined && /[?&]t=(?:stream-deep-)?check\b/.test(ask.path)) return [ask];
  const handle = /ophandle=([a-z0-9]+)/.exec(start?.path ?? '')?.[1];
  if (start === undefined || ask === undefined || handle === undefined) return [];
  if (!ask.path.startsWith(`operations/${handle}?`)) return [];
  const renamed = (path: string): string =>
    path.replace(new RegExp(`(ophandle=|operations/)${handle}`), `$1${handle}again`);
  return [start, ask].map((step) => ({ ...step, path: renamed(step.path) }));
}

t.test('one script at two gateways', { skip: hasReference ? false : 'no reference', timeout: 580_000 }, async (t) => {
  const accepted = await acceptedDifferences();
  for (const number of ['W2', 'W4']) t.ok(accepted.has(number), `${number} is written down`);
  t.ok(script.length >= REQUESTS_MIN, `${String(script.length)} requests`);
  const grid = await ProcessGrid.start({
    storage: ['ours', 'reference'],
    gateways: ['ours', 'reference'],
    encoding: { needed: 1, happy: 1, total: 2 },
    convergenceSecret: seededBytes('convergence', 32),
  });
  t.teardown(() => grid.stop());
  const [ours, reference] = [new Side(grid.gateway('ours')), new Side(grid.gateway('reference'))];
  await Promise.all([ours.begin(), reference.begin()]);
  // For a moment now and then the reference does not count a server as connected, and an object as unhealthy.
  const differenceAnew = async (i: number, got: Answer, before: string): Promise<string | undefined> => {
    const steps = askedAnew(script[i - 1], script[i]);
    let difference: string | undefined = before;
    for (const step of steps) {
      await new Promise((resolve) => setTimeout(resolve, RECONNECTION_MS));
      const again = await ours.take(step);
      difference = isSameAnswer(step, again, await reference.take(step));
      // It is the reference that may say something else now, and not ours.
      if (step === steps.at(-1)) difference ??= isSameAnswer(step, again, got);
    }
    return difference;
  };
  for (const [i, step] of script.entries()) {
    const what = `${String(i)} ${step.method} ${step.path}`;
    // One after the other: two uploads of one file at a time are in each other's way.
    const got = await ours.take(step);
    const wanted = await reference.take(step);
    const { differs } = step;
    if (differs === undefined) {
      const before = isSameAnswer(step, got, wanted);
      const difference = before === undefined ? undefined : await differenceAnew(i, got, before);
      t.equal(difference, undefined, `${what}: ${String(wanted.status)}`);
      continue;
    }
    t.ok(accepted.has(differs.number), `${what}: ${differs.number} is written down`);
    t.equal(got.status, differs.status, `${what}: ours`);
    t.not(isSameAnswer(step, got, wanted), undefined, `${what}: differs still (${String(wanted.status)})`);
    t.ok(got.status < 500, `${what}: no fault of ours`);
  }
});
