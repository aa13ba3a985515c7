/**
 * Pulling from a consumer, one request at a time. The client library's own loop waits for a consumer that is gone, prints to the
 * console, and keeps timers of its own; the protocol is small (docs/adr/0011).
 */
import type { Clock } from "../../base/clock.ts";
import { PartnerdError } from "../../base/errors.ts";
import type { BrokerLink, BrokerMessage, PullChannel } from "./broker-port.ts";

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
  readonly link: Pick<BrokerLink, "openPull" | "isClosed">;
  readonly clock: Clock;
  readonly onMessage: (message: BrokerMessage) => void;
  /** The request is through, with or without all it asked for: time for the next one. */
  readonly onRequestOver: () => void;
  /** Nothing will come any more, and why. Called once, never after disposal. */
  readonly onEnded: (end: PullEnd) => void;
}

export class Pull implements Disposable {
  readonly #options: PullOptions;
  readonly #channel: PullChannel;
  #request = 0;
  #outstanding = 0;
  #heardAtMs: number;
  #watch: Disposable | undefined;
  #ended = false;

  constructor(options: PullOptions) {
    this.#options = options;
    this.#heardAtMs = options.clock.monotonicMs();
    this.#channel = options.link.openPull({
      message: (message) => this.#received(message),
      status: (request, code, description) => this.#told(request, code, description),
      failed: (reason) => this.#end(reason),
    });
    this.#look();
  }

  /** Whether a request is under way: its messages are still coming. */
  get isPulling(): boolean {
    return this.#outstanding > 0;
  }

  /** Asks for up to `messages` more. Only while none is under way. */
  request(messages: number): void {
    const { link, clock } = this.#options;
    if (this.#ended || link.isClosed()) return;
    this.#request += 1;
    this.#outstanding = messages;
    this.#heardAtMs = clock.monotonicMs();
    this.#channel.request({ number: this.#request, messages, expiresMs: EXPIRES_MS, heartbeatMs: HEARTBEAT_MS });
  }

  [Symbol.dispose](): void {
    this.#ended = true;
    this.#watch?.[Symbol.dispose]();
    this.#channel[Symbol.dispose]();
  }

  #received(message: BrokerMessage): void {
    if (this.#ended) return;
    this.#heardAtMs = this.#options.clock.monotonicMs();
    this.#outstanding -= 1;
    this.#options.onMessage(message);
    if (this.#outstanding === 0 && !this.#ended) this.#options.onRequestOver();
  }

  #told(request: number, code: number, description: string): void {
    if (this.#ended) return;
    this.#heardAtMs = this.#options.clock.monotonicMs();
    // A status of a request that is through already says nothing of this one.
    if (request !== this.#request || code === HEARTBEAT) return;
    if (!REQUEST_OVER.has(code)) {
      this.#end(code === 503 ? "the stream or the consumer is gone" : `the broker says ${code} ${description}`.trimEnd());
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
