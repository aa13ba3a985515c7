/** The daemon's partner stream at a scripted partner: its lease, and the partner's bandwidth challenge after the first heartbeat. */
import type { Clock } from "../../base/clock.ts";
import { PartnerdError } from "../../base/errors.ts";
import type { HostConnection } from "../../p2p/host/host.ts";
import { CHALLENGE_TIMEOUT_MS, LEASE_MS, PROBE_PROTOCOL } from "../../p2p/wire/constants.ts";
import type { SimPartnerStream } from "../network/stream.ts";

export interface IncomingStreamInit {
  readonly stream: SimPartnerStream;
  readonly connection: HostConnection;
  readonly clock: Clock;
  /** The bytes that the daemon must echo. */
  readonly challenge: Uint8Array;
  /** Whether we accept the daemon as a partner. */
  readonly isPartner: () => boolean;
  readonly onEnded: () => void;
}

export class IncomingStream {
  readonly #init: IncomingStreamInit;
  #lastHeartbeatMs: number;
  #isGreeted = false;
  #isOver = false;

  constructor(init: IncomingStreamInit) {
    const { stream, clock, onEnded } = init;
    this.#init = init;
    this.#lastHeartbeatMs = clock.monotonicMs();
    stream.addEventListener("message", () => this.#receivedHeartbeat());
    stream.addEventListener("remoteCloseWrite", () =>
      stream.abort(new PartnerdError("stream_lost", "the daemon closed the stream")),
    );
    stream.addEventListener("close", () => {
      this.forget();
      onEnded();
    });
    this.#watchLease();
  }

  get stream(): SimPartnerStream {
    return this.#init.stream;
  }

  /** True once a heartbeat has arrived on it. */
  get isGreeted(): boolean {
    return this.#isGreeted;
  }

  /** Stops all activity, without closing the stream. */
  forget(): void {
    this.#isOver = true;
  }

  #receivedHeartbeat(): void {
    const { stream, clock, isPartner } = this.#init;
    this.#lastHeartbeatMs = clock.monotonicMs();
    if (this.#isGreeted) return;
    this.#isGreeted = true;
    if (!isPartner()) stream.abort(new PartnerdError("not_partner", "not a partner of ours"));
    else this.#challengeDaemon().catch(() => stream.abort(new PartnerdError("challenge_failed", "no echo received")));
  }

  /** Uses one timer per lease period instead of one per heartbeat. */
  #watchLease(): void {
    const { stream, clock } = this.#init;
    clock.schedule(this.#lastHeartbeatMs + LEASE_MS - clock.monotonicMs(), () => {
      if (this.#isOver) return;
      if (clock.monotonicMs() - this.#lastHeartbeatMs < LEASE_MS) this.#watchLease();
      else stream.abort(new PartnerdError("heartbeat_missing", "the lease ran out"));
    });
  }

  /** Resolves when the full echo has arrived and the stream has ended. */
  async #challengeDaemon(): Promise<void> {
    const { clock, connection, challenge } = this.#init;
    const limit = new AbortController();
    const timer = clock.schedule(CHALLENGE_TIMEOUT_MS, () => limit.abort(new PartnerdError("timeout", "no echo in time")));
    try {
      const stream = await connection.newStream(PROBE_PROTOCOL, { signal: limit.signal });
      const echoed = Promise.withResolvers<void>();
      let missing = challenge.length;
      stream.addEventListener("message", ({ data }) => {
        missing -= data.subarray().length;
      });
      stream.addEventListener("close", ({ error }) => {
        if (error === undefined && missing === 0) echoed.resolve();
        else echoed.reject(error ?? new PartnerdError("challenge_failed", `${missing} bytes are missing`));
      });
      limit.signal.addEventListener("abort", () => stream.abort(limit.signal.reason as Error));
      stream.send(challenge);
      await stream.close({ signal: limit.signal });
      await echoed.promise;
    } finally {
      timer[Symbol.dispose]();
    }
  }
}
