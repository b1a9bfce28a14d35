/** Has the gateway read every share of a tree whole, after a backup. */
import { DeepCheckCounts } from '../deep-check-counts.js';
import type { GatewayClient } from '../gateway-client.js';
import { eachObject } from '../line-stream.js';
import { addressOf } from '../remote-path.js';

/** How long one file may be verified without a word, in milliseconds: a day. */
const ONE_FILE_MS = 86_400_000;

/** What was found: a line for what is damaged, and a summary. */
export interface VerificationResult {
  readonly unhealthy: number;
  readonly lines: readonly string[];
}

/** @param root - the capability of the tree. @throws what the gateway's client throws. */
export async function verifyTree(
  client: GatewayClient,
  root: string,
  signal: AbortSignal,
): Promise<VerificationResult> {
  const counts = new DeepCheckCounts({ isRepair: false, isVerbose: false });
  const lines: string[] = [];
  const address = `${addressOf({ root, path: '' })}?t=stream-deep-check&verify=true`;
  const isWhole = await eachObject(
    await client.stream(address, { signal, pieceMs: ONE_FILE_MS }),
    (fields) => {
      lines.push(...counts.add(fields));
      return Promise.resolve();
    },
    (line) => {
      lines.push(line);
      return Promise.resolve();
    },
  );
  return {
    unhealthy: isWhole ? counts.unhealthy : Math.max(1, counts.unhealthy),
    lines: [...lines, ...counts.summary()],
  };
}
