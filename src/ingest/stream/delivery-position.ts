/** The position of a message in its broker stream, read from the subject that the message is acknowledged on. Pure. */

export interface DeliveryPosition {
  /** How often it was delivered, this time included. */
  readonly deliveries: number;
  readonly streamSequence: number;
  /** Its place among all deliveries of the consumer, from 1 and without a gap as long as nothing got lost on the way. */
  readonly consumerSequence: number;
  /** When the stream stored it, ns since the epoch. A number of JavaScript would round it. */
  readonly storedAtNs: string;
  /** How many messages the consumer has still to deliver after it. */
  readonly pending: number;
}

const SHORT_TOKENS = 9;
/** With a domain and an account in front. */
const LEAST_LONG_TOKENS = 11;

/**
 * From `$JS.ACK.<stream>.<consumer>.<deliveries>.<stream sequence>.<consumer sequence>.<time>.<pending>`, or the longer form
 * `$JS.ACK.<domain>.<account>.<stream>.…` of newer servers. Undefined for what is no such subject.
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
  const isWhole = Number.isSafeInteger(position.streamSequence) && Number.isSafeInteger(position.consumerSequence);
  return isWhole && /^\d+$/.test(position.storedAtNs) ? position : undefined;
}

/** The time of the broker's API (RFC 3339, up to nanoseconds) in ns since the epoch. Undefined for what is no such time. */
export function nanosecondsOf(time: string): string | undefined {
  const match = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)$/.exec(time);
  if (match === null) return undefined;
  const wholeMs = Date.parse(`${match[1]}${match[3]}`);
  return Number.isNaN(wholeMs) ? undefined : String(BigInt(wholeMs) * 1_000_000n + BigInt((match[2] ?? "").padEnd(9, "0")));
}
