/** Delivery facts as sentences for people. Pure. */
import type { DeliverySpan, MissingMessages } from "../store/fold/delivery-proof.ts";

/** Why messages are missing and which. */
export function missingSentence({ reason, stream, firstSequence, lastSequence }: Omit<MissingMessages, "atMs">): string {
  switch (reason) {
    case "purged":
      return `stream ${stream} no longer holds ${sequences(firstSequence, lastSequence)}, which the log never received`;
    case "recreated":
      return `stream ${stream} was recreated; messages of the old one from sequence ${firstSequence} on may be missing`;
    case "reused":
      return `stream ${stream} was rewound and is reusing sequence numbers; earlier messages from sequence ${firstSequence} on may be missing`;
  }
}

/** How messages arrived during a span. */
export function spanSentence({ stream, firstSequence, why }: DeliverySpan): string {
  if (stream === null) return why === null ? "messages arrive over core NATS" : `messages arrive over core NATS: ${why}`;
  return `follows stream ${stream} from sequence ${firstSequence ?? 1}`;
}

function sequences(first: number, last: number | null): string {
  if (last === null) return `sequences from ${first} on`;
  return first === last ? `sequence ${first}` : `sequences ${first} to ${last}`;
}
