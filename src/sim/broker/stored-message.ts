/** A message in a simulated broker stream, and what a consumer may read of that stream. */

/** A message that the stream has stored. */
export interface StoredMessage {
  /** When its stream was created. */
  readonly created: string;
  readonly sequence: number;
  readonly subject: string;
  readonly bytes: Uint8Array;
  /** Ns since the epoch. */
  readonly storedAtNs: string;
  /** As dedupe-key.ts makes it. */
  readonly messageHash: string;
  readonly dedupeKey: string;
  /** When copies of its first delivery arrive, ms later than they could; later deliveries arrive once and in time. */
  readonly deliveries: readonly number[];
}

/** What a consumer reads of its stream. */
export interface StoredMessages {
  readonly name: string;
  at(sequence: number): StoredMessage | undefined;
  /** The first message held from `sequence` on. */
  from(sequence: number): StoredMessage | undefined;
  /** How many messages are held from `sequence` on. */
  pendingFrom(sequence: number): number;
  /** When copies of its next delivery arrive. Only the first delivery is subject to faults. */
  deliveriesOf(message: StoredMessage): readonly number[];
}
