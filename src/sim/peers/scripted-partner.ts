/** A scripted partner that behaves like a Go host on the wire, without using any of our own p2p code. */
import { PartnerdError } from "../../base/errors.ts";
import type { Did } from "../../base/ids.ts";
import type { HostConnection, HostStream } from "../../p2p/host/host.ts";
import { encodeHeartbeat } from "../../p2p/wire/codec.ts";
import { MIN_CHALLENGE_BYTES, PARTNER_PROTOCOL, PROBE_PROTOCOL } from "../../p2p/wire/constants.ts";
import type { SimNode } from "../network/node.ts";
import type { SimPartnerStream } from "../network/stream.ts";
import { Attacker } from "./attacker.ts";
import { IncomingStream } from "./incoming-stream.ts";
import { OutgoingStream, type OutgoingStreamInit } from "./outgoing-stream.ts";

/** How it treats the daemon's partner streams: accepts them, lacks the protocol, or resets them after the first heartbeat. */
export type PartnerAnswer = "yes" | "no_protocol" | "not_partner";

export interface ScriptedPartnerInit extends Omit<OutgoingStreamInit, "heartbeat"> {
  readonly did: Did;
}

export class ScriptedPartner {
  readonly #init: ScriptedPartnerInit;
  readonly #challenge: Uint8Array;
  /** Its own partner stream to the daemon. */
  readonly outgoing: OutgoingStream;
  readonly attacker: Attacker;
  #protocol: PartnerAnswer = "yes";
  #incoming: IncomingStream | undefined;

  constructor(init: ScriptedPartnerInit) {
    const { node, clock, random, did } = init;
    this.#init = init;
    const heartbeat = encodeHeartbeat({ name: "far end", did, peerId: node.peerId }, clock.wallMs(), "unix");
    this.outgoing = new OutgoingStream({ ...init, heartbeat });
    this.#challenge = random.bytes(MIN_CHALLENGE_BYTES);
    this.attacker = new Attacker({ ...init, incoming: () => this.incoming });
    void node.handle(PROBE_PROTOCOL, (stream) => this.#echo(stream));
    this.protocol = "yes";
  }

  get node(): SimNode {
    return this.#init.node;
  }

  get protocol(): PartnerAnswer {
    return this.#protocol;
  }

  set protocol(protocol: PartnerAnswer) {
    this.#protocol = protocol;
    if (protocol === "no_protocol") void this.node.unhandle([PARTNER_PROTOCOL]);
    else void this.node.handle(PARTNER_PROTOCOL, (stream, connection) => this.#accept(stream as SimPartnerStream, connection));
  }

  /** Whether its attack fails every challenge. */
  get isLying(): boolean {
    const { attack } = this.attacker;
    return attack === "lies" || attack === "mute";
  }

  /** The partner stream from the daemon: at most one, as in a Go partner. */
  get incoming(): SimPartnerStream | undefined {
    return this.#incoming?.stream;
  }

  /** Whether a heartbeat has arrived on the daemon's stream; true if there is no stream. */
  get wasGreeted(): boolean {
    return this.#incoming?.isGreeted ?? true;
  }

  /** The process has ended and lost its state. */
  crash(): void {
    this.node.crash();
    this.#incoming?.forget();
    this.#incoming = undefined;
    this.outgoing.forget();
    this.attacker.crash();
  }

  /** Echoes everything until the end of input, unless it attacks: then it echoes other bytes, or nothing. */
  #echo(stream: HostStream): void {
    const { attack } = this.attacker;
    if (attack === "mute") return;
    const flip = attack === "lies" ? 1 : 0;
    stream.addEventListener("message", ({ data }) => void stream.send(data.subarray().map((byte) => byte ^ flip)));
    stream.addEventListener("remoteCloseWrite", () => (stream as SimPartnerStream).finish());
  }

  #accept(stream: SimPartnerStream, connection: HostConnection): void {
    const older = this.#incoming;
    const incoming: IncomingStream = new IncomingStream({
      stream,
      connection,
      clock: this.#init.clock,
      challenge: this.#challenge,
      isPartner: () => this.#protocol !== "not_partner",
      onEnded: () => {
        if (this.#incoming === incoming) this.#incoming = undefined;
      },
    });
    this.#incoming = incoming;
    older?.stream.abort(new PartnerdError("aborted", "a newer stream replaces this one"));
  }
}
