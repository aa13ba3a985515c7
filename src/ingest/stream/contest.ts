/** Notices another daemon that reads with our consumer. Each of the two takes it from the other, so each can notice. Pure. */
import { PartnerdError } from "../../base/errors.ts";
import { exactDurationText, secondsText } from "../../base/units.ts";
import type { CloneEvidence, CloneSeen } from "../../events/delivery/delivery-events.ts";
import type { ConsumerOwner, ConsumerState } from "../broker/broker-port.ts";

/** For this long the other daemon keeps the consumer before we take it back, so that it notices us within 10 s. */
const YIELD_MS = 8_000;
/** Longer than the two need to take the consumer from each other again, so that the code does not come and go. */
const OVER_MS = 60_000;

/** Most other runs that are remembered as recorded. A clone that crashes and starts again and again is a new run each time. */
const MAX_RECORDED = 16;

type Look = Pick<ConsumerState, "owner" | "waitingRequests">;

interface ContestOptions {
  /** How the other daemon is noticed; default `consumer`. */
  readonly evidence?: CloneEvidence;
  /** The contest is over when there was no sign of the other daemon for this long; default one minute. */
  readonly overMs?: number;
}

export class Contest {
  readonly #us: ConsumerOwner;
  readonly #evidence: CloneEvidence;
  readonly #overMs: number;
  /** Whether this daemon was the last to create the consumer, as far as it knows. */
  #isOurs = false;
  #other: ConsumerOwner | undefined;
  #takenMs = Number.NEGATIVE_INFINITY;
  readonly #recorded = new Set<string>();

  constructor(us: ConsumerOwner, { evidence = "consumer", overMs = OVER_MS }: ContestOptions = {}) {
    this.#us = us;
    this.#evidence = evidence;
    this.#overMs = overMs;
  }

  /** We have created the consumer. */
  placed(): void {
    this.#isOurs = true;
  }

  /** Call after each look at the consumer. */
  looked(found: Look | undefined, nowMs: number): void {
    const other = found?.owner;
    if (other === undefined || !this.#isOurs || isSame(other, this.#us)) return;
    this.#isOurs = false;
    this.#other = other;
    this.#takenMs = nowMs;
  }

  /** The other daemon, if it has our identity and the log does not say so yet. */
  get unrecorded(): CloneSeen | null {
    const other = this.#other;
    if (other?.peerId !== this.#us.peerId || this.#recorded.has(other.run) || this.#recorded.size >= MAX_RECORDED) return null;
    return { type: "CloneSeen", reason: this.#evidence, details: { otherRun: other.run } };
  }

  recorded({ details }: CloneSeen): void {
    this.#recorded.add(details.otherRun);
  }

  /** Whether the consumer is the one that the other daemon created when it took ours. */
  isTaken(found: Look | undefined): boolean {
    return found?.owner !== undefined && this.#other !== undefined && isSame(found.owner, this.#other);
  }

  /** Whether the other daemon may keep the consumer for now. One that has stopped makes no requests. */
  yields(found: Look | undefined, nowMs: number): boolean {
    return this.isTaken(found) && (found?.waitingRequests ?? 0) > 0 && nowMs - this.#takenMs < YIELD_MS;
  }

  /** Null unless another daemon has taken the consumer lately. Monotonic time. */
  current(nowMs: number): PartnerdError | null {
    if (this.#other === undefined || nowMs - this.#takenMs >= this.#overMs) return null;
    const { peerId, run } = this.#other;
    const seen = `last seen ${secondsText(nowMs - this.#takenMs, 0)} ago`;
    const until = `this is reported until ${exactDurationText(this.#overMs)} after the other daemon was last seen`;
    if (peerId === this.#us.peerId) {
      return new PartnerdError("identity_cloned", `another daemon (run ${run}) runs with our identity, ${peerId}; ${seen}`, {
        nextStep: `stop one of the two; if both are needed, give one of them a new identity and its own nats.consumer; ${until}`,
      });
    }
    return new PartnerdError("consumer_shared", `the daemon of ${peerId} (run ${run}) reads with our consumer; ${seen}`, {
      nextStep: `give each daemon its own nats.consumer; ${until}`,
    });
  }
}

function isSame(one: ConsumerOwner, other: ConsumerOwner): boolean {
  return one.peerId === other.peerId && one.run === other.run;
}
