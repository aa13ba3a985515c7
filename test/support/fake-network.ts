/**
 * A network in memory, for everything that must run on a virtual clock. Hosts speak the partner protocol in frames that
 * take time and arrive in order; machines freeze, links break, ports close. What stands is kept in the real registry.
 */
import type { Clock, Random } from "../../src/clock.ts";
import { PartnerdError } from "../../src/errors.ts";
import type { Address, PeerId } from "../../src/ids.ts";
import { FakeConnection } from "./fake-connection.ts";
import type { FakeHostInit } from "./fake-host.ts";
import { FakeHost } from "./fake-host.ts";

export interface FakeNetworkInit {
  readonly clock: Clock;
  readonly random: Random;
  /** One way, the shortest; default 5 ms. */
  readonly latencyMs?: number;
  /** Added at random to each frame, without changing the order on a connection; default 0. */
  readonly latencyJitterMs?: number;
}

/** What a dial finds at an address. */
type Listener = FakeHost | "silent";

export class FakeNetwork {
  readonly clock: Clock;
  readonly random: Random;
  readonly #latencyMs: number;
  readonly #latencyJitterMs: number;
  readonly #listeners = new Map<Address, Listener>();
  readonly #connections = new Set<FakeConnection>();
  readonly #frozen = new Set<PeerId>();
  readonly #cutPairs = new Set<string>();

  constructor(init: FakeNetworkInit) {
    this.clock = init.clock;
    this.random = init.random;
    this.#latencyMs = init.latencyMs ?? 5;
    this.#latencyJitterMs = init.latencyJitterMs ?? 0;
  }

  /** A host that listens on `address`. */
  addHost(address: Address, init: FakeHostInit): FakeHost {
    const host = new FakeHost(this, init);
    this.#listeners.set(address, host);
    return host;
  }

  /** Something that accepts connections and never says a word. */
  addSilentListener(address: Address): void {
    this.#listeners.set(address, "silent");
  }

  /** From now on dials to `address` are refused by the machine. Connections that stand are not touched. */
  closePort(address: Address): void {
    this.#listeners.delete(address);
  }

  reopenPort(address: Address, host: FakeHost): void {
    this.#listeners.set(address, host);
  }

  /** The process of this peer stops, as by SIGSTOP: its machine still accepts and buffers, nothing answers. */
  freeze(peerId: PeerId): void {
    this.#frozen.add(peerId);
  }

  thaw(peerId: PeerId): void {
    this.#frozen.delete(peerId);
    this.#flush();
  }

  /** Nothing passes between the two until `heal`; then what was sent arrives, as with TCP. */
  cut(one: PeerId, other: PeerId): void {
    this.#cutPairs.add(pairOf(one, other));
  }

  heal(one: PeerId, other: PeerId): void {
    this.#cutPairs.delete(pairOf(one, other));
    this.#flush();
  }

  /** Every connection of this peer is reset, as when its process dies. */
  dropConnections(peerId: PeerId): void {
    for (const connection of this.#connections) {
      if (connection.ends.some((end) => end.host.peerId === peerId)) connection.reset();
    }
  }

  isHeld(from: PeerId, to: PeerId): boolean {
    return this.#frozen.has(to) || this.#frozen.has(from) || this.#cutPairs.has(pairOf(from, to));
  }

  delayMs(): number {
    return this.#latencyMs + this.#latencyJitterMs * this.random.next();
  }

  /** Connects after one round trip; where something silent, frozen or cut off answers, it waits for ever or until that ends. */
  dial(from: FakeHost, address: Address, expected: PeerId): Promise<FakeConnection> {
    return new Promise((resolve, reject) => {
      const arrive = () => {
        const listener = this.#listeners.get(address);
        if (listener === undefined) reject(new PartnerdError("dial_failed", `connection refused by ${address}`));
        else if (listener === "silent") return;
        else if (this.isHeld(from.peerId, listener.peerId)) this.clock.schedule(RETRY_MS, arrive);
        else if (listener.peerId !== expected) {
          reject(new PartnerdError("identity_mismatch", `${address} is ${listener.peerId}, not ${expected}`));
        } else resolve(this.#connect(from, listener));
      };
      this.clock.schedule(this.delayMs() + this.delayMs(), arrive);
    });
  }

  #connect(dialler: FakeHost, acceptor: FakeHost): FakeConnection {
    const connection = new FakeConnection(this, dialler, acceptor, () => this.#connections.delete(connection));
    this.#connections.add(connection);
    dialler.connected(connection.ends[0]);
    acceptor.connected(connection.ends[1]);
    return connection;
  }

  #flush(): void {
    for (const connection of this.#connections) connection.flush();
  }
}

/** How often a dial that nobody answers is tried again by the machine below, as TCP does with its SYN. */
const RETRY_MS = 200;

const pairOf = (one: PeerId, other: PeerId): string => [one, other].sort().join(" ");
