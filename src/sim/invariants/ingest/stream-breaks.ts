/** Breaks of the broker stream (recreated or rewound): which of them the log records, and which messages it may therefore lack. */
import { decodeMessage } from "../../../events/decode.ts";
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
  /** The breaks that the log records, and the seq of the newest row that records one. */
  #told = { recreations: 0, setBacks: 0, seq: 0 };
  #cursor: Cursor | undefined;
  /** The breaks at the daemon's last exit: its last row may record them without the witness having seen that row. */
  #atEnd: { readonly recreations: number; readonly setBacks: number };
  /** How often the stream had been rewound when the last evidence of it disappeared. */
  #hiddenSetBacks = 0;

  constructor(scene: Scene) {
    this.#scene = scene;
    this.#stream = scene.broker.stream;
    this.onDisk = new IngestQueries(scene.disk);
    this.#atEnd = this.#stream.resets;
  }

  /** Keeps this up to date; must come before the invariants that use it. */
  get watch(): Invariant {
    return {
      started: () => {
        const seq = this.onDisk.lastBreakSeq();
        if (seq !== this.#told.seq) this.#told = { ...this.#atEnd, seq };
        this.#lookForHiddenSetBack();
      },
      ended: () => {
        this.#atEnd = this.#stream.resets;
      },
      disturbed: () => this.#lookForHiddenSetBack(),
      published: () => this.#lookForHiddenSetBack(),
      stepped: () => {
        this.#cursor = this.#scene.daemon?.store.cursor() ?? this.#cursor;
      },
    };
  }

  /** The last known cursor, also while the daemon is down. */
  get cursor(): Cursor | undefined {
    return this.#cursor;
  }

  /** The seq of the newest row that records a break. */
  get toldSeq(): number {
    return this.#told.seq;
  }

  /** Whether the stream was recreated or rewound and the log does not record it yet. */
  isUntold(reason: "recreated" | "reused"): boolean {
    const { recreations, setBacks } = this.#stream.resets;
    return reason === "recreated" ? recreations > this.#told.recreations : setBacks > this.#told.setBacks;
  }

  /** Marks all breaks so far as recorded by row `seq`. */
  tell(seq: number): void {
    this.#told = { ...this.#stream.resets, seq };
  }

  /** Whether the stream was rewound in a way that the daemon cannot detect. */
  get hasHiddenSetBack(): boolean {
    return this.#hiddenSetBacks > this.#told.setBacks;
  }

  /** Whether the log may lack the message: it is ignored, was lost before the log first read the stream, or lies in a recorded gap. */
  mayBeMissing(message: StoredMessage): boolean {
    if (isIgnored(message) || this.hasHiddenSetBack) return true;
    if (this.#stream.lossOf(message) === undefined) return false;
    const { sequence } = message;
    return sequence < (this.onDisk.cursor()?.firstSequence ?? 0) || this.onDisk.hasGapAt(sequence);
  }

  /** A rewind is undetectable once the stream has grown past the cursor again and there is no message to compare with. */
  #lookForHiddenSetBack(): void {
    const cursor = this.#cursor;
    const { state, resets } = this.#stream;
    if (resets.setBacks === this.#told.setBacks || cursor?.created !== state.created) return;
    if (cursor.sequence === 0 || state.lastSequence < cursor.sequence) return;
    const isUnknown = cursor.messageHash === null && cursor.sequence >= cursor.firstSequence;
    if (isUnknown || this.#stream.at(cursor.sequence) === undefined) this.#hiddenSetBacks = resets.setBacks;
  }
}

function isIgnored({ subject, bytes }: StoredMessage): boolean {
  return decodeMessage({ subject, bytes }, DEFAULT_VOCABULARY, DEFAULT_LIMITS).kind === "ignored";
}
