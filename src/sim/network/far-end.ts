/** A partner as the daemon meets it: what a Go host does on the wire, scripted on a node without any of our own p2p code. */
import { multiaddr } from "@multiformats/multiaddr";
import { type Clock, jittered, type Random } from "../../base/clock.ts";
import { PartnerdError } from "../../base/errors.ts";
import type { Address, Did, PeerId } from "../../base/ids.ts";
import { withPeerId } from "../../base/ids.ts";
import {
  HEARTBEAT_JITTER,
  HEARTBEAT_PERIOD_MS,
  LEASE_MS,
  MIN_CHALLENGE_BYTES,
  PARTNER_PROTOCOL,
  PROBE_PROTOCOL,
} from "../../p2p/constants.ts";
import { encodeHeartbeat } from "../../p2p/heartbeat/codec.ts";
import type { HostStream } from "../../p2p/host/host.ts";
import type { SimConnection } from "./connection.ts";
import type { SimNode } from "./node.ts";
import type { SimStream } from "./stream.ts";

/** What it does with the partner streams of others: takes them, knows no such protocol, or resets them after the first heartbeat. */
export type PartnerAnswer = "yes" | "no_protocol" | "not_partner";

export interface FarEndInit {
  readonly node: SimNode;
  /** Of its machine. */
  readonly clock: Clock;
  readonly random: Random;
  /** Where it dials the daemon. */
  readonly daemonAddress: Address;
  readonly daemonPeerId: PeerId;
  readonly did: Did;
}

/** A stream that the daemon writes heartbeats to. */
interface Incoming {
  readonly stream: SimStream;
  lastHeartbeatMs: number;
  proven: boolean;
}

const DIAL_TIMEOUT_MS = 5_000;
/** Go's own challenge of us is answered in this time, or the stream is reset. */
const CHALLENGE_TIMEOUT_MS = 5_000;

export class FarEnd {
  readonly node: SimNode;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #daemon: { readonly address: Address; readonly peerId: PeerId };
  readonly #heartbeat: Uint8Array;
  readonly #challenge: Uint8Array;
  #protocol: PartnerAnswer = "yes";
  #incoming: Incoming | undefined;
  #own: SimStream | undefined;
  #opening: AbortController | undefined;

  constructor({ node, clock, random, daemonAddress, daemonPeerId, did }: FarEndInit) {
    this.node = node;
    this.#clock = clock;
    this.#random = random;
    this.#daemon = { address: daemonAddress, peerId: daemonPeerId };
    this.#heartbeat = encodeHeartbeat({ name: "far end", did, peerId: node.peerId }, clock.wallMs(), "unix");
    this.#challenge = random.bytes(MIN_CHALLENGE_BYTES);
    void node.handle(PROBE_PROTOCOL, echo);
    this.protocol = "yes";
  }

  get protocol(): PartnerAnswer {
    return this.#protocol;
  }

