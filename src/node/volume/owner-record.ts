/**
 * What the owner of a store writes about itself: one line of JSON, filled up with blanks to 512 bytes so that it can
 * be written again in its place, which every heartbeat does.
 *
 *     {"format":1,"node":"…","host":"…","bootId":"…","pidNamespace":"…","pid":7,"startTicks":123,"heartbeatMs":…,
 *      "released":false}
 *
 * The epoch is no part of it: it is the file's name.
 * @see owner-lock.ts
 */
import type { ProcessIdentity } from '../process-identity.js';

/** The size of a record, in bytes. */
export const OWNER_RECORD_SIZE = 512;
const HOST_LENGTH_MAX = 64;

/** Who owns a store. */
export interface OwnerRecord extends ProcessIdentity {
  /** The tub id of the node. */
  readonly node: string;
  /** When it last said that it lives: its own clock, Unix milliseconds. Only that it changes means anything. */
  readonly heartbeatMs: number;
  /** Whether it has let go of the store. */
  readonly released: boolean;
}

/** The record's text: 512 characters, all ASCII. */
export function formatOwnerRecord(record: OwnerRecord): string {
  const host = record.host.replaceAll(/[^\x21-\x7e]|["\\]/g, '?').slice(0, HOST_LENGTH_MAX);
  const { node, bootId, pidNamespace, pid, startTicks, heartbeatMs, released } = record;
  const text = JSON.stringify({
    format: 1,
    node,
    host,
    bootId,
    pidNamespace,
    pid,
    startTicks,
    heartbeatMs,
    released,
  });
  return `${text.padEnd(OWNER_RECORD_SIZE - 1)}\n`;
}

/** @returns undefined when the text is no record: it is being written, or was cut by a crash. */
export function parseOwnerRecord(text: string): OwnerRecord | undefined {
  const fields = parseObject(text);
  const { node, host, bootId, pidNamespace, pid, startTicks, heartbeatMs, released } = fields;
  if (fields['format'] !== 1 || typeof released !== 'boolean') return undefined;
  if (typeof node !== 'string' || typeof host !== 'string') return undefined;
  if (typeof bootId !== 'string' || typeof pidNamespace !== 'string') return undefined;
  if (!isCount(pid) || !isCount(startTicks) || !isCount(heartbeatMs)) return undefined;
  return { node, host, bootId, pidNamespace, pid, startTicks, heartbeatMs, released };
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

/** The fields of a JSON object; none when the text is something else. */
function parseObject(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? { ...value } : {};
  } catch {
    return {};
  }
}
