/**
 * Looks again and again, while a stream is read, at what the log's promises rest on: the subjects that the stream captures, its
 * limits, and the consumer. A broker does not announce their changes.
 */
import type { Clock } from "../../base/clock.ts";
import { PartnerdError } from "../../base/errors.ts";
import { isSameStream } from "../../store/model/cursor.ts";
import {
  type BrokerLink,
  type BrokerStreamState,
  type ConsumerOwner,
  type ConsumerState,
  REQUIRED_CONSUMER,
} from "../broker/broker-port.ts";
import { isMoved } from "./align.ts";
import type { ReadingEnd } from "./reading-end.ts";

const LOOK_MS = 4_000;

export interface GuaranteeWatchInit {
  readonly link: Pick<BrokerLink, "state" | "consumer">;
  readonly clock: Clock;
  /** The stream as the reading found it. */
  readonly found: BrokerStreamState;
  readonly owner: ConsumerOwner;
  /** The newest sequence of which an acknowledgement has been sent. */
  readonly acknowledged: () => number;
  /** Why messages do not arrive at the moment although reading goes well; null if they do. */
  readonly onLooked: (problem: PartnerdError | null) => void;
  readonly onLimits: (before: string, after: string) => void;
  /** Reading has to start again, which records what has changed. Called at most once. */
  readonly onEnded: (end: ReadingEnd) => void;
}

export class GuaranteeWatch implements Disposable {
  readonly #init: GuaranteeWatchInit;
  #limits: string;
  /** The newest acknowledgement that had been sent when the look before was over. */
  #acknowledged = 0;
  #timer: Disposable | undefined;
  #ended = false;

  constructor(init: GuaranteeWatchInit) {
    this.#init = init;
    this.#limits = init.found.limits;
    this.#lookLater();
  }

  [Symbol.dispose](): void {
    this.#ended = true;
    this.#timer?.[Symbol.dispose]();
  }

  #lookLater(): void {
    if (!this.#ended) this.#timer = this.#init.clock.schedule(LOOK_MS, () => void this.#look());
  }

  async #look(): Promise<void> {
    const { link } = this.#init;
    try {
      const [state, consumer] = await Promise.all([link.state(), link.consumer()]);
      if (!this.#ended) this.#compare(state, consumer);
    } catch {
      // Pulling notices a broker that does not answer, and says why.
    }
    this.#acknowledged = this.#init.acknowledged();
    this.#lookLater();
  }

  #compare(state: BrokerStreamState, consumer: ConsumerState | undefined): void {
    const { found, owner, onLooked, onLimits } = this.#init;
    if (state.limits !== this.#limits) onLimits(this.#limits, state.limits);
    this.#limits = state.limits;
    if (!isSameStream(state, found)) this.#end({ reason: "stream_recreated" });
    else if (losses(state) !== losses(found)) this.#end({ reason: "capture_changed" });
    else if (consumer === undefined) this.#end({ reason: "consumer_missing" });
    else if (consumer.owner?.run !== owner.run) this.#end({ reason: "consumer_taken" });
    else if (!consumer.isAsRequired) this.#end({ reason: "consumer_changed" });
    // nats-server then ignores our acknowledgements up to there, and stops delivering when too many are missing.
    else if (isMoved(consumer)) this.#end({ reason: "consumer_moved", facts: { acknowledged: consumer.acknowledged } });
    else onLooked(consumer.isPaused ? paused() : (captureProblem(state) ?? this.#unacknowledged(consumer)));
  }

  /** Null if what was acknowledged before the last look has arrived. Nothing else would tell: an acknowledgement has no answer. */
  #unacknowledged({ acknowledged }: ConsumerState): PartnerdError | null {
    if (acknowledged >= this.#acknowledged) return null;
    const { maxUnacknowledged } = REQUIRED_CONSUMER;
    const counts = `${this.#acknowledged} is acknowledged, but the consumer knows only of ${acknowledged}`;
    return new PartnerdError("acknowledgements_lost", `acknowledgements do not reach the broker: message ${counts}`, {
      nextStep: `let them pass ($JS.ACK.>), for example by exporting it with $JS.API.> to this account; after ${maxUnacknowledged} messages the consumer delivers no more`,
    });
  }

  #end(end: ReadingEnd): void {
    this[Symbol.dispose]();
    this.#init.onEnded(end);
  }
}

/** Changes with what the stream loses. */
function losses({ uncaptured: subjects, refusal = "" }: BrokerStreamState): string {
  return [...subjects, refusal].join();
}

/** Null if the stream captures all of our subjects and stores what is published there. */
export function captureProblem({ stream, uncaptured: subjects, refusal }: BrokerStreamState): PartnerdError | null {
  if (refusal !== undefined) {
    return new PartnerdError(
      "stream_refuses",
      `stream ${stream} stores nothing new: it is ${refusal}; what is published is lost`,
      {
        nextStep:
          "run `oc-partnerd setup`, which lets a full stream drop its oldest messages, or says why it cannot; or raise the stream's limits",
      },
    );
  }
  if (subjects.length === 0) return null;
  return new PartnerdError(
    "subject_uncaptured",
    `stream ${stream} does not capture ${subjects.join(", ")}; what is published there is lost`,
    {
      nextStep: "run `oc-partnerd setup`, which adds the subjects to the stream",
    },
  );
}

function paused(): PartnerdError {
  return new PartnerdError("consumer_paused", "the consumer is paused, and delivers nothing until it is resumed", {
    nextStep: "run `nats consumer resume`; nothing is lost as long as the stream holds the messages",
  });
}