  set protocol(protocol: PartnerAnswer) {
    this.#protocol = protocol;
    if (protocol === "no_protocol") void this.node.unhandle([PARTNER_PROTOCOL]);
    else void this.node.handle(PARTNER_PROTOCOL, (stream) => this.#accept(stream as SimStream));
  }

  /** The daemon's partner stream as it stands here: at most one, as at a Go partner. */
  get incoming(): SimStream | undefined {
    return this.#incoming?.stream;
  }

  /** Whether a heartbeat of the daemon has come on the stream that stands here; true where none stands. */
  get wasGreeted(): boolean {
    return this.#incoming?.proven ?? true;
  }

  /** Our own partner stream to the daemon. */
  get own(): SimStream | undefined {
    return this.#own;
  }

  /** Dials the daemon where no connection to it stands, and opens a partner stream to it: once, unless one stands or is being opened. */
  open(): void {
    if (this.#own !== undefined || this.#opening !== undefined) return;
    const opening = new AbortController();
    this.#opening = opening;
    const limit = this.#clock.schedule(DIAL_TIMEOUT_MS, () => opening.abort(new PartnerdError("timeout", "nobody answered")));
    this.#openStream(opening.signal)
      .then(
        (stream) => {
          if (opening.signal.aborted) stream.abort(new PartnerdError("aborted", "not wanted any more"));
          else this.#beat(stream);
        },
        () => {
          // It is tried again when the world says so.
        },
      )
      .finally(() => {
        limit[Symbol.dispose]();
        if (this.#opening === opening) this.#opening = undefined;
      });
  }

  /** Ends our own partner stream, standing or being opened. */
  close(): void {
    const aborted = new PartnerdError("aborted", "far end closes its stream");
    this.#opening?.abort(aborted);
    this.#opening = undefined;
    this.#own?.abort(aborted);
  }

  /** Half-closes the stream that the daemon writes to us. */
  finish(): void {
    this.#incoming?.stream.finish();
  }

  /** Resets the stream that the daemon writes to us. */
  reset(): void {
    this.#incoming?.stream.abort(new PartnerdError("aborted", "far end resets the stream"));
  }

  /** The process is gone, with all that it knew. */
  crash(): void {
    this.node.crash();
    this.#incoming = undefined;
    this.#own = undefined;
    this.#opening = undefined;
  }

  async #openStream(signal: AbortSignal): Promise<SimStream> {
    const connection = this.#connection() ?? (await this.#dial(signal));
    return connection.newStream(PARTNER_PROTOCOL, { signal });
  }

  #connection(): SimConnection | undefined {
    return this.node.connections().find(({ remotePeer, status }) => remotePeer === this.#daemon.peerId && status === "open");
  }

  async #dial(signal: AbortSignal): Promise<SimConnection> {
    return this.node.dial(multiaddr(withPeerId(this.#daemon.address, this.#daemon.peerId)), { signal });
  }

  #beat(stream: SimStream): void {
    this.#own = stream;
    const beat = (): void => {
      if (this.#own !== stream) return;
      stream.send(this.#heartbeat);
      this.#clock.schedule(jittered(this.#random, HEARTBEAT_PERIOD_MS, HEARTBEAT_JITTER), beat);
    };
    const ended = () => {
      if (this.#own === stream) this.#own = undefined;
    };
    stream.addEventListener("close", ended);
    stream.addEventListener("remoteCloseWrite", () =>
      stream.abort(new PartnerdError("stream_lost", "the daemon ended the stream")),
    );
    if (stream.status === "open") beat();
    else ended();
  }

  #accept(stream: SimStream): void {
    const incoming: Incoming = { stream, lastHeartbeatMs: this.#clock.monotonicMs(), proven: false };
    const older = this.#incoming;
    this.#incoming = incoming;
    older?.stream.abort(new PartnerdError("aborted", "a newer stream replaces this one"));
    stream.addEventListener("message", () => this.#receivedHeartbeat(incoming));
    stream.addEventListener("remoteCloseWrite", () =>
      stream.abort(new PartnerdError("stream_lost", "the daemon ended the stream")),
    );
    stream.addEventListener("close", () => {
      if (this.#incoming === incoming) this.#incoming = undefined;
    });
    this.#watch(incoming);
  }

  #receivedHeartbeat(incoming: Incoming): void {
    incoming.lastHeartbeatMs = this.#clock.monotonicMs();
    if (incoming.proven) return;
    incoming.proven = true;
    const { stream } = incoming;
    if (this.#protocol === "not_partner") stream.abort(new PartnerdError("not_partner", "no partner of ours"));
    else this.#challengeDaemon(stream).catch(() => stream.abort(new PartnerdError("challenge_failed", "no echo came")));
  }

  /** One timer for each lease's length, not for each heartbeat. */
  #watch(incoming: Incoming): void {
    const leftMs = incoming.lastHeartbeatMs + LEASE_MS - this.#clock.monotonicMs();
    this.#clock.schedule(leftMs, () => {
      if (this.#incoming !== incoming) return;
      if (this.#clock.monotonicMs() - incoming.lastHeartbeatMs < LEASE_MS) this.#watch(incoming);
      else incoming.stream.abort(new PartnerdError("heartbeat_missing", "the lease ran out"));
    });
  }

  /** Resolves when the echo is complete and ends. */
  async #challengeDaemon(incoming: SimStream): Promise<void> {
    const limit = new AbortController();
    const timer = this.#clock.schedule(CHALLENGE_TIMEOUT_MS, () => limit.abort(new PartnerdError("timeout", "no echo in time")));
    try {
      const stream = await incoming.connection.newStream(PROBE_PROTOCOL, { signal: limit.signal });
      const echoed = Promise.withResolvers<void>();
      let missing = this.#challenge.length;
      stream.addEventListener("message", ({ data }) => {
        missing -= data.subarray().length;
      });
      stream.addEventListener("close", ({ error }) => {
        if (error === undefined && missing === 0) echoed.resolve();
        else echoed.reject(error ?? new PartnerdError("challenge_failed", `${missing} bytes are missing`));
      });
      limit.signal.addEventListener("abort", () => stream.abort(limit.signal.reason as Error));
      stream.send(this.#challenge);
      stream.finish();
      await echoed.promise;
    } finally {
      timer[Symbol.dispose]();
    }
  }
}

/** Until the end of input. */
function echo(stream: HostStream): void {
  stream.addEventListener("message", ({ data }) => void stream.send(data.subarray()));
  stream.addEventListener("remoteCloseWrite", () => (stream as SimStream).finish());
}
