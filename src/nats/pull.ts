/**
 * Pulling from a consumer, one request at a time. The client library's own loop waits for a consumer that is gone, prints to the
 * console, and keeps timers of its own; the protocol is small (docs/adr/0011).
 */
import { createInbox, type Msg, type NatsConnection, nanos } from "nats";
import type { Clock } from "../clock.ts";
import { PartnerdError } from "../errors.ts";
import { describe } from "./dial.ts";

/** A request that brings nothing ends by itself after so long, and is made again. */
const EXPIRES_MS = 30_000;
/** The broker gives a sign of life so often while it has nothing to deliver. */
const HEARTBEAT_MS = 1_500;
/** Two signs missed, and half of one for the way. */
const SILENT_MS = 3_750;
const LOOK_MS = 500;

/** Statuses after which the next request may bring more: nothing there, and time over. */
const REQUEST_OVER = new Set([404, 408]);
const HEARTBEAT = 100;

/** A reason to begin again at once, or what is wrong. */
export type PullEnd = string | PartnerdError;

interface PullOptions {
  readonly client: NatsConnection;
  readonly stream: string;
  readonly consumer: string;
  readonly clock: Clock;
  readonly onMessage: (message: Msg) => void;
  /** The request is through, with or without all it asked for: time for the next one. */
  readonly onRequestOver: () => void;
  /** Nothing will come any more, and why. Called once, never after disposal. */
  readonly onEnded: (end: PullEnd) => void;
}

export class Pull implements Disposable {
  readonly #options: PullOptions;
  readonly #inbox = createInbox();
  readonly #subscription;
  #request = 0;
  #outstanding = 0;
  #heardAtMs: number;
  #watch: Disposable | undefined;
  #ended = false;

  constructor(options: PullOptions) {
    this.#options = options;
    this.#heardAtMs = options.clock.monotonicMs();
    this.#subscription = options.client.subscribe(`${this.#inbox}.*`, {
      callback: (error, message) => {
        if (this.#ended) return;
        if (error !== null) this.#end(describe(error));
        else this.#heard(message);
      },
    });
    this.#look();
  }

  /** Whether a request is under way: its messages are still coming. */
  get isPulling(): boolean {
    return this.#outstanding > 0;
  }

  /** Asks for up to `messages` more. Only while none is under way. */
  request(messages: number): void {
    const { client, stream, consumer, clock } = this.#options;
    if (this.#ended || client.isClosed()) return;
    this.#request += 1;
    this.#outstanding = messages;
    this.#heardAtMs = clock.monotonicMs();
    const body = { batch: messages, expires: nanos(EXPIRES_MS), idle_heartbeat: nanos(HEARTBEAT_MS) };
    client.publish(`$JS.API.CONSUMER.MSG.NEXT.${stream}.${consumer}`, JSON.stringify(body), {
      reply: `${this.#inbox}.${this.#request}`,
    });
  }

  [Symbol.dispose](): void {
    this.#ended = true;
    this.#watch?.[Symbol.dispose]();
    if (!this.#options.client.isClosed()) this.#subscription.unsubscribe();
  }

  #heard(message: Msg): void {
    this.#heardAtMs = this.#options.clock.monotonicMs();
    if (!message.subject.startsWith(this.#inbox)) {
      this.#outstanding -= 1;
      this.#options.onMessage(message);
      if (this.#outstanding === 0 && !this.#ended) this.#options.onRequestOver();
      return;
    }
    // A status of a request that is through already says nothing of this one.
    if (!message.subject.endsWith(`.${this.#request}`)) return;
    const code = message.headers?.code ?? 0;
    if (code === HEARTBEAT) return;
    if (!REQUEST_OVER.has(code)) {
      this.#end(
        code === 503
          ? "the stream or the consumer is gone"
          : `the broker says ${code} ${message.headers?.description ?? ""}`.trimEnd(),
      );
      return;
    }
    this.#outstanding = 0;
    this.#options.onRequestOver();
  }

  #look(): void {
    const { clock } = this.#options;
    this.#watch = clock.schedule(LOOK_MS, () => {
      if (this.isPulling && clock.monotonicMs() - this.#heardAtMs > SILENT_MS)
        this.#end(new PartnerdError("nats_unavailable", "NATS gives no sign of life"));
      if (!this.#ended) this.#look();
    });
  }

  #end(end: PullEnd): void {
    if (this.#ended) return;
    this[Symbol.dispose]();
    this.#options.onEnded(end);
  }
}
