/** The bulk core: what every byte of a file passes through. See ../portable/bulk.ts, which drives it. */
export { data } from './workspace';
export { state, sha256, sha1 } from './digest';
export { key, schedule, expandKey, applyCounterMode } from './aes';
