/** Whether to believe a broker whose stream ends before the log's cursor. */
import { PartnerdError } from "../../base/errors.ts";
import { type Cursor, isSameStream } from "../../store/model/cursor.ts";
import type { BrokerLink, BrokerStreamState } from "../broker/broker-port.ts";
import { isBehind } from "./align.ts";
import type { Restart } from "./reading-end.ts";

/** A new leader of a cluster answers from an older state until it has caught up, which takes a moment; a rewound stream stays so. */
const BELIEVED_AFTER_MS = 5_000;
const BELIEVED_LOOKS = 3;

type Connection = Pick<BrokerLink, "state">;

/** An answer was true at some time between `askedMs` and `answeredMs`. Monotonic time. */
interface Look {
  readonly link: Connection;
  readonly found: BrokerStreamState;
  readonly askedMs: number;
  readonly answeredMs: number;
}

export class StaleAnswer {
  readonly #nowMs: () => number;
  /** Looks that found the stream behind, by one leader and over one connection, with no other in between. */
  #run: { readonly first: Look; readonly looks: number } | undefined;

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  async look(link: Connection): Promise<Look> {
    const askedMs = this.#nowMs();
    const found = await link.state();
    const look = { link, found, askedMs, answeredMs: this.#nowMs() };
    // Each leader may lag for a moment of its own, so the next lag is judged from scratch, also if the rest of this look fails.
    if (this.#run !== undefined && !isByOneLeader(this.#run.first, look)) this.#run = undefined;
    return look;
  }

  /**
   * Whether the stream has ended before the cursor, look after look, for long enough to be taken for rewound. Call once for each
   * look that succeeds as a whole. Throws `stream_behind` while it may be a lag.
   */
  isRewound(look: Look, cursor: Cursor | undefined): boolean {
    const { first, looks } = this.#run ?? { first: look, looks: 0 };
    // After a sound answer, and after a rewind, which the log then follows, the next lag is judged from scratch.
    this.#run = undefined;
    if (cursor === undefined || !isBehind(look.found, cursor)) return false;
    if (looks + 1 >= BELIEVED_LOOKS && look.askedMs - first.answeredMs >= BELIEVED_AFTER_MS) return true;
    this.#run = { first, looks: looks + 1 };
    throw behind(look.found, cursor);
  }
}

/**
 * Why the answers that came between these two states of a stream may not fit together; null if they do. A leader that has not caught
 * up knows neither the messages nor the consumer that its predecessor told of.
 */
export function changeBetween(before: BrokerStreamState, after: BrokerStreamState): Restart | null {
  if (!isSameStream(after, before)) return { reason: "stream_recreated" };
  const isConsistent = after.leader === before.leader && after.lastSequence >= before.lastSequence;
  return isConsistent ? null : { reason: "inconsistent_answers" };
}

function isByOneLeader(one: Look, other: Look): boolean {
  return one.link === other.link && one.found.leader === other.found.leader;
}

function behind({ stream, lastSequence }: BrokerStreamState, cursor: Cursor): PartnerdError {
  return new PartnerdError(
    "stream_behind",
    `stream ${stream} ends at sequence ${lastSequence}, but the log has up to ${cursor.sequence}`,
    {
      nextStep:
        "the answer may be out of date; if it stays so, the daemon records that the stream was rewound, and reads it from its start",
    },
  );
}
