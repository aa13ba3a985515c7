/** The hostile side of a peer: what it does to the daemon while it attacks, as often as it can. */
import { multiaddr } from "@multiformats/multiaddr";
import { PartnerdError } from "../../base/errors.ts";
import { type Did, withPeerId } from "../../base/ids.ts";
import type { FixtureLine } from "../../fixture/format/schema.ts";
import { encodeHeartbeat } from "../../p2p/wire/codec.ts";
import { PARTNER_PROTOCOL } from "../../p2p/wire/constants.ts";
import type { SimConnection } from "../network/connection.ts";
import type { SimPartnerStream } from "../network/stream.ts";
import type { OutgoingStreamInit } from "./outgoing-stream.ts";

export type Attack = Extract<FixtureLine, { attacks: unknown }>["attacks"];

export interface AttackerInit extends Omit<OutgoingStreamInit, "heartbeat"> {
  readonly did: Did;
  /** The stream that the daemon writes to, if it is open. */
  readonly incoming: () => SimPartnerStream | undefined;
}

/** Each costs the simulator dozens of steps. */
const EVERY_MS = 100;
const DIAL_TIMEOUT_MS = 5_000;
/** More would only repeat the same. The real host has a budget of connections; the simulated one has none. */
const MOST_CONNECTIONS = 4;
/** Twice the longest heartbeat, so that a reader that keeps it all exceeds its bound. */
const OVERSIZED_BYTES = 128 * 1024;
const CHUNK_BYTES = 16 * 1024;
const ABORTED = new PartnerdError("aborted", "the attacker ended the stream");

export class Attacker {
  readonly #init: AttackerInit;
  #attack: Attack | undefined;
  #untilMs = 0;
  #isOver = false;

  constructor(init: AttackerInit) {
    this.#init = init;
  }

  /** The attack under way. */
  get attack(): Attack | undefined {
    return this.#init.clock.monotonicMs() < this.#untilMs ? this.#attack : undefined;
  }

  /** Attacks for `forMs`; replaces an attack under way. */
  begin(attack: Attack, forMs: number): void {
    const { clock } = this.#init;
    const isRunning = this.attack !== undefined;
    this.#attack = attack;
    this.#untilMs = clock.monotonicMs() + forMs;
    if (!isRunning) this.#again();
  }

  /** Ends the attack. */
  stop(): void {
    this.#untilMs = 0;
  }

  /** The process has ended. */
  crash(): void {
    this.#isOver = true;
  }

  #again(): void {
    const { attack } = this;
    if (attack === undefined || this.#isOver) return;
    this.#strike(attack).catch(() => {
      // Refused, as it should be.
    });
    this.#init.clock.schedule(EVERY_MS, () => this.#again());
  }

  async #strike(attack: Attack): Promise<void> {
    if (attack === "talks") {
      this.#init.incoming()?.send(new Uint8Array(CHUNK_BYTES));
      return;
    }
    const stream = await this.#openStream();
    const { random } = this.#init;
    switch (attack) {
      case "opens":
        break;
      case "garbage":
        stream.send(random.bytes(1 + Math.floor(random.next() * 200)));
        break;
      case "oversized":
        stream.send(new TextEncoder().encode('{"name":"'));
        for (let sent = 0; sent < OVERSIZED_BYTES; sent += CHUNK_BYTES) stream.send(new Uint8Array(CHUNK_BYTES).fill(0x78));
        break;
      case "slow":
        this.#trickle(stream, this.#heartbeat(this.#init.node.peerId), 0);
        break;
      case "claims":
        stream.send(this.#heartbeat(this.#init.daemonPeerId));
        break;
      case "lies":
      case "mute":
        stream.send(this.#heartbeat(this.#init.node.peerId));
        break;
      case "flaps":
        stream.send(this.#heartbeat(this.#init.node.peerId));
        this.#init.clock.schedule(EVERY_MS, () => stream.abort(ABORTED));
        break;
    }
  }

  /** A byte at a time: slower than the first heartbeat may be. */
  #trickle(stream: SimPartnerStream, bytes: Uint8Array, sent: number): void {
    if (this.#isOver || stream.status !== "open" || sent >= bytes.length) return;
    stream.send(bytes.subarray(sent, sent + 1));
    this.#init.clock.schedule(EVERY_MS * 5, () => this.#trickle(stream, bytes, sent + 1));
  }

  #heartbeat(peerId: OutgoingStreamInit["daemonPeerId"]): Uint8Array {
    const { clock, did } = this.#init;
    return encodeHeartbeat({ name: "attacker", did, peerId }, clock.wallMs(), "unix");
  }

  async #openStream(): Promise<SimPartnerStream> {
    const { clock } = this.#init;
    const limit = new AbortController();
    const timer = clock.schedule(DIAL_TIMEOUT_MS, () => limit.abort(new PartnerdError("timeout", "no answer")));
    try {
      const connection = await this.#connection(limit.signal);
      return await connection.newStream(PARTNER_PROTOCOL, { signal: limit.signal });
    } finally {
      timer[Symbol.dispose]();
    }
  }

  /** Any of a few. */
  async #connection(signal: AbortSignal): Promise<SimConnection> {
    const { node, random, daemonAddress, daemonPeerId } = this.#init;
    const open = node.getConnections().filter(({ remotePeer, status }) => remotePeer === daemonPeerId && status === "open");
    const known = open[Math.floor(random.next() * MOST_CONNECTIONS)];
    return known ?? (await node.dial(multiaddr(withPeerId(daemonAddress, daemonPeerId)), { signal }));
  }
}
