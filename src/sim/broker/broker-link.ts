/** One connection from the daemon to the simulated broker: the counterpart of nats-link.ts, over a network that loses messages. */
import type { Clock } from "../../base/clock.ts";
import { PartnerdError } from "../../base/errors.ts";
import {
  type BrokerLink,
  type BrokerMessage,
  type BrokerStreamState,
  type ConsumerOwner,
  type ConsumerState,
  type PullChannel,
  type PullListener,
  type PullRequest,
  type PullStatus,
  REQUIRED_CONSUMER,
} from "../../ingest/broker/broker-port.ts";
import { deliveryPositionOf } from "../../ingest/broker/delivery-position.ts";
import type { ClockView } from "../time/virtual-clock.ts";
import type { BrokerAnswers } from "./answers.ts";
import type { StoredMessage } from "./stored-message.ts";
import type { SimBrokerStream } from "./stream.ts";

/** The same timeout as nats/broker-stream-api.ts, which the simulator may not import. */
const REQUEST_TIMEOUT_MS = 2_000;

/** The broker's end of a link, and the points around an acknowledgement at which the daemon's process can crash. */
export interface BrokerMachine {
  readonly clock: Clock;
  readonly latencyMs: number;
  /** False if the process crashes here. */
  readonly beforeAcknowledge: () => boolean;
  readonly afterAcknowledge: () => void;
}

export interface SimBrokerLinkInit extends BrokerMachine {
  readonly stream: SimBrokerStream;
  readonly answers: BrokerAnswers;
  readonly view: ClockView;
  /** Called when the broker learns that the connection is closed. */
  readonly onGone: () => void;
}

export class SimBrokerLink implements BrokerLink {
  readonly #init: SimBrokerLinkInit;
  readonly #closed = Promise.withResolvers<void>();
  readonly #inboxes = new Set<{ isWanted: boolean }>();
  readonly #unanswered = new Set<(error: PartnerdError) => void>();
  /** Nothing sent by one end reaches the other. Either end may be unaware of it. */
  #isBroken = false;
  #isClosed = false;
  /** Set while the broker is paused: work and replies to run when it resumes. */
  #held: (() => void)[] | undefined;

  constructor(init: SimBrokerLinkInit) {
    this.#init = init;
  }

  state(): Promise<BrokerStreamState> {
    const { stream, answers } = this.#init;
    return this.#ask(`get the state of stream ${stream.name}`, () => answers.state);
  }

  hashAt(sequence: number): Promise<string | undefined> {
    return this.#ask(`read message ${sequence}`, () => this.#init.answers.hashAt(sequence));
  }

  firstHeld(sequence: number): Promise<number | undefined> {
    return this.#ask(`look for a message from ${sequence} on`, () => this.#init.answers.firstHeld(sequence));
  }

  consumer(): Promise<ConsumerState | undefined> {
    return this.#ask("get the state of the consumer", () => this.#init.answers.consumer);
  }

  /** Two requests, as over NATS: between them there is no consumer. */
  async recreateConsumerAt(startSequence: number, owner: ConsumerOwner): Promise<void> {
    const { stream } = this.#init;
    await this.#ask("delete the consumer", () => stream.deleteConsumer());
    await this.#ask("create the consumer", () => stream.recreateConsumerAt({ startSequence, owner, ...REQUIRED_CONSUMER }));
  }

