/**
 * libp2p in memory, on a virtual clock: machines that listen on addresses, connected by wires with latency. The partner protocol runs
 * on it unchanged, through the port in src/p2p/host/host.ts.
 */
import type { Clock, Random } from "../../base/clock.ts";
import type { Address, PeerId } from "../../base/ids.ts";
import { LinkEnd, type SocketHolder } from "./link.ts";
import type { Wire } from "./pipe.ts";

/** How a machine answers dials. `denied` connects and closes right away; `other_key` proves a PeerID other than its own. */
export type DialAnswer = "yes" | "refused" | "never" | "denied" | "other_key";

/** Which of a machine's frames are held on the wire, incoming or outgoing. They arrive once the cut ends. */
export type Cut = "none" | "in" | "out" | "both";

/** A machine on the network, and its faults. */
export interface Machine extends SocketHolder {
  readonly answers: DialAnswer;
  readonly cut: Cut;
  /** Extra latency of everything this machine sends. */
  readonly lagMs: number;
  /** Its process has ended. */
  readonly crashed: boolean;
}

/** A machine that can be dialled. */
export interface Listener extends Machine {
  /** Takes this end of a link that a dialler has opened. */
  accept(link: LinkEnd): void;
}

export interface SimNetworkInit {
  /** The clock of the whole world. */
  readonly clock: Clock;
  readonly random: Random;
  /** Minimum, one way. */
  readonly latencyMs: number;
}

/** The maximum latency exceeds the minimum by this share. */
const LATENCY_JITTER = 0.2;

export class SimNetwork {
  readonly clock: Clock;
  readonly #random: Random;
  readonly #latencyMs: number;
  readonly #listeners = new Map<string, Listener>();
  /** Callbacks of pipes that hold frames back. */
  #waitingForHeal: (() => void)[] = [];
  /** Called before a dial to an address without a listener is refused, so that one can be added. */
  onUnknownAddress: (address: Address, expectedPeerId: PeerId) => void = () => {};

  constructor({ clock, random, latencyMs }: SimNetworkInit) {
    this.clock = clock;
    this.#random = random;
    this.#latencyMs = latencyMs;
  }

  /** Routes dials to `address` to this listener. A trailing `/p2p/` part is ignored. */
  listen(address: Address, listener: Listener): void {
    this.#listeners.set(transportOf(address), listener);
  }

  /** Refuses dials to `address`. Open connections are unaffected. */
  unlisten(address: Address): void {
    this.#listeners.delete(transportOf(address));
  }

  /** The latency of a frame that `from` sends now. */
  delayMs(from: Machine): number {
    return from.lagMs + this.#latencyMs * (1 + LATENCY_JITTER * this.#random.next());
  }

  /** How the machine at `address` answers a dial. This and everything below is for the network's own files. */
  knock(from: Machine, address: string, expected: PeerId): Listener | "refused" | "silence" {
    if (isCutOut(from)) return "silence";
    if (!this.#listeners.has(address)) this.onUnknownAddress(address as Address, expected);
    const listener = this.#listeners.get(address);
    if (listener === undefined) return "refused";
    if (this.#isCut(from, listener) || this.#isCut(listener, from)) return "silence";
    if (listener.crashed || listener.answers === "refused") return "refused";
    return listener.answers === "never" ? "silence" : listener;
  }

  /** A link from a dialler to the listener that answered it. */
  connect(dialler: Machine, listener: Listener): readonly [LinkEnd, LinkEnd] {
    return LinkEnd.pair(dialler, listener, this.#wire(dialler, listener), this.#wire(listener, dialler));
  }

  /** Called when a cut has ended: waiting pipes try again. */
  healed(): void {
    const waiting = this.#waitingForHeal;
    this.#waitingForHeal = [];
    for (const task of waiting) task();
  }

  #wire(from: Machine, to: Machine): Wire {
    const { clock } = this;
    return {
      clock,
      // The operating system answers on behalf of a dead process.
      get receiverClock() {
        return to.crashed ? clock : to.clock;
      },
      delayMs: () => this.delayMs(from),
      isCut: () => this.#isCut(from, to),
      onceHealed: (task) => void this.#waitingForHeal.push(task),
    };
  }

  #isCut(from: Machine, to: Machine): boolean {
    return isCutOut(from) || to.cut === "in" || to.cut === "both";
  }
}

const isCutOut = (from: Machine): boolean => from.cut === "out" || from.cut === "both";

const transportOf = (address: string): string => address.split("/p2p/")[0] ?? address;
