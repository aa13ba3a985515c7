/**
 * Bounds how often a peer opens an inbound stream that passes the challenge. Each costs rows of the log, which must not be dropped for
 * a partner (docs/adr/0016-row-budgets.md).
 */
import type { Clock } from "../../base/clock.ts";
import { PartnerdError } from "../../base/errors.ts";
import type { PeerId } from "../../base/ids.ts";
import { type Rate, TokenBucket } from "../../base/rate/token-bucket.ts";
import { RecentMap } from "../../base/recent-map.ts";
import { INBOUND_STREAM_EVERY_MS, INBOUND_STREAMS_AT_ONCE, MAX_REMEMBERED_PEERS } from "../wire/constants.ts";

const RATE: Rate = { burst: INBOUND_STREAMS_AT_ONCE, perSecond: 1_000 / INBOUND_STREAM_EVERY_MS };

export class InboundPace {
  readonly #clock: Clock;
  readonly #admissions = new RecentMap<PeerId, TokenBucket>(MAX_REMEMBERED_PEERS);

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Why another stream of this peer is refused now, or undefined if it may open one. */
  refusal(peerId: PeerId): PartnerdError | undefined {
    if (this.#admissions.get(peerId)?.has(1, this.#clock.monotonicMs()) !== false) return undefined;
    const message = `the peer opened ${INBOUND_STREAMS_AT_ONCE} streams in a row; it may open one every ${INBOUND_STREAM_EVERY_MS} ms`;
    return new PartnerdError("flapping", message);
  }

  /** Call for each stream that is registered. */
  admitted(peerId: PeerId): void {
    const nowMs = this.#clock.monotonicMs();
    const bucket = this.#admissions.get(peerId) ?? new TokenBucket(RATE);
    bucket.take(1, nowMs);
    this.#admissions.set(peerId, bucket);
  }
}
