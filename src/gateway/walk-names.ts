/** The operations that walk through all that a directory leads to, as `t=` names them. */

const WALKS = [
  'stream-manifest',
  'stream-deep-check',
  'start-manifest',
  'start-deep-size',
  'start-deep-stats',
  'start-deep-check',
];

/** Whether it is one of these. */
export function isWalk(operation: string): boolean {
  return WALKS.includes(operation);
}
