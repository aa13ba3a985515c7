/** Notices the end of an inbound stream's lease while an operation holds the stream's key, which may take seconds. */
import type { Clock } from "../base/clock.ts";
import type { PeerId } from "../base/ids.ts";
import type { PartnerStreams } from "./ports.ts";

export interface InboundExpiryInit {
  readonly clock: Clock;
  readonly streams: Pick<PartnerStreams, "actual">;
  /** Closes the stream if its lease has ended. */
  readonly close: (peerId: PeerId) => void;
}

export class InboundExpiry {
  readonly #init: InboundExpiryInit;
  readonly #timers = new Map<PeerId, Disposable>();

  constructor(init: InboundExpiryInit) {
    this.#init = init;
  }

  /** Does nothing without an inbound stream, so call it again when one may have opened. End it with `release`. */
  watch(peerId: PeerId): void {
    if (!this.#timers.has(peerId)) this.#schedule(peerId);
  }

  release(peerId: PeerId): void {
    this.#timers.get(peerId)?.[Symbol.dispose]();
    this.#timers.delete(peerId);
  }

  #schedule(peerId: PeerId): void {
    const { clock, streams, close } = this.#init;
    const { inbound } = streams.actual(peerId);
    if (inbound === null) return;
    // A heartbeat and a local stall move the end of the lease, so look again then.
    const timer = clock.schedule(Math.max(0, inbound.expiresAtMs - clock.monotonicMs()), () => {
      this.#timers.delete(peerId);
      close(peerId);
      this.#schedule(peerId);
    });
    this.#timers.set(peerId, timer);
  }
}
