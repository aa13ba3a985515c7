/** The broker's answers about its stream and consumer. Those of a new leader that lags are true of an earlier time. */
import type { Clock } from "../../base/clock.ts";
import type { BrokerStreamState, ConsumerState } from "../../ingest/broker/broker-port.ts";
import type { SimBrokerStream } from "./stream.ts";

/** Closer lags would look like a single one that is longer than the daemon tolerates. */
const APART_MS = 10_000;

interface Lag {
  readonly untilMs: number;
  readonly lastSequence: number;
  /** The lag is over if the stream has been recreated or rewound since. */
  readonly created: string;
  readonly setBacks: number;
}

export class BrokerAnswers {
  readonly #stream: SimBrokerStream;
  readonly #clock: Clock;
  #lag: Lag | undefined;

  constructor(stream: SimBrokerStream, clock: Clock) {
    this.#stream = stream;
    this.#clock = clock;
  }

  /** For `forMs`, answers lack the newest `messages` sequences and all that is stored from now on. Ignored soon after another lag. */
  lag(messages: number, forMs: number): void {
    const nowMs = this.#clock.monotonicMs();
    if (this.#lag !== undefined && nowMs < this.#lag.untilMs + APART_MS) return;
    const { setBacks, state } = this.#stream;
    const lastSequence = Math.max(0, state.lastSequence - messages);
    this.#lag = { untilMs: nowMs + forMs, lastSequence, created: state.created, setBacks };
  }

  end(): void {
    this.#lag = undefined;
  }

  get isLagging(): boolean {
    return this.#lastSequence !== undefined;
  }

  get state(): BrokerStreamState {
    const { state } = this.#stream;
    const lastSequence = this.#lastSequence;
    if (lastSequence === undefined) return state;
    return { ...state, lastSequence, firstSequence: Math.min(state.firstSequence, lastSequence + 1) };
  }

  hashAt(sequence: number): string | undefined {
    return sequence > (this.#lastSequence ?? sequence) ? undefined : this.#stream.at(sequence)?.messageHash;
  }

  get consumer(): ConsumerState | undefined {
    const state = this.#stream.consumer?.state;
    const lastSequence = this.#lastSequence;
    if (state === undefined || lastSequence === undefined) return state;
    // Created since.
    if (state.startSequence > lastSequence + 1) return undefined;
    const { consumerSequence, streamSequence } = state.delivered;
    const missing = Math.max(0, streamSequence - lastSequence);
    const delivered = {
      consumerSequence: Math.max(0, consumerSequence - missing),
      streamSequence: streamSequence - missing,
    };
    return { ...state, delivered, acknowledged: Math.min(state.acknowledged, lastSequence) };
  }

  /** The newest sequence that answers know of; undefined if they are current. */
  get #lastSequence(): number | undefined {
    const { created, setBacks, untilMs, lastSequence } = this.#lag ?? {};
    if (untilMs === undefined || this.#clock.monotonicMs() >= untilMs) return undefined;
    const { state, setBacks: setBacksNow } = this.#stream;
    return created === state.created && setBacks === setBacksNow ? lastSequence : undefined;
  }
}
