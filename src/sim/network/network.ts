/**
 * libp2p in memory, on a virtual clock: machines that listen at addresses, and wires between them that take time. The partner
 * protocol runs on it unchanged (src/p2p/host/host.ts says what it needs).
 */
import type { Clock, Random } from "../../base/clock.ts";
import type { Address, PeerId } from "../../base/ids.ts";
import { LinkEnd, type SocketHolder } from "./link.ts";
import type { Wire } from "./pipe.ts";

/** How dials to a machine end. `denied` connects, and is closed right after; `other_key` proves another PeerID than its own. */
export type DialAnswer = "yes" | "refused" | "never" | "denied" | "other_key";

/** Which frames of a machine are held on the wire: those that it sends, those that it is sent. They arrive after the cut. */
export type Cut = "none" | "in" | "out" | "both";

/** A machine on the network, and its faults. */
export interface Machine extends SocketHolder {
  readonly answers: DialAnswer;
  readonly cut: Cut;
  /** Everything this machine sends takes so much longer. */
  readonly lagMs: number;
  /** Its process is gone. */
  readonly crashed: boolean;
}

/** A machine that can be dialled. */
export interface Listener extends Machine {
  /** Takes its end of a link that a dialler has opened. */
  accept(link: LinkEnd): void;
}

export interface SimNetworkInit {
  /** Of the whole world. */
  readonly clock: Clock;
  readonly random: Random;
  /** One way, the shortest. */
  readonly latencyMs: number;
}

/** The longest latency is so much more than the shortest. */
const LATENCY_JITTER = 0.2;

export class SimNetwork {
  readonly clock: Clock;
  readonly #random: Random;
  readonly #latencyMs: number;
  readonly #listeners = new Map<string, Listener>();
  /** Of pipes that hold something back. */
  #waitingForHeal: (() => void)[] = [];
  /** Called before a dial to an address without a listener is refused, so that one can be added. */
  onUnknownAddress: (address: Address, expectedPeerId: PeerId) => void = () => {};

  constructor({ clock, random, latencyMs }: SimNetworkInit) {
    this.clock = clock;
    this.#random = random;
    this.#latencyMs = latencyMs;
  }

  /** From now on dials to `address` reach this listener. A trailing `/p2p/` is ignored. */
  listen(address: Address, listener: Listener): void {
    this.#listeners.set(transportOf(address), listener);
  }

  /** From now on dials to `address` are refused. Open connections are not touched. */
  unlisten(address: Address): void {
    this.#listeners.delete(transportOf(address));
  }

  /** How long a frame that `from` sends now takes. */
  delayMs(from: Machine): number {
    return from.lagMs + this.#latencyMs * (1 + LATENCY_JITTER * this.#random.next());
  }

  /** How the machine at `address` answers a dial. For the network's own files, as is all below. */
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

  /** Some cut has ended: waiting pipes look again. */
  healed(): void {
    const waiting = this.#waitingForHeal;
    this.#waitingForHeal = [];
    for (const task of waiting) task();
  }

  #wire(from: Machine, to: Machine): Wire {
    const { clock } = this;
    return {
      clock,
      // The operating system answers for a process that is gone.
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
