/** The progress of a resync, across the readings that it takes. Pure. */
import { type BrokerStream, type Cursor, isSameStream } from "../../store/model/cursor.ts";
import type { BrokerStreamState } from "../broker/broker-port.ts";

/** The log has all up to `sequence`, and the resync is over at `untilSequence`. */
export interface Rereading {
  readonly sequence: number;
  readonly untilSequence: number;
}

export class Resync {
  /** Requested or interrupted: the next reading is part of it. */
  #isDue = false;
  #progress: Rereading | null = null;
  /** The stream that the progress is about; null before its first reading. */
  #stream: BrokerStream | null = null;

  /** Null unless one is running. */
  get progress(): Rereading | null {
    return this.#progress;
  }

  /** The progress that the next reading continues; null if it is an ordinary one. */
  get due(): Rereading | null {
    return this.#isDue ? this.#progress : null;
  }

  /** False if one is running already: starting over each time would let a caller keep new messages waiting for ever. */
  request(cursor: Cursor | undefined): boolean {
    if (this.#progress !== null) return false;
    this.#isDue = true;
    this.#progress = { sequence: 0, untilSequence: cursor?.sequence ?? 0 };
    this.#stream = null;
    return true;
  }

  /** Whether a resync was requested since `due` was read. */
  isNewerThan(due: Rereading | null): boolean {
    return this.#isDue && this.#progress !== due;
  }

  /** The first sequence to read. A recreated or rewound stream is read from its start. */
  startIn(found: BrokerStreamState, cursor: Cursor, { sequence }: Rereading): number {
    const isResumed = this.#stream !== null && isSameStream(found, this.#stream);
    return isResumed ? Math.max(found.firstSequence, Math.min(sequence, cursor.sequence) + 1) : found.firstSequence;
  }

  /** A reading begins at `start`; it continues `due`. */
  began(found: BrokerStreamState, start: number, due: Rereading | null): void {
    this.#isDue = false;
    if (due !== null) this.#stream = found;
    this.#progress = due !== null && found.lastSequence >= start ? { ...due, sequence: start - 1 } : null;
  }

  /**
   * The log has everything up to `sequence`. Over at the old cursor, or at the end of the stream, because limits may have dropped its
   * newest messages. Returns where it ended if that is so.
   */
  logged(sequence: number): number | null {
    // The buffer may hold messages of an earlier reading, which are not part of a resync that was requested since.
    if (this.#progress === null || this.#isDue) return null;
    const { untilSequence } = this.#progress;
    this.#progress = sequence < untilSequence ? { sequence, untilSequence } : null;
    return this.#progress === null ? untilSequence : null;
  }

  /** The reading has ended. The next one resumes after the newest message that was logged. */
  interrupted(): void {
    this.#isDue = this.#isDue || this.#progress !== null;
  }
}
