/**
 * A random log. Peers become partners and stop being so, streams open, fail and close, the
 * daemon restarts and crashes, and the wall clock is set forward and back.
 */
import { join } from "node:path";
import type { Clock, Random } from "../../../src/base/clock.ts";
import { type PeerId, resourceIdOf } from "../../../src/base/ids.ts";
import type { Direction } from "../../../src/events/types.ts";
import { seededRandom } from "../../../src/sim/time/random.ts";
import { openStore, type Store } from "../../../src/store/store.ts";
import { addressOf, closed, desired, learned, observe, opened, openFailed, received, removed, start } from "./events.ts";
import { PEERS } from "./long-log.ts";
import { temporaryDirectory } from "./temporary-store.ts";

const START_MS = Date.parse("2026-01-01T00:00:00Z");

export class TimeTravelWorld implements Disposable {
  readonly #directory = temporaryDirectory();
  readonly directory = this.#directory.path;
  readonly path = join(this.directory, "oc-partnerd.db");
  readonly #random: Random;
  readonly #clockJumps: boolean;
  #wallMs = START_MS;
  #monotonicMs = 0;
  #store: Store;

  constructor(seed: number, clockJumps: boolean) {
    this.#random = seededRandom(seed);
    this.#clockJumps = clockJumps;
    this.#store = this.#open();
    start(this.#store);
  }

  get nowMs(): number {
    return this.#wallMs;
  }

  run(steps: number): this {
    for (let step = 0; step < steps; step++) this.#step();
    return this;
  }

  /** Closes the store, and leaves the log as a crash would. */
  close(): this {
    this.#store[Symbol.dispose]();
    return this;
  }

  [Symbol.dispose](): void {
    this.#store[Symbol.dispose]();
    this.#directory[Symbol.dispose]();
  }

  #open(): Store {
    const clock: Clock = {
      wallMs: () => this.#wallMs,
      monotonicMs: () => this.#monotonicMs,
      schedule: () => ({ [Symbol.dispose]: () => {} }),
    };
    return openStore({ directory: this.directory, clock });
  }

  #step(): void {
    const passedMs = Math.floor(this.#random.next() ** 3 * 6 * 3_600_000);
    this.#wallMs += passedMs;
    this.#monotonicMs += passedMs;
    const peerId = PEERS[Math.floor(this.#random.next() * 4)] ?? ("" as PeerId);
    const chance = this.#random.next();
    if (chance < 0.05 && !this.#clockJumps) return;
    if (chance < 0.03) this.#wallMs -= Math.floor(this.#random.next() * 20 * 3_600_000);
    else if (chance < 0.05) this.#wallMs += Math.floor(this.#random.next() * 40 * 3_600_000);
    else if (chance < 0.09) this.#restart();
    else if (chance < 0.3) this.#ask(peerId);
    else if (chance < 0.38 && this.#store.get(peerId)?.standing === "partner")
      observe(this.#store, learned(peerId, { agent: `agent/${this.#wallMs % 4}` }));
    else if (chance < 0.46) observe(this.#store, openFailed(peerId, { reason: chance < 0.42 ? "timeout" : "refused" }));
    else this.#stream(peerId, chance < 0.8 ? "outbound" : "inbound");
  }

  #restart(): void {
    const isClean = this.#random.next() < 0.5;
    if (isClean) {
      for (const peer of this.#store.statuses())
        for (const { direction } of peer.openStreams)
          observe(this.#store, closed(peer.peerId, { direction, reason: "shutdown" }));
      this.#store.appendStopped(1_000);
    }
    this.#store[Symbol.dispose]();
    this.#wallMs += 5_000;
    this.#store = this.#open();
    start(this.#store);
  }

  #ask(peerId: PeerId): void {
    const resourceId = resourceIdOf(`resource-${Math.floor(this.#random.next() * 5)}`);
    const chance = this.#random.next();
    if (chance < 0.1) this.#store.appendReceived([received(removed({ peerId }))]);
    else {
      const [standing, relation] = pick(this.#random, [
        ["partner", "PARTNER"],
        ["partner", "PARTNER"],
        ["partner", "PARTNER"],
        ["revoked", "NONE"],
        ["revoked", "PENDING_PARTNER"],
        ["blacklisted", "BLACKLIST"],
      ] as const);
      const address = standing === "partner" || chance < 0.5 ? addressOf(peerId, `10.0.0.${chance < 0.3 ? 1 : 2}`) : null;
      const claimedUser = chance < 0.6 ? "anna" : null;
      this.#store.appendReceived([
        received(desired({ peerId, resourceId, standing, relation, address, claimedUser, name: `name-${resourceId}` })),
      ]);
    }
    for (const { peerId: known, openStreams } of this.#store.statuses())
      if (this.#store.get(known)?.standing !== "partner")
        for (const { direction } of openStreams) observe(this.#store, closed(known, { direction, reason: "revoked" }));
  }

  #stream(peerId: PeerId, direction: Direction): void {
    const store = this.#store;
    const isOpen = store.status(peerId)?.openStreams.some((stream) => stream.direction === direction) === true;
    if (isOpen && this.#random.next() < 0.2) {
      observe(store, closed(peerId, { direction, reason: "replaced" }));
      observe(store, opened(peerId, direction));
    } else if (isOpen)
      observe(store, closed(peerId, { direction, reason: pick(this.#random, ["expired", "reset", "remote_closed"]) }));
    else if (direction === "inbound" || store.get(peerId)?.standing === "partner") observe(store, opened(peerId, direction));
  }
}

function pick<Value>(random: Random, values: readonly Value[]): Value {
  const value = values[Math.floor(random.next() * values.length)];
  if (value === undefined) throw new Error("nothing to pick from");
  return value;
}
