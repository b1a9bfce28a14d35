/** Does the same with every item, a few of them at a time. */

/**
 * The results in the order of the items. After a failure no further item is begun.
 * @param count - how many are under way at a time.
 * @throws what the first failing `action` throws, once all that were begun have ended.
 */
export async function inTurns<Item, Result>(
  count: number,
  items: readonly Item[],
  action: (item: Item) => Promise<Result>,
): Promise<Result[]> {
  const results = new Map<number, Result>();
  const queue = items.entries();
  let isFailed = false;
  const work = async (): Promise<void> => {
    for (const [i, item] of queue) {
      if (isFailed) return;
      results.set(i, await action(item));
    }
  };
  const workers = Array.from({ length: Math.min(count, items.length) }, () =>
    work().catch((error: unknown) => {
      isFailed = true;
      throw error;
    }),
  );
  const failed = (await Promise.allSettled(workers)).find((worker) => worker.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
  return [...results].sort(([a], [b]) => a - b).map(([, result]) => result);
}
