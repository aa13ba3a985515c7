/** Breaks of the broker stream (recreated or rewound): which of them the log records, and which messages it may therefore lack. */
import { decodeMessage } from "../../../events/decode.ts";
import type { DeliveryGap } from "../../../events/delivery/delivery-events.ts";
import { DEFAULT_LIMITS, DEFAULT_VOCABULARY } from "../../../events/vocabulary.ts";
import type { Cursor } from "../../../store/model/cursor.ts";
import type { StoredMessage } from "../../broker/stored-message.ts";
import type { SimBrokerStream } from "../../broker/stream.ts";
import type { Invariant, Scene } from "../invariant.ts";
import { IngestQueries } from "./ingest-queries.ts";

/** Shared by the ingest invariants. */
export class StreamBreaks {
  readonly onDisk: IngestQueries;
  readonly #scene: Scene;
  readonly #stream: SimBrokerStream;
  /** The rewinds that the log records, and the seq of the newest row that records a break. */
  #told = { setBacks: 0, seq: 0 };
  #cursor: Cursor | undefined;
  #wasRolledBack = false;
  /** The rewinds at the daemon's last exit: its last row may record them without the witness having seen that row. */
  #setBacksAtEnd: number;

  constructor(scene: Scene) {
    this.#scene = scene;
    this.#stream = scene.broker.stream;
    this.onDisk = new IngestQueries(scene.disk);
    this.#setBacksAtEnd = this.#stream.setBacks;
  }

  /** Keeps this up to date; must come before the invariants that use it. */
  get watch(): Invariant {
    return {
      started: () => {
        const seq = this.onDisk.lastBreakSeq();
        if (seq !== this.#told.seq) this.#told = { setBacks: this.#setBacksAtEnd, seq };
      },
      rolledBack: () => {
        this.#wasRolledBack = true;
        this.#told = { setBacks: 0, seq: this.onDisk.lastBreakSeq() };
      },
      ended: () => {
        this.#setBacksAtEnd = this.#stream.setBacks;
      },
      stepped: () => {
        this.#cursor = this.#scene.daemon?.store.cursor() ?? this.#cursor;
      },
    };
  }

  /** The last known cursor, also while the daemon is down. */
  get cursor(): Cursor | undefined {
    return this.#cursor;
  }

  /** Whether an older copy of the log has ever taken its place. */
  get wasRolledBack(): boolean {
    return this.#wasRolledBack;
  }

  /** The seq of the newest row that records a break. */
  get toldSeq(): number {
    return this.#told.seq;
  }

  /** Whether the row that records a recreated or rewound stream is right: it happened, and no earlier row records it. */
  isFirstRecord({ seq, event }: { readonly seq: number; readonly event: DeliveryGap }): boolean {
    const { state, setBacks } = this.#stream;
    if (event.reason === "reused") return setBacks > this.#told.setBacks;
    // Counting is not enough: while the row waits for a busy disk, the stream may be recreated again.
    return event.streamCreated !== state.created && !this.onDisk.isRecreationRecorded(event.streamCreated, seq);
  }

  /** Marks all rewinds so far as recorded by row `seq`. */
  tell(seq: number): void {
    this.#told = { setBacks: this.#stream.setBacks, seq };
  }

  /** Whether the log may lack the message: it is ignored, was lost before the log first read the stream, or lies in a recorded gap. */
  mayBeMissing(message: StoredMessage): boolean {
    if (isIgnored(message)) return true;
    if (this.#stream.lossOf(message) === undefined) return false;
    const { sequence } = message;
    if (this.#isReused(message)) return true;
    return sequence < (this.onDisk.cursor()?.firstSequence ?? 0) || this.onDisk.hasGapAt(sequence);
  }

  /**
   * Whether nothing is left that tells of the rewind that lost the message. Its row was rolled back. The log that is gone acknowledged
   * the message that took its sequence, and the stream no longer holds that one.
   */
  isUntellable({ created, sequence }: StoredMessage): boolean {
    const { state } = this.#stream;
    return this.#wasRolledBack && created === state.created && sequence < state.firstSequence;
  }

  /** A message that took the sequence of a logged one in a rewound stream, and was removed before the daemon looked, is lost. */
  #isReused({ created, sequence }: StoredMessage): boolean {
    const stored = this.#stream.everStored.filter((other) => other.created === created && other.sequence === sequence);
    return stored.some((other) => this.#stream.lossOf(other) === "set_back" && this.onDisk.count(other.dedupeKey) > 0);
  }
}

function isIgnored({ subject, bytes }: StoredMessage): boolean {
  return decodeMessage({ subject, bytes }, DEFAULT_VOCABULARY, DEFAULT_LIMITS).kind === "ignored";
}
