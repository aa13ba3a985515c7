/** A scripted partner's own stream to the daemon: at most one, open or being opened. */
import { multiaddr } from "@multiformats/multiaddr";
import { type Clock, jittered, type Random } from "../../base/clock.ts";
import { PartnerdError } from "../../base/errors.ts";
import { type Address, type PeerId, withPeerId } from "../../base/ids.ts";
import { HEARTBEAT_JITTER, HEARTBEAT_PERIOD_MS, PARTNER_PROTOCOL } from "../../p2p/wire/constants.ts";
import type { SimNode } from "../network/node.ts";
import type { SimPartnerStream } from "../network/stream.ts";

export interface OutgoingStreamInit {
  readonly node: SimNode;
  /** Its process's view of the clock. */
  readonly clock: Clock;
  readonly random: Random;
  /** The address that it dials. */
  readonly daemonAddress: Address;
  readonly daemonPeerId: PeerId;
  readonly heartbeat: Uint8Array;
}

const DIAL_TIMEOUT_MS = 5_000;

export class OutgoingStream {
  readonly #init: OutgoingStreamInit;
  #stream: SimPartnerStream | undefined;
  #opening: AbortController | undefined;

  constructor(init: OutgoingStreamInit) {
    this.#init = init;
  }

  /** Undefined unless it is open. */
  get stream(): SimPartnerStream | undefined {
    return this.#stream;
  }

  /** Opens the stream, over an existing connection or a new one, unless it is open or being opened. A failure is not retried. */
  open(): void {
    if (this.#stream !== undefined || this.#opening !== undefined) return;
    const opening = new AbortController();
    this.#opening = opening;
    const timeout = () => opening.abort(new PartnerdError("timeout", "no answer"));
    const limit = this.#init.clock.schedule(DIAL_TIMEOUT_MS, timeout);
    this.#openStream(opening.signal)
      .then(
        (stream) => {
          if (opening.signal.aborted) stream.abort(new PartnerdError("aborted", "the stream is no longer wanted"));
          else this.#beat(stream);
        },
        () => {
          // Retries are up to the fixture.
        },
      )
      .finally(() => {
        limit[Symbol.dispose]();
        if (this.#opening === opening) this.#opening = undefined;
      });
  }

  /** Closes the stream, or stops opening it. */
  close(): void {
    const aborted = new PartnerdError("aborted", "the far end closed its stream");
    this.#opening?.abort(aborted);
    this.#opening = undefined;
    this.#stream?.abort(aborted);
  }

  /** The process has ended and lost its state. */
  forget(): void {
    this.#stream = undefined;
    this.#opening = undefined;
  }

  async #openStream(signal: AbortSignal): Promise<SimPartnerStream> {
    const { node, daemonAddress, daemonPeerId } = this.#init;
    const existing = node.getConnections().find(({ remotePeer, status }) => remotePeer === daemonPeerId && status === "open");
    const connection = existing ?? (await node.dial(multiaddr(withPeerId(daemonAddress, daemonPeerId)), { signal }));
    return connection.newStream(PARTNER_PROTOCOL, { signal });
  }

  #beat(stream: SimPartnerStream): void {
    const { clock, random, heartbeat } = this.#init;
    this.#stream = stream;
    const beat = (): void => {
      if (this.#stream !== stream) return;
      stream.send(heartbeat);
      clock.schedule(jittered(random, HEARTBEAT_PERIOD_MS, HEARTBEAT_JITTER), beat);
    };
    const ended = () => {
      if (this.#stream === stream) this.#stream = undefined;
    };
    stream.addEventListener("close", ended);
    stream.addEventListener("remoteCloseWrite", () =>
      stream.abort(new PartnerdError("stream_lost", "the daemon closed the stream")),
    );
    if (stream.status === "open") beat();
    else ended();
  }
}
