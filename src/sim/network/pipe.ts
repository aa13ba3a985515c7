/** One direction of a connection: frames arrive later and in order, and wait while the wire is cut. */
import type { Clock } from "../../base/clock.ts";
import type { Frame } from "./frames.ts";

/** The wire below a pipe. */
export interface Wire {
  /** The clock of the whole world. */
  readonly clock: Clock;
  /** The clock of the receiving machine, which may be paused. */
  readonly receiverClock: Clock;
  /** The latency of a frame sent now. */
  delayMs(): number;
  /** True while nothing gets through in this direction. */
  isCut(): boolean;
  /** Runs `task` once, after a cut has ended. */
  onceHealed(task: () => void): void;
}

/** Frames sent in one turn, which travel together. */
interface Batch {
  readonly sentAtMs: number;
  readonly frames: Frame[];
  bytes: number;
}

/** Bytes a sender may have in flight before it is told to wait. */
const HIGH_WATER_BYTES = 64 * 1024;

export class Pipe {
  readonly #wire: Wire;
  readonly #deliver: (frame: Frame) => void;
  /** Batches in flight, one timer each. Whichever timer fires first delivers the oldest batch. */
  readonly #underWay: Batch[] = [];
  /** Batches held where the wire is cut. */
  readonly #held: Batch[] = [];
  /** The batch of the current turn, which takes further frames. */
  #open: Batch | undefined;
  #arrivesMs = 0;
  #bytes = 0;
  #saturated = false;
  #isLost = false;
  /** Called when there is room again. */
  onDrained: () => void = () => {};

  constructor(wire: Wire, deliver: (frame: Frame) => void) {
    this.#wire = wire;
    this.#deliver = deliver;
  }

  /** Sends a frame. Returns false if the sender should wait for `onDrained`. */
  send(frame: Frame): boolean {
    const nowMs = this.#wire.clock.monotonicMs();
    const batch = this.#open?.sentAtMs === nowMs ? this.#open : this.#startBatch(nowMs);
    batch.frames.push(frame);
    if (frame.kind === "data") {
      batch.bytes += frame.bytes.length;
      this.#bytes += frame.bytes.length;
      this.#saturated ||= this.#bytes > HIGH_WATER_BYTES;
    }
    return !this.#saturated;
  }

  /** Silently drops everything in flight and everything sent later. */
  lose(): void {
    this.#isLost = true;
  }

  #startBatch(nowMs: number): Batch {
    const batch: Batch = { sentAtMs: nowMs, frames: [], bytes: 0 };
    this.#open = batch;
    this.#underWay.push(batch);
    this.#arrivesMs = Math.max(this.#arrivesMs, nowMs + this.#wire.delayMs());
    this.#wire.receiverClock.schedule(this.#arrivesMs - nowMs, this.#arrived);
    return batch;
  }

  readonly #arrived = (): void => {
    const batch = this.#underWay.shift();
    if (batch === undefined) return;
    if (batch === this.#open) this.#open = undefined;
    if (this.#held.length === 0 && !this.#wire.isCut()) this.#arrive(batch);
    else if (this.#held.push(batch) === 1) this.#wire.onceHealed(this.#healed);
  };

  /** Traffic resumes only some time after a cut ends, once the machines notice. */
  readonly #healed = (): void => {
    this.#wire.receiverClock.schedule(this.#wire.delayMs(), () => {
      if (this.#wire.isCut()) this.#wire.onceHealed(this.#healed);
      else for (const batch of this.#held.splice(0)) this.#arrive(batch);
    });
  };

  #arrive(batch: Batch): void {
    if (this.#isLost) return;
    this.#bytes -= batch.bytes;
    for (const frame of batch.frames) this.#deliver(frame);
    if (!this.#saturated || this.#bytes > HIGH_WATER_BYTES) return;
    this.#saturated = false;
    this.onDrained();
  }
}
