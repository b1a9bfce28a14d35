/** Whose the directory is, where more than one process could write it: a lock that others can take over. */
export interface StoreOwnership {
  /** Why it is not ours any more; undefined as long as nothing says so. */
  readonly lost: string | undefined;
  /** Looks again when it has not for a while. @throws when it is not ours, or nobody can tell. */
  assertOwner(): Promise<void>;
}
