/** The broker's answers about its stream and consumer. Those of a new leader that lags are true of an earlier time. */
import type { Clock } from "../../base/clock.ts";
import type { BrokerStreamState, ConsumerState } from "../../ingest/broker/broker-port.ts";
import type { SimBrokerStream } from "./stream.ts";

/** They lead the stream in turn. */
const SERVERS = 3;

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
  #changes = 0;

  constructor(stream: SimBrokerStream, clock: Clock) {
    this.#stream = stream;
    this.#clock = clock;
  }

  /** Another server leads. For `forMs`, its answers lack the newest `messages` sequences and all that is stored from now on. */
  changeLeader(messages: number, forMs: number): void {
    this.#changes += 1;
    const nowMs = this.#clock.monotonicMs();
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
    const state = { ...this.#stream.state, leader: `n${this.#changes % SERVERS}` };
    const lastSequence = this.#lastSequence;
    if (lastSequence === undefined) return state;
    return { ...state, lastSequence, firstSequence: Math.min(state.firstSequence, lastSequence + 1) };
  }

  hashAt(sequence: number): string | undefined {
    return sequence > (this.#lastSequence ?? sequence) ? undefined : this.#stream.at(sequence)?.messageHash;
  }

  firstHeld(sequence: number): number | undefined {
    const found = this.#stream.from(sequence)?.sequence;
    return found === undefined || found > (this.#lastSequence ?? found) ? undefined : found;
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
