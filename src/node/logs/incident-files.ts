/**
 * The incidents of a node, as files of logs/incidents: which there are, and what is in one. Those of the reference that it has
 * left uncompressed are among them. An incident goes by the name of its file without the ending.
 */
import { constants } from 'node:fs';
import { open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { redact } from '../log.js';
import { parseFlog } from './flogfile.js';
import type { LogEvent } from '#wire/foolscap/logport.js';

/** How many incidents are kept, and told of. */
export const INCIDENT_COUNT_MAX = 100;
/** Of a larger file nothing is read, in bytes: one of ours has at most 500 lines of 4096 characters and their frames. */
export const INCIDENT_SIZE_MAX = 8 << 20;
/** Events of one incident; the first ones of more are left out. */
const EVENT_COUNT_MAX = 2000;
/** The most of a file that its first two lines may take, in bytes. */
const HEAD_SIZE_MAX = 64 * 1024;

const ENDING = '.flog';
const NAME = /^incident-[0-9-]+Z-[a-z0-9-]+$/;

/** What one file holds. */
export interface Incident {
  readonly trigger: LogEvent;
  readonly pid: number;
  readonly versions: Readonly<Record<string, string>>;
  readonly events: readonly LogEvent[];
}

/** The name of an incident by that of its file; undefined when it is no incident. */
export function incidentOfFile(file: string): string | undefined {
  const name = file.endsWith(ENDING) ? file.slice(0, -ENDING.length) : '';
  return NAME.test(name) ? name : undefined;
}

/** The file of an incident. */
export function incidentFile(directory: string, name: string): string {
  return join(directory, name + ENDING);
}

/**
 * The names of those that come after `since`, in their order, which is that of time: the last ones where there are many.
 * None where the directory cannot be read.
 */
export async function listIncidents(directory: string, since: string): Promise<readonly string[]> {
  const files = await readdir(directory).catch(() => []);
  const names = files.flatMap((file) => incidentOfFile(file) ?? []);
  return names
    .filter((name) => name > since)
    .sort()
    .slice(-INCIDENT_COUNT_MAX);
}

/** What made an incident; undefined when its file cannot be read. */
export async function readTrigger(directory: string, name: string): Promise<LogEvent | undefined> {
  const text = await readStart(directory, name, HEAD_SIZE_MAX);
  return incidentOf(text?.split('\n', 2).join('\n') ?? '', name)?.trigger;
}

/** All of an incident; undefined when there is none of that name, or its file cannot be read. */
export async function readIncident(directory: string, name: string): Promise<Incident | undefined> {
  return incidentOf((await readStart(directory, name, INCIDENT_SIZE_MAX)) ?? '', name);
}

function incidentOf(text: string, name: string): Incident | undefined {
  try {
    const [head, ...lines] = parseFlog(text, name);
    if (head?.trigger === undefined) return undefined;
    const events = lines.flatMap(({ event }) => event ?? []).slice(-EVENT_COUNT_MAX);
    const { pid = 0, trigger, versions = {} } = head;
    return { trigger: clean(trigger), pid, versions, events: events.map(clean) };
  } catch {
    return undefined; // not a flogfile
  }
}

/** A file may be of a program that is less careful with secrets. */
function clean(event: LogEvent): LogEvent {
  return { ...event, facility: redact(event.facility), message: redact(event.message) };
}

/** The first `length` bytes of a file that is not too large; undefined where there is none. */
async function readStart(directory: string, name: string, length: number): Promise<string | undefined> {
  if (!NAME.test(name)) return undefined;
  try {
    // Whoever opens a pipe would wait for its other end.
    const file = await open(incidentFile(directory, name), constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const found = await file.stat();
      if (!found.isFile() || found.size > INCIDENT_SIZE_MAX) return undefined;
      const bytes = Buffer.alloc(Math.min(found.size, length));
      const { bytesRead } = await file.read(bytes, 0, bytes.length, 0);
      return bytes.subarray(0, bytesRead).toString('utf8');
    } finally {
      await file.close();
    }
  } catch {
    return undefined; // it has gone, or is not ours to read
  }
}