  openPull(listener: PullListener): PullChannel {
    let isHeard = true;
    const tell = (task: () => void, delayMs?: number) => this.#toDaemon(() => void (isHeard && task()), delayMs);
    const inbox = {
      isWanted: true,
      message: ({ subject, bytes }: StoredMessage, reply: string, copiesMs: readonly number[]) => {
        for (const delayMs of copiesMs) tell(() => listener.message({ subject, data: bytes, reply }), delayMs);
      },
      status: (request: number, status: PullStatus) => tell(() => listener.status(request, status)),
    };
    this.#inboxes.add(inbox);
    return {
      // Without a consumer, nothing replies.
      request: (request: PullRequest) => this.#toBroker(() => this.#init.stream.consumer?.request(request, inbox)),
      [Symbol.dispose]: () => {
        isHeard = false;
        this.#toBroker(() => {
          inbox.isWanted = false;
          this.#inboxes.delete(inbox);
        });
      },
    };
  }

  acknowledge({ reply }: BrokerMessage): void {
    const position = deliveryPositionOf(reply);
    if (position === undefined || this.#isClosed || !this.#init.beforeAcknowledge()) return;
    this.#toBroker(() => this.#init.stream.consumer?.acknowledge(position.streamSequence));
    this.#init.afterAcknowledge();
  }

  ping(): Promise<void> {
    const answer = Promise.withResolvers<void>();
    this.#unanswered.add(answer.reject);
    this.#toBroker(() =>
      this.#toDaemon(() => {
        this.#unanswered.delete(answer.reject);
        answer.resolve();
      }),
    );
    if (this.#isClosed) answer.reject(ENDED());
    return answer.promise;
  }

  /** Does nothing: this broker denies no permission. */
  onDenied(): void {}

  isClosed(): boolean {
    return this.#isClosed;
  }

  closed(): Promise<void> {
    return this.#closed.promise;
  }

  close(): Promise<void> {
    // Queued behind everything sent so far.
    this.#toBroker(() => this.#ended());
    this.#end();
    return Promise.resolve();
  }

  /** Breaks the connection. Both ends notice; messages in flight are lost. */
  cut(): void {
    // After `forget`, the daemon is not told.
    if (!this.#isBroken) this.#init.view.schedule(0, () => this.#end());
    this.#isBroken = true;
    this.#ended();
  }

  /** Makes the connection half-open: nothing gets through, and both ends believe it is open. */
  forget(): void {
    this.#isBroken = true;
  }

  /** The daemon's process is dead. `tells`: its machine is still up and resets the connection. */
  abandon(tells: boolean): void {
    if (this.#isClosed) return;
    if (tells) this.#toBroker(() => this.#ended());
    this.#isClosed = true;
  }

  /** Pauses the broker's end: its work and replies are queued until `release`. */
  hold(): void {
    this.#held ??= [];
  }

  release(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const task of held) task();
  }

  #ask<Answer>(what: string, answer: () => Answer): Promise<Answer> {
    if (this.#isClosed) return Promise.reject(ENDED());
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    const limit = this.#init.view.schedule(REQUEST_TIMEOUT_MS, () =>
      settle(() => reject(new PartnerdError("nats_unavailable", `cannot ${what}: JetStream did not answer in time`))),
    );
    const fail = (error: PartnerdError) => settle(() => reject(error));
    const settle = (how: () => void) => {
      limit[Symbol.dispose]();
      this.#unanswered.delete(fail);
      how();
    };
    this.#unanswered.add(fail);
    this.#toBroker(() => {
      const answered = answer();
      this.#toDaemon(() => settle(() => resolve(answered)));
    });
    return promise;
  }

  #toBroker(task: () => void): void {
    if (this.#isClosed || this.#isBroken) return;
    this.#init.clock.schedule(this.#init.latencyMs, () => {
      if (this.#isBroken) return;
      if (this.#held === undefined) task();
      else this.#held.push(task);
    });
  }

  #toDaemon(task: () => void, delayMs = 0): void {
    if (this.#isBroken) return;
    if (this.#held !== undefined) {
      this.#held.push(() => this.#toDaemon(task, delayMs));
      return;
    }
    this.#init.view.schedule(this.#init.latencyMs + delayMs, () => {
      if (!this.#isBroken && !this.#isClosed) task();
    });
  }

  /** Closes the broker's end. */
  #ended(): void {
    for (const inbox of this.#inboxes) inbox.isWanted = false;
    this.#init.onGone();
  }

  /** Closes the daemon's end. */
  #end(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const fail of this.#unanswered) fail(ENDED());
    this.#closed.resolve();
  }
}

const ENDED = () => new PartnerdError("nats_unavailable", "the NATS connection was closed");
