/**
 * What an entry tells of its link, not of the file: times, and whatever programs keep there.
 *
 * `tahoe` is the client's own: `linkcrtime` is when the name was first linked, `linkmotime` when it was linked last, in
 * seconds since 1970 as floats. Nobody else sets it. Releases before 1.4 called the first one `ctime`. Where `no-write` is
 * true the child is kept read-only.
 * @see Tahoe-LAFS docs/frontends/webapi.rst, "About the metadata"
 */
import { isJsonObject, isTruthy } from './json-value.js';
import type { JsonObject, JsonValue } from './json-value.js';

/** The metadata of an entry. */
export type Metadata = JsonObject;

/**
 * The metadata of an entry that is linked, or linked anew.
 * @param old - of the entry that has the name; undefined when none has.
 * @param given - replaces all of it but `tahoe`, where the reference's order of keys is kept; undefined keeps it.
 * @param nowSeconds - since 1970.
 */
export function updateMetadata(old: Metadata | undefined, given: Metadata | undefined, nowSeconds: number): Metadata {
  const metadata = new Map(given ?? old);
  const kept = old?.get('tahoe');
  if (given !== undefined) {
    metadata.delete('tahoe');
    if (kept !== undefined) metadata.set('tahoe', kept);
  }
  const system = new Map<string, JsonValue>(isJsonObject(kept) ? kept : []);
  if (!system.has('linkcrtime')) system.set('linkcrtime', old?.get('ctime') ?? nowSeconds);
  system.set('linkmotime', nowSeconds);
  return metadata.set('tahoe', system);
}

/** Whether it asks that the child be kept read-only. */
export function forbidsWriting(metadata: Metadata): boolean {
  return isTruthy(metadata.get('no-write'));
}
