/**
 * Small files: all their shares in memory before the first server is asked, so that one request can store them.
 * @see src/wire/whole-shares.ts
 */
import { concat } from '#core/bytes.js';
import type { EncodedShares } from '#core/immutable/encoder.js';
import { encodeShareHeader } from '#core/immutable/layout.js';
import type { WrittenShareLayout } from '#core/immutable/layout.js';
import { fitWholeShares } from '#wire/whole-shares.js';
import { encodedSegments } from './file-encoder.js';
import type { EncodedSegment, FileEncoder, SegmentSource } from './file-encoder.js';

/** All shares of one file. */
export interface WholeShares<Encoded extends EncodedShares> {
  /** By number. */
  readonly shares: ReadonlyMap<number, Uint8Array>;
  readonly encoded: Encoded;
  /** Gives the same segments once more, for servers that want reservations. */
  readonly replay: () => FileEncoder<Encoded>;
}

/** Whether a file is so small that all its shares are made at once. */
export function isSmall({ allocatedSize }: WrittenShareLayout, total: number): boolean {
  return fitWholeShares(Array<number>(total).fill(allocatedSize));
}

/** Makes the shares. @throws what `source` and `encoder` throw. */
export async function makeWholeShares<Encoded extends EncodedShares>(
  source: SegmentSource,
  encoder: FileEncoder<Encoded>,
  layout: WrittenShareLayout,
): Promise<WholeShares<Encoded>> {
  const segments: Uint8Array[][] = [];
  for await (const { blocks, release } of encodedSegments(source, encoder)) {
    segments.push(blocks.map((block) => block.slice()));
    release();
  }
  const encoded = await encoder.finish();
  const header = encodeShareHeader(source.file, layout);
  const shares = encoded.trailers.map((trailer, shareNumber): [number, Uint8Array] => {
    const blocks = segments.map((segment) => segment[shareNumber] ?? new Uint8Array(0));
    return [shareNumber, concat(header, ...blocks, trailer)];
  });
  return { shares: new Map(shares), encoded, replay: () => replayOf(segments, encoded) };
}

function replayOf<Encoded extends EncodedShares>(
  segments: readonly Uint8Array[][],
  encoded: Encoded,
): FileEncoder<Encoded> {
  let next = 0;
  return {
    encode: () => {
      const segment: EncodedSegment = { blocks: segments[next++] ?? [], release: () => undefined };
      return Promise.resolve(segment);
    },
    finish: () => Promise.resolve(encoded),
    close: () => undefined,
  };
}
