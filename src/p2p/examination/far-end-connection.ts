/** The connection to the far end during an examination: some far ends close it when they refuse a stream, so it is dialled again. */
import { type Clock, deadline } from "../../base/clock.ts";
import { isFault, PartnerdError } from "../../base/errors.ts";
import { abortable, pause } from "../../base/pause.ts";
import type { ConnectionCut, Cuts } from "../budgets/cuts.ts";
import { streamError } from "../heartbeat/open-errors.ts";
import type { Host, HostConnection, HostEvents } from "../host/host.ts";
import type { StepFailure } from "./step-results.ts";

export interface FarEndConnectionInit {
  readonly host: Pick<Host, "addEventListener" | "removeEventListener">;
  readonly clock: Clock;
  readonly cuts: Cuts;
  readonly timeoutMs: number;
  /** Null if it cannot be dialled any more. */
  readonly redial: () => Promise<HostConnection | null>;
}

/** Each heartbeat format and each echo may cost one. */
const MAX_REDIALS = 16;
/** Between the reset of a connection's streams and its own end. */
const CLOSING_MS = 250;

export class FarEndConnection {
  readonly #init: FarEndConnectionInit;
  #current: HostConnection;
  #redials = 0;

  constructor(first: HostConnection, init: FarEndConnectionInit) {
    this.#current = first;
    this.#init = init;
  }

  /** How often it was dialled again. */
  get redials(): number {
    return this.#redials;
  }

  /** The protocol of its muxer. */
  get muxer(): string | null {
    return this.#current.multiplexer ?? null;
  }

  /** The connection, or a new one if it has closed. Null if there is none any more. */
  async open(): Promise<HostConnection | null> {
    if (this.isOpen) return this.#current;
    if (this.#redials++ >= MAX_REDIALS) return null;
    const next = await this.#init.redial();
    if (next !== null) this.#current = next;
    return next;
  }

  get isOpen(): boolean {
    return this.#current.status === "open";
  }

  /** Waits a moment for the end of a connection whose streams have ended, which may be because it is closing. */
  async settle(): Promise<void> {
    using closing = this.#closeOf(this.#current);
    await pause(this.#init.clock, CLOSING_MS, closing.signal);
  }

  /**
   * Runs `work`, a question over `protocol`, on the open connection, within the time limit and until the connection closes. Rejects
   * with a fault of our own.
   */
  async ask<Answer>(
    protocol: string,
    work: (connection: HostConnection, signal: AbortSignal) => Promise<Answer>,
  ): Promise<Answered<Answer>> {
    const connection = await this.open();
    if (connection === null) return { answer: null, failure: CLOSED, durationMs: 0 };
    const { clock, cuts, timeoutMs } = this.#init;
    const startedMs = clock.monotonicMs();
    const durationMs = () => clock.monotonicMs() - startedMs;
    using closing = this.#closeOf(connection);
    const late = () => new PartnerdError("timeout", `no answer within ${timeoutMs} ms`);
    using limit = deadline(clock, timeoutMs, late, closing.signal);
    try {
      limit.signal.throwIfAborted();
      return { answer: await abortable(work(connection, limit.signal), limit.signal), failure: null, durationMs: durationMs() };
    } catch (thrown) {
      if (isFault(thrown)) throw thrown;
      const error: unknown = limit.signal.aborted ? limit.signal.reason : thrown;
      const failure = failureOf(error, protocol, connection, cuts.cutOf(connection));
      return { answer: null, failure, durationMs: durationMs() };
    }
  }

  /** A signal that aborts when `connection` closes. */
  #closeOf(connection: HostConnection): { readonly signal: AbortSignal } & Disposable {
    const { host } = this.#init;
    const closed = new AbortController();
    const reason = new PartnerdError("refused", CLOSED.message);
    const onClose = (event: HostEvents["connection:close"]) => {
      if (event.detail === connection) closed.abort(reason);
    };
    host.addEventListener("connection:close", onClose);
    if (connection.status !== "open") closed.abort(reason);
    return { signal: closed.signal, [Symbol.dispose]: () => host.removeEventListener("connection:close", onClose) };
  }
}

/** Either an answer or a failure. */
export interface Answered<Answer> {
  readonly answer: Answer | null;
  readonly failure: StepFailure | null;
  readonly durationMs: number;
}

/** Why there is no connection any more. */
export const CLOSED: StepFailure = { code: "refused", message: "the far end closed the connection" };

function failureOf(thrown: unknown, protocol: string, connection: HostConnection, cut: ConnectionCut | undefined): StepFailure {
  const { code, message } = thrown instanceof PartnerdError ? thrown : streamError(thrown, protocol, connection, cut);
  if (thrown instanceof PartnerdError || code !== "refused") return { code, message };
  return connection.status === "open" ? { code, message: `no valid answer over ${protocol}` } : CLOSED;
}
