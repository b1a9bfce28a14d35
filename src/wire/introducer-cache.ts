/**
 * private/introducer_NAME_cache.yaml: the reference's memory of what an introducer told it, written so that a node
 * directory runs under both programs. Each entry has besides the reference's `ann` and `key_s` the signed text itself.
 *
 *     - {"ann": {…}, "key_s": "v0-…", "msg": "…", "sig": "v0-…"}
 *
 * JSON in lines is YAML as PyYAML reads it, once all that is not ASCII is escaped its way. The reference believes this
 * file as it stands; we read only what is signed, from a file of our own.
 * @see Tahoe-LAFS src/allmydata/introducer/client.py, `_save_announcements`
 */
import { fromUtf8 } from '#core/bytes.js';
import type { VerifiedAnnouncement } from './signed-announcement.js';

/** One entry, with its line end. Secret, as its message is. */
export function dangerouslyFormatCacheEntry({ fields, signed }: VerifiedAnnouncement): string {
  const { key, message, signature } = signed;
  const entry = { ann: Object.fromEntries(fields), key_s: key, msg: fromUtf8(message), sig: signature };
  return `- ${JSON.stringify(entry).replaceAll(/[^\x20-\x7e]/gu, escapeOne)}\n`;
}

function escapeOne(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  return code > 0xffff ? `\\U${code.toString(16).padStart(8, '0')}` : `\\u${code.toString(16).padStart(4, '0')}`;
}
