/** How often the broker's stream was recreated or set back, how much of that the log knows, and which messages it may lack therefore. */
import { decodeMessage } from "../../../events/decode.ts";
import { DEFAULT_LIMITS, DEFAULT_VOCABULARY } from "../../../events/vocabulary.ts";
import type { Cursor } from "../../../store/model/cursor.ts";
import type { StoredMessage } from "../../broker/stored-message.ts";
import type { SimBrokerStream } from "../../broker/stream.ts";
import type { Invariant, Scene } from "../invariant.ts";
import { IngestQueries } from "./ingest-queries.ts";

/** The other invariants of the ingest share it. */
export class StreamBreaks {
  readonly onDisk: IngestQueries;
  readonly #scene: Scene;
  readonly #stream: SimBrokerStream;
  /** What the log tells of, and the seq of its newest such row. */
  #told = { recreations: 0, setBacks: 0, seq: 0 };
  #cursor: Cursor | undefined;
  /** The breaks when a life ended: its last row may tell of them, and the witness never heard of that row. */
  #atEnd: { readonly recreations: number; readonly setBacks: number };
  /** How many times the stream had been set back when the last trace of that was gone. */
  #hiddenSetBacks = 0;

  constructor(scene: Scene) {
    this.#scene = scene;
    this.#stream = scene.broker.stream;
    this.onDisk = new IngestQueries(scene.disk);
    this.#atEnd = this.#stream.resets;
  }

  /** Keeps this up to date: goes before the invariants that ask it. */
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

  /** The last cursor that was seen, also while the daemon is down. */
  get cursor(): Cursor | undefined {
    return this.#cursor;
  }

  /** The seq of the newest row that tells of a break. */
  get toldSeq(): number {
    return this.#told.seq;
  }

  /** Whether the stream was recreated, or set back, and the log does not tell of it yet. */
  isUntold(reason: "recreated" | "reused"): boolean {
    const { recreations, setBacks } = this.#stream.resets;
    return reason === "recreated" ? recreations > this.#told.recreations : setBacks > this.#told.setBacks;
  }

  /** A row tells of all breaks until now. */
  tell(seq: number): void {
    this.#told = { ...this.#stream.resets, seq };
  }

  /** The stream was set back, and nothing that the daemon can look at shows it. */
  get hasHiddenSetBack(): boolean {
    return this.#hiddenSetBacks > this.#told.setBacks;
  }

  /** Whether the log may lack the message: it is for others, was gone before the log followed the stream, or is in a gap of the log. */
  mayBeMissing(message: StoredMessage): boolean {
    if (isIgnored(message) || this.hasHiddenSetBack) return true;
    if (this.#stream.lossOf(message) === undefined) return false;
    const { sequence } = message;
    return sequence < (this.onDisk.cursor()?.firstSequence ?? 0) || this.onDisk.hasGapAt(sequence);
  }

  /** A stream that was set back, grew past the cursor again, and lacks the message to compare, shows nothing. */
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
