/** Who was refused why, last time: the second identical refusal is no transition and is not reported. */
import type { ErrorCode, PartnerdError } from "../errors.ts";
import type { PeerId } from "../ids.ts";
import { MAX_REMEMBERED_PEERS } from "./constants.ts";
import { RecentMap } from "./recent-map.ts";
import type { StreamObserver } from "./registry.ts";

export class Refusals {
  readonly #observer: StreamObserver;
  readonly #protocol: string;
  readonly #lastReasons = new RecentMap<PeerId, ErrorCode>(MAX_REMEMBERED_PEERS);

  constructor(observer: StreamObserver, protocol: string) {
    this.#observer = observer;
    this.#protocol = protocol;
  }

  /** Reports InboundRefused if the peer was not refused for the same reason before. */
  report(peerId: PeerId, error: PartnerdError): void {
    const before = this.#lastReasons.get(peerId);
    this.#lastReasons.set(peerId, error.code);
    if (before === error.code) return;
    const { code: reason, message } = error;
    this.#observer.observed({ type: "InboundRefused", peerId, protocol: this.#protocol, reason, message });
  }

  /** The peer was let in: its next refusal is news. */
  forget(peerId: PeerId): void {
    this.#lastReasons.delete(peerId);
  }
}
