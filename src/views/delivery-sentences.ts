/** Delivery facts as sentences for people. Pure. */
import type { DeliverySpan, MissingMessages, Rollback } from "../store/fold/delivery-proof.ts";

/** Why messages are missing and which. */
export function missingSentence({ reason, stream, firstSequence, lastSequence }: Omit<MissingMessages, "atMs">): string {
  switch (reason) {
    case "purged":
      return `stream ${stream} no longer holds ${sequences(firstSequence, lastSequence)}, which the log lacks`;
    case "recreated":
      return `stream ${stream} was recreated; messages of the old one from sequence ${firstSequence} on may be missing`;
    case "reused":
      return `stream ${stream} was rewound and is reusing sequence numbers; earlier messages from sequence ${firstSequence} on may be missing`;
    case "rolled_back":
      return `stream ${stream} no longer holds ${sequences(firstSequence, lastSequence)}, which the log had before it was rolled back`;
    case "unproven":
      return `stream ${stream} holds nothing to compare with the log; if it was rewound, newer messages with ${sequences(firstSequence, lastSequence)} are missing`;
  }
}

/** How we know that the log is an older copy. */
export function rollbackSentence({ reason, stream, firstSequence, lastSequence }: Omit<Rollback, "atMs">): string {
  if (reason === "published_head")
    return `the log lacks the head that message ${lastSequence} of stream ${stream} names: it is an older copy, was changed, or a copy of it is in use elsewhere`;
  return `the log is an older copy: its consumer had acknowledged ${sequences(firstSequence, lastSequence)} of stream ${stream}, which it lacks; the daemon reads again what the stream still holds`;
}

/** How messages arrived during a span. */
export function spanSentence({ delivery, stream, firstSequence, why }: DeliverySpan): string {
  if (delivery === "not_captured") return `stream ${stream ?? "?"} does not store all events: ${why ?? ""}`;
  if (stream === null) return why === null ? "messages arrive over core NATS" : `messages arrive over core NATS: ${why}`;
  return `follows stream ${stream} from sequence ${firstSequence ?? 1}`;
}

function sequences(first: number, last: number | null): string {
  if (last === null) return `sequences from ${first} on`;
  return first === last ? `sequence ${first}` : `sequences ${first} to ${last}`;
}
