/** One direction of a connection: what is sent arrives later and in order, or waits for as long as the wire is cut. */
import type { Clock } from "../../base/clock.ts";
import type { Frame } from "./frames.ts";

/** The wire below a pipe. */
export interface Wire {
  /** Of the whole world. */
  readonly clock: Clock;
  /** The receiving machine's, which may be paused. */
  readonly receiverClock: Clock;
  /** How long what is sent now takes. */
  delayMs(): number;
  /** Nothing passes in this direction now. */
  isCut(): boolean;
  /** Runs `task` once, when some cut has ended. */
  onceHealed(task: () => void): void;
}

/** What was sent in one turn, and so travels together. */
interface Batch {
  readonly sentAtMs: number;
  readonly frames: Frame[];
  bytes: number;
}

/** What a sender may have under way before it is told to wait. */
const HIGH_WATER_BYTES = 64 * 1024;

export class Pipe {
  readonly #wire: Wire;
  readonly #deliver: (frame: Frame) => void;
  /** Each waits for its timer; whichever timer fires first, the oldest arrives. */
  readonly #underWay: Batch[] = [];
  /** Arrived at the place where the wire is cut. */
  readonly #held: Batch[] = [];
  /** The batch that still takes what is sent. */
  #open: Batch | undefined;
  #arrivesMs = 0;
  #bytes = 0;
  #saturated = false;
  #isLost = false;
  /** There is room again. */
  onDrained: () => void = () => {};

  constructor(wire: Wire, deliver: (frame: Frame) => void) {
    this.#wire = wire;
    this.#deliver = deliver;
  }

  /** False where the sender had better wait until `onDrained`. */
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

  /** From now on whatever was sent, or will be, is lost without a word. */
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

  /** The machines notice after a while that they may send again. */
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
