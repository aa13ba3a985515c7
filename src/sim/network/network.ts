/**
 * libp2p in memory, on a virtual clock: machines that listen at addresses, and wires between them that take time. The partner
 * protocol runs on it unchanged (src/p2p/host/host.ts says what it needs).
 */
import type { Clock, Random } from "../../base/clock.ts";
import type { Address, PeerId } from "../../base/ids.ts";
import type { SimNodeInit } from "./node.ts";
import { SimNode } from "./node.ts";
import type { Wire } from "./pipe.ts";

export interface SimNetworkInit {
  /** Of the whole world. */
  readonly clock: Clock;
  readonly random: Random;
  /** One way, the shortest. */
  readonly latencyMs: number;
  /** Whom an `other_key` node proves to be. */
  readonly strangerPeerId?: PeerId;
}

/** The longest latency is so much more than the shortest. */
const LATENCY_JITTER = 0.2;

export class SimNetwork {
  readonly clock: Clock;
  readonly strangerPeerId: PeerId;
  readonly #random: Random;
  readonly #latencyMs: number;
  readonly #listeners = new Map<string, SimNode>();
  /** Of pipes that hold something back. */
  #waitingForHeal: (() => void)[] = [];
  /** Somebody dials where nobody listens: a last chance to listen there. */
  onUnknownAddress: (address: Address, expectedPeerId: PeerId) => void = () => {};

  constructor({ clock, random, latencyMs, strangerPeerId = "stranger" as PeerId }: SimNetworkInit) {
    this.clock = clock;
    this.#random = random;
    this.#latencyMs = latencyMs;
    this.strangerPeerId = strangerPeerId;
  }

  addNode(init: SimNodeInit): SimNode {
    return new SimNode(this, init);
  }

  /** From now on dials to `address` reach this node. A `/p2p/` at the end of an address says nothing here. */
  listen(address: Address, node: SimNode): void {
    this.#listeners.set(transportOf(address), node);
  }

  /** From now on dials to `address` are refused. Connections that stand are not touched. */
  unlisten(address: Address): void {
    this.#listeners.delete(transportOf(address));
  }

  /** How long what `from` sends now takes. */
  delayMs(from: SimNode): number {
    return from.lagMs + this.#latencyMs * (1 + LATENCY_JITTER * this.#random.next());
  }

  /** What the machine at an address does with a dial that reaches it. For the network's own files, as is all below. */
  knock(from: SimNode, address: string, expected: PeerId): SimNode | "refused" | "silence" {
    if (isCutOut(from)) return "silence";
    if (!this.#listeners.has(address)) this.onUnknownAddress(address as Address, expected);
    const listener = this.#listeners.get(address);
    if (listener === undefined) return "refused";
    if (this.#isCut(from, listener) || this.#isCut(listener, from)) return "silence";
    if (listener.crashed || listener.answers === "refused") return "refused";
    return listener.answers === "never" ? "silence" : listener;
  }

  wire(from: SimNode, to: SimNode): Wire {
    const { clock } = this;
    return {
      clock,
      // What comes for a process that is gone is its machine's business.
      get receiverClock() {
        return to.crashed ? clock : to.clock;
      },
      delayMs: () => this.delayMs(from),
      isCut: () => this.#isCut(from, to),
      onceHealed: (task) => void this.#waitingForHeal.push(task),
    };
  }

  /** Some cut has ended: whoever waits looks again. */
  healed(): void {
    const waiting = this.#waitingForHeal;
    this.#waitingForHeal = [];
    for (const task of waiting) task();
  }

  #isCut(from: SimNode, to: SimNode): boolean {
    return isCutOut(from) || to.cut === "in" || to.cut === "both";
  }
}

const isCutOut = (from: SimNode): boolean => from.cut === "out" || from.cut === "both";

const transportOf = (address: string): string => address.split("/p2p/")[0] ?? address;
