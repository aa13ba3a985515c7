/** The position of a message in its broker stream, read from its acknowledgement subject. Pure. */

export interface DeliveryPosition {
  /** How often it has been delivered, including this time. */
  readonly deliveries: number;
  readonly streamSequence: number;
  /** Its number among the consumer's deliveries, from 1; gapless unless a delivery is lost on the way. */
  readonly consumerSequence: number;
  /** When the stream stored it, ns since the epoch. Text, because a JavaScript number would round it. */
  readonly storedAtNs: string;
  /** How many messages the consumer has yet to deliver after it. */
  readonly pending: number;
}

const SHORT_TOKENS = 9;
/** With domain and account. */
const LEAST_LONG_TOKENS = 11;

/**
 * From `$JS.ACK.<stream>.<consumer>.<deliveries>.<stream sequence>.<consumer sequence>.<time>.<pending>`, or the longer form
 * `$JS.ACK.<domain>.<account>.<stream>.…` of newer servers. Undefined for any other subject.
 */
export function deliveryPositionOf(ackSubject: string | undefined): DeliveryPosition | undefined {
  const tokens = ackSubject?.split(".") ?? [];
  if (tokens[0] !== "$JS" || tokens[1] !== "ACK") return undefined;
  if (tokens.length !== SHORT_TOKENS && tokens.length < LEAST_LONG_TOKENS) return undefined;
  const at = tokens.length === SHORT_TOKENS ? 4 : 6;
  const position = {
    deliveries: Number(tokens[at]),
    streamSequence: Number(tokens[at + 1]),
    consumerSequence: Number(tokens[at + 2]),
    storedAtNs: tokens[at + 3] ?? "",
    pending: Number(tokens[at + 4]),
  };
  // A sequence that is not exact would be another one in the log.
  const areWhole = tokens.slice(at, at + 5).every((token) => /^\d{1,20}$/.test(token)) && tokens.length >= at + 5;
  const counts = [position.deliveries, position.streamSequence, position.consumerSequence];
  const areExact = counts.every((value) => Number.isSafeInteger(value) && value > 0) && Number.isSafeInteger(position.pending);
  return areWhole && areExact ? position : undefined;
}

/** A time of the broker's API (RFC 3339, up to nanoseconds) in ns since the epoch. Undefined if `time` is not one. */
export function nanosecondsOf(time: string): string | undefined {
  const match = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)$/.exec(time);
  if (match === null) return undefined;
  const wholeMs = Date.parse(`${match[1]}${match[3]}`);
  return Number.isNaN(wholeMs) ? undefined : String(BigInt(wholeMs) * 1_000_000n + BigInt((match[2] ?? "").padEnd(9, "0")));
}
