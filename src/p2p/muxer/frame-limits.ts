/** Limits of one connection: the size of a frame, and frames per second. A connection that exceeds a limit is cut. */
import type { Clock } from "../../base/clock.ts";
import { PartnerdError } from "../../base/errors.ts";
import { type Rate, TokenBucket } from "../../base/rate/token-bucket.ts";
import { FLAG, FRAME_TYPE, type FrameHeader } from "./frame-splitter.ts";

/** The smallest window that yamux allows; a heartbeat needs 300 bytes. A far end may send no more than this unasked. */
export const STREAM_WINDOW_BYTES = 256 * 1024;
/** An honest peer sends one heartbeat in 3 s; a challenge of 1 MiB takes a few hundred frames. */
const DATA_FRAMES: Rate = { perSecond: 500, burst: 4_096 };
/** Pings, window updates and resets. A ping costs us an answer. Our far ends send one every few seconds. */
const CONTROL_FRAMES: Rate = { perSecond: 50, burst: 500 };
/** A partner opens four streams, and more only after it has lost one. Each costs a millisecond. */
const STREAM_OPENINGS: Rate = { perSecond: 5, burst: 32 };

export class FrameLimits {
  readonly #clock: Clock;
  readonly #data = new TokenBucket(DATA_FRAMES);
  readonly #control = new TokenBucket(CONTROL_FRAMES);
  readonly #openings = new TokenBucket(STREAM_OPENINGS);

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Throws PartnerdError `frame_invalid` or `flooded`. */
  check({ version, type, flags, length }: FrameHeader): void {
    if (version !== 0) throw new PartnerdError("frame_invalid", `yamux frame of version ${version}; only version 0 exists`);
    if (type === FRAME_TYPE.data && length > STREAM_WINDOW_BYTES) {
      throw new PartnerdError(
        "frame_invalid",
        `yamux data frame of ${length} bytes exceeds the window of ${STREAM_WINDOW_BYTES} bytes`,
      );
    }
    const nowMs = this.#clock.monotonicMs();
    if ((flags & FLAG.syn) !== 0 && type !== FRAME_TYPE.ping && !this.#openings.take(1, nowMs))
      throw flooded("stream openings", STREAM_OPENINGS);
    const isData = type === FRAME_TYPE.data && length > 0;
    if (isData && !this.#data.take(1, nowMs)) throw flooded("data frames", DATA_FRAMES);
    if (!isData && !this.#control.take(1, nowMs)) throw flooded("control frames", CONTROL_FRAMES);
  }
}

function flooded(what: string, { perSecond, burst }: Rate): PartnerdError {
  return new PartnerdError("flooded", `more than ${burst} ${what} at once, or ${perSecond} a second, on one connection`);
}
