/**
 * Reads the configuration of a running node again. All or nothing: when anything in it is wrong the node goes on with
 * what it had. What was changed is left in logs/reload.json, for `tallac reload` to print.
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { isTahoeError } from '#core/errors.js';
import { changeLine, changesBetween } from './config/changes.js';
import type { Configuration } from './config/configuration.js';
import { replaceFile } from './durable-file.js';
import type { NodeLog } from './log.js';
import type { EncodingSettings, NodeSettings } from './settings.js';

/** Where the last reload is told of, in the node directory. */
export const RELOAD_REPORT = 'logs/reload.json';
const REPORT_MODE = 0o600;

/** What became of a reload. */
export interface ReloadReport {
  /** How many there have been, this one included. */
  readonly count: number;
  readonly pid: number;
  /** A line for each option that was changed. */
  readonly changes: readonly string[];
  /** Why nothing was taken over; undefined when all went well. */
  readonly problem?: string;
}

/** What a node is run with, and may be changed while it runs. */
export class LiveSettings {
  #configuration: Configuration;
  #settings: NodeSettings;
  #count = 0;

  constructor(configuration: Configuration, settings: NodeSettings) {
    this.#configuration = configuration;
    this.#settings = settings;
  }

  /** How new files are encoded now. */
  get encoding(): EncodingSettings {
    return this.#settings.encoding;
  }

  /**
   * Takes over what can be.
   * @param read - reads and checks the configuration anew.
   */
  async reload(
    read: () => Promise<{ readonly configuration: Configuration; readonly settings: NodeSettings }>,
    log: NodeLog,
  ): Promise<ReloadReport> {
    const head = { count: ++this.#count, pid: process.pid };
    try {
      const { configuration, settings } = await read();
      const changes = changesBetween(this.#configuration, configuration);
      this.#configuration = configuration;
      this.#settings = settings;
      log.setLevel(settings.logLevel);
      for (const { name, needsRestart } of changes) log.info('option changed', { option: name, needsRestart });
      return { ...head, changes: changes.map(changeLine) };
    } catch (error) {
      if (!isTahoeError(error)) throw error;
      log.warn('configuration not taken over', { reason: error.message });
      return { ...head, changes: [], problem: error.message };
    }
  }
}

/** Leaves the report where the command finds it. @throws ERR_FILE, ERR_NO_SPACE. */
export async function writeReloadReport(directory: string, report: ReloadReport): Promise<void> {
  await mkdir(join(directory, 'logs'), { recursive: true });
  await replaceFile(join(directory, RELOAD_REPORT), `${JSON.stringify(report)}\n`, REPORT_MODE);
}

/** The report's text as a report; undefined when it is none. */
export function parseReloadReport(text: string): ReloadReport | undefined {
  try {
    const report = JSON.parse(text) as Partial<ReloadReport> | null;
    const isReport =
      typeof report?.count === 'number' && typeof report.pid === 'number' && Array.isArray(report.changes);
    return isReport ? (report as ReloadReport) : undefined;
  } catch {
    return undefined;
  }
}
