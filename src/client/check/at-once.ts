/** Many things of one kind, done a few at a time. */

/**
 * Does `action` for each item, at most `limit` at a time, and begins no more once one has failed.
 * @returns the results in the items' order.
 * @throws what the first failing `action` throws, when those that had begun have ended.
 */
export async function mapAtOnce<Item, Result>(
  items: readonly Item[],
  limit: number,
  action: (item: Item) => Promise<Result>,
): Promise<Result[]> {
  const queue = items.entries();
  const results = new Array<Result>(items.length);
  let hasFailed = false as boolean;
  const work = async (): Promise<void> => {
    for (const [place, item] of queue) {
      if (hasFailed) return;
      try {
        results[place] = await action(item);
      } catch (error) {
        hasFailed = true;
        throw error;
      }
    }
  };
  const outcomes = await Promise.allSettled(Array.from({ length: Math.min(limit, items.length) }, work));
  for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
  return results;
}
