/** A message in a simulated broker stream, and the part of that stream that a consumer reads. */

/** A message stored in the stream. */
export interface StoredMessage {
  /** The creation time of its stream. */
  readonly created: string;
  readonly sequence: number;
  readonly subject: string;
  readonly bytes: Uint8Array;
  /** In ns since the epoch. */
  readonly storedAtNs: string;
  /** As computed by dedupe-key.ts. */
  readonly messageHash: string;
  readonly dedupeKey: string;
  /** The extra delay, in ms, of each copy of its first delivery. Redeliveries arrive once and without delay. */
  readonly deliveries: readonly number[];
}

/** The part of a stream that its consumer reads. */
export interface StoredMessages {
  readonly name: string;
  at(sequence: number): StoredMessage | undefined;
  /** The first message held at or after `sequence`. */
  from(sequence: number): StoredMessage | undefined;
  /** The number of messages held at or after `sequence`. */
  pendingFrom(sequence: number): number;
  /** The extra delays of its next delivery. Only the first delivery is subject to faults. */
  deliveriesOf(message: StoredMessage): readonly number[];
}
