/** How much of anything a peer may send before it is cut off. */

/** The limits of one connection. Sizes in bytes. */
export interface BananaLimits {
  /** One message with everything in it. */
  readonly messageSizeMax: number;
  /** Tokens of one message: each costs memory whatever its size. */
  readonly tokenCountMax: number;
}

/** For a peer that has not named anything that is registered here, and was not asked for: a name is all it may send. */
export const strangerLimits: BananaLimits = { messageSizeMax: 16 * 1024, tokenCountMax: 256 };
/** For all others. A mutable share travels in one message. */
export const knownLimits: BananaLimits = { messageSizeMax: 128 << 20, tokenCountMax: 400_000 };

/** How deep values may lie in one another. */
export const DEPTH_MAX = 64;
/** Items of one tuple. */
export const TUPLE_LENGTH_MAX = 1000;
/** Digits in front of a token's type. */
export const PREFIX_LENGTH_MAX = 64;
/** The text of an ERROR token, and the digits of an integer beyond 31 bits. */
export const SHORT_BODY_SIZE_MAX = 1000;
/** Objects of ours that one peer may hold at a time. */
export const EXPORT_COUNT_MAX = 16_384;
/** Objects of a peer's that are known here at a time. */
export const IMPORT_COUNT_MAX = 16_384;
/** Calls of ours to one peer that wait for an answer. */
export const REQUEST_COUNT_MAX = 4096;
/** Calls of one peer that are being answered: from then on nothing is read from it until one ends. */
export const ACTIVE_CALL_COUNT_MAX = 128;
/** Messages that are dealt with in one go, before anything else has its turn. */
export const STEP_MESSAGE_COUNT_MAX = 64;
