/**
 * The lines of `deep-check`, and what they add up to: the reference's, word for word.
 * @see Tahoe-LAFS docs/frontends/CLI.rst, "tahoe deep-check"
 */
import { quoteIfNeeded } from '#node/quoted-path.js';
import { numberIn, objectOf, textIn } from './line-stream.js';
import type { Fields } from './line-stream.js';

/** How often a line tells how far it is. */
const TELL_EACH = 100;

/** What has been counted. */
export class DeepCheckCounts {
  readonly #isRepair: boolean;
  readonly #isVerbose: boolean;
  #checked = 0;
  #healthy = 0;
  #healthyAfter = 0;
  #attempted = 0;
  #successful = 0;

  constructor({ isRepair, isVerbose }: { readonly isRepair: boolean; readonly isVerbose: boolean }) {
    this.#isRepair = isRepair;
    this.#isVerbose = isVerbose;
  }

  /** How many files and directories were not as they should be, at the end. */
  get unhealthy(): number {
    return this.#checked - (this.#isRepair ? this.#healthyAfter : this.#healthy);
  }

  /** Counts one thing. @returns the lines that are printed for it. */
  add(fields: Fields): string[] {
    if (!['file', 'directory'].includes(textIn(fields, 'type'))) return [];
    this.#checked++;
    const tells = this.#checked % TELL_EACH === 0 ? [`${String(this.#checked)} objects checked..`] : [];
    return [...tells, ...(this.#isRepair ? this.#addRepair(fields) : this.#addCheck(fields))];
  }

  /** What is printed at the end. */
  summary(): string[] {
    const pair = (healthy: number): string =>
      `${String(healthy)} healthy, ${String(this.#checked - healthy)} unhealthy`;
    const checked = `done: ${String(this.#checked)} objects checked`;
    if (!this.#isRepair) return [`${checked}, ${pair(this.#healthy)}`];
    const failed = String(this.#attempted - this.#successful);
    return [
      checked,
      ` pre-repair: ${pair(this.#healthy)}`,
      ` ${String(this.#attempted)} repairs attempted, ${String(this.#successful)} successful, ${failed} failed`,
      ` post-repair: ${pair(this.#healthyAfter)}`,
    ];
  }

  #addCheck(fields: Fields): string[] {
    const check = objectOf(fields['check-results']);
    const results = objectOf(check['results']);
    if (results['healthy'] === true) this.#healthy++;
    const summary = 'summary' in check ? textIn(check, 'summary') : 'Healthy (LIT)';
    return [...this.#verboseLine(fields, summary), ...corruptLines(results)];
  }

  #addRepair(fields: Fields): string[] {
    const repair = objectOf(fields['check-and-repair-results']);
    // What has no storage index lies whole in its capability: nothing was checked.
    const isStored = textIn(fields, 'storage-index') !== '';
    const before = isStored ? resultsOf(repair['pre-repair-results']) : { healthy: true };
    const after = isStored ? resultsOf(repair['post-repair-results']) : before;
    const isHealthy = before['healthy'] === true;
    if (isHealthy) this.#healthy++;
    if (after['healthy'] === true) this.#healthyAfter++;
    const isAttempted = repair['repair-attempted'] === true;
    const isSuccessful = repair['repair-successful'] === true;
    if (isAttempted) this.#attempted++;
    if (isAttempted && isSuccessful) this.#successful++;
    return [
      ...this.#verboseLine(fields, isHealthy ? 'healthy' : 'not healthy'),
      ...corruptLines(before),
      ...(isAttempted ? [isSuccessful ? ' repair successful' : ' repair failed'] : []),
    ];
  }

  #verboseLine({ path }: Fields, summary: string): string[] {
    if (!this.#isVerbose) return [];
    const names = Array.isArray(path) ? path.filter((name) => typeof name === 'string') : [];
    return [`${quoteIfNeeded(names.length === 0 ? '<root>' : names.join('/'), true)}: ${summary}`];
  }
}

function resultsOf(check: unknown): Fields {
  return objectOf(objectOf(check)['results']);
}

function corruptLines(results: Fields): string[] {
  const corrupt = results['list-corrupt-shares'];
  if (!Array.isArray(corrupt)) return [];
  return corrupt.map((entry: unknown) => {
    const [server, storageIndex, shareNumber] = Array.isArray(entry) ? (entry as unknown[]) : [];
    const fields = { server, storageIndex, shareNumber };
    const where = `server ${textIn(fields, 'server')}, SI ${textIn(fields, 'storageIndex')}`;
    return ` corrupt: ${where}, shnum ${String(numberIn(fields, 'shareNumber'))}`;
  });
}
