/** Why reading a broker stream ends. */
import type { PartnerdError } from "../../base/errors.ts";

type RestartReason =
  /** An operator asked for a resync. */
  | "resync"
  | "connection_closed"
  | "stopped"
  /** The stream was recreated while the consumer was being placed. */
  | "stream_recreated"
  /** While the stream was compared with the log, its leader changed, or it was rewound. */
  | "inconsistent_answers"
  | "buffer_full"
  /** A delivery is missing, or came a second time. */
  | "delivery_out_of_order"
  /** The consumer skips messages that the stream holds: another daemon has acknowledged them. */
  | "consumer_moved"
  /** The broker, asked about a gap, does not know the message after it: its answer is out of date, or the stream was emptied. */
  | "gap_unconfirmed"
  /** A message without its position in the stream. */
  | "position_missing"
  | "consumer_deleted"
  /** Nothing takes pull requests: the stream or the consumer is gone. */
  | "consumer_missing"
  /** Another daemon recreated it. */
  | "consumer_taken"
  /** Its settings were changed. */
  | "consumer_changed"
  /** The stream captures other subjects than before. */
  | "capture_changed"
  | "pull_refused"
  | "subscription_failed";

/** Reading starts again at the log's cursor. */
export interface Restart {
  readonly reason: RestartReason;
  /** Fields for the log. */
  readonly facts?: Readonly<Record<string, string | number>>;
}

/** Starts again at once, or fails. */
export type ReadingEnd = Restart | PartnerdError;
