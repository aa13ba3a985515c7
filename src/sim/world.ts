/** The simulated world: one daemon, its disk, its broker, its peers, and the invariants that observe them. */
import type { Clock } from "../base/clock.ts";
import type { Address, PeerId } from "../base/ids.ts";
import type { RunId } from "../events/types.ts";
import { addressOfName, peerIdOfName } from "../fixture/format/names.ts";
import type { Fixture } from "../fixture/format/schema.ts";
import { SimBroker } from "./broker/broker.ts";
import { DaemonLifecycle } from "./daemon/daemon-lifecycle.ts";
import { SimDisk } from "./daemon/disk.ts";
import { SimDaemon } from "./daemon/sim-daemon.ts";
import { type Relations, SimVocabulary } from "./daemon/sim-vocabulary.ts";
import { type Invariant, Obligations, type Scene } from "./invariants/invariant.ts";
import { SimNetwork } from "./network/network.ts";
import type { FarEnd } from "./peers/far-end.ts";
import { SimPeer } from "./peers/peer.ts";
import { derivedRandom } from "./time/random.ts";
import type { VirtualClock } from "./time/virtual-clock.ts";
import type { Trace } from "./trace.ts";
import { Witness } from "./witness.ts";

/** An expectation of a fixture that was not met, and what was there instead. */
export interface Unmet {
  readonly place: string;
  readonly expected: string;
  readonly found: string;
}

export interface WorldInit {
  readonly header: Fixture["header"];
  readonly clock: VirtualClock;
  readonly traceOf: (nameOf: (peerId: PeerId) => string) => Trace;
  readonly invariants: (scene: Scene) => readonly Invariant[];
  readonly onViolation: (invariant: string, message: string, unmet?: Unmet) => void;
  /** Shared with other daemons. Default: a network of its own. */
  readonly network?: SimNetwork;
  /** The other daemon with this PeerID, if there is one. */
  readonly neighbour?: (peerId: PeerId, world: World) => FarEnd | undefined;
}

/** How long the daemon is down while its files are changed. */
const CHANGED_DOWN_MS = 1_000;

export class World implements Scene, Disposable {
  readonly settings: Fixture["header"]["settings"];
  readonly self: PeerId;
  readonly disk: SimDisk;
  readonly broker: SimBroker;
  readonly network: SimNetwork;
  readonly lifecycle: DaemonLifecycle;
  readonly witness: Witness;
  readonly trace: Trace;
  readonly #init: WorldInit;
  readonly #peers = new Map<PeerId, FarEnd>();
  readonly #peersByName = new Map<string, FarEnd>();
  readonly #invariants: readonly Invariant[];
  readonly #obligations: Obligations;
  readonly #vocabulary = new SimVocabulary();
  #isOutdated = false;
  #isHealed = false;

  constructor(init: WorldInit) {
    const { header, clock } = init;
    this.#init = init;
    this.settings = header.settings;
    this.self = peerIdOfName(header.self);
    this.trace = init.traceOf((peerId) => this.#nameOf(peerId));
    this.network = init.network ?? this.#ownNetwork();
    this.disk = new SimDisk(
      {
        beforeCommit: () => this.lifecycle.reached("before_commit"),
        endsUnsynced: () => this.lifecycle.endsAt("committing"),
        written: () => this.lifecycle.reached("committing"),
        afterCommit: () => {
          for (const invariant of this.#invariants) invariant.committed?.();
          this.lifecycle.reached("after_commit");
        },
      },
      header.settings.headFile,
    );
    this.broker = new SimBroker({
      clock,
      delivery: header.settings.delivery,
      latencyMs: header.latencyMs,
      beforeAcknowledge: () => this.lifecycle.survives("before_acknowledge"),
      afterAcknowledge: () => void this.lifecycle.survives("after_acknowledge"),
      onAcknowledged: (upTo) => {
        for (const invariant of this.#invariants) invariant.acknowledged?.(upTo);
      },
    });
    this.lifecycle = this.#makeLifecycle();
    this.witness = new Witness({
      trace: this.trace,
      lifecycle: this.lifecycle,
      nowMs: () => this.nowMs(),
      nameOf: (peerId) => this.#nameOf(peerId),
      invariants: () => this.#invariants,
    });
    this.#obligations = new Obligations((invariant, message) => this.violated(invariant, message));
    this.#invariants = init.invariants(this);
  }

  get name(): string {
    return this.#init.header.self;
  }

  nowMs(): number {
    return this.#init.clock.monotonicMs();
  }

  awakeMs(): number {
    return this.lifecycle.awakeMs();
  }

  get daemon(): SimDaemon | undefined {
    return this.lifecycle.daemon;
  }

  get wakesAreSafe(): boolean {
    return this.lifecycle.wakesAreSafe;
  }

  publish(subject: string, bytes: Uint8Array, deliveries: readonly number[]): void {
    const stored = this.broker.publish(subject, bytes, deliveries);
    if (stored !== undefined) for (const invariant of this.#invariants) invariant.published?.(stored);
  }

  /** A fault strikes the broker, its stream, its consumer or the disk. */
  disturbed(): void {
    for (const invariant of this.#invariants) invariant.disturbed?.();
  }

  peer(peerId: PeerId): FarEnd | undefined {
    return this.#peers.get(peerId);
  }

  peers(): readonly FarEnd[] {
    return [...this.#peers.values()];
  }

  violated(invariant: string, message: string, unmet?: Unmet): void {
    this.#init.onViolation(invariant, message, unmet);
  }

  within(afterAwakeMs: number, invariant: string, check: () => string | undefined): void {
    this.#obligations.add(this.awakeMs() + afterAwakeMs, invariant, check);
  }

  /** The peer of this name, created on first use. */
  peerNamed(name: string): FarEnd {
    const known = this.#peersByName.get(name) ?? this.#makePeer(name);
    this.#peersByName.set(name, known);
    return known;
  }

  /** Where the peer of this name listens. Our own name needs no peer, which would listen in the daemon's place. */
  addressOf(name: string): Address {
    return peerIdOfName(name) === this.self ? addressOfName(this.self) : this.peerNamed(name).address;
  }

  /** Crashes the daemon, and puts the saved copy of its data in place before it starts again. */
  rollBack(): void {
    this.lifecycle.end("crash", "now", CHANGED_DOWN_MS);
    if (!this.lifecycle.isDown || !this.disk.rollBack()) return;
    for (const invariant of this.#invariants) invariant.rolledBack?.();
  }

  /** Crashes the daemon, and changes a row of its tables before it starts again. */
  forge(): void {
    this.lifecycle.end("crash", "now", CHANGED_DOWN_MS);
    if (this.lifecycle.isDown) this.disk.forge();
  }

  changeVocabulary(relations: Relations, downMs: number): void {
    this.#vocabulary.change(relations);
    this.lifecycle.end("restart", "now", downMs);
  }

  upgrade(downMs: number): void {
    this.#isOutdated = true;
    this.lifecycle.end("restart", "now", downMs);
  }

  /** Clears all faults. */
  heal(): void {
    if (this.disk.state === "replaced") this.lifecycle.end("restart", "now", 0);
    this.disk.set("healthy");
    this.broker.set("up");
    this.broker.answers.end();
    for (const peer of this.#peers.values()) peer.heal(null);
    this.#isHealed = true;
    this.disturbed();
    this.#peersAreWhereTheLogSays();
    this.lifecycle.heal();
    for (const invariant of this.#invariants) invariant.healed?.();
  }

  /** Called after each step, when its promises have settled. */
  stepped(): void {
    this.#obligations.settle(this.awakeMs());
    for (const invariant of this.#invariants) invariant.stepped?.();
  }

  finished(): void {
    for (const invariant of this.#invariants) invariant.finished?.();
  }

  [Symbol.dispose](): void {
    this.disk[Symbol.dispose]();
  }

  #ownNetwork(): SimNetwork {
    const { header, clock } = this.#init;
    const network = new SimNetwork({ clock, random: derivedRandom(header.seed, "network"), latencyMs: header.latencyMs });
    network.onUnknownAddress = (address, expected) => this.#discover(address, expected);
    return network;
  }

  #makeLifecycle(): DaemonLifecycle {
    const { header, clock } = this.#init;
    return new DaemonLifecycle({
      clock,
      random: derivedRandom(header.seed, "world faults"),
      start: (view, life, onStarted) => {
        this.#reinterpret(view);
        if (this.#isOutdated) this.disk.downgrade();
        this.#isOutdated = false;
        const init = {
          vocabulary: this.#vocabulary.current,
          peerId: this.self,
          run: String(life) as RunId,
          settings: header.settings,
          clock: view,
          random: derivedRandom(header.seed, `daemon ${life}`),
          brokerRandom: derivedRandom(header.seed, `connection ${life}`),
          disk: this.disk,
          broker: this.broker,
          network: this.network,
          address: addressOfName(this.self),
          watcher: this.witness,
        };
        return SimDaemon.start(init, onStarted);
      },
      onStarted: (daemon) => {
        if (this.#isHealed) this.#peersAreWhereTheLogSays();
        for (const invariant of this.#invariants) invariant.started?.(daemon);
      },
      onStartFailed: (thrown) => {
        for (const invariant of this.#invariants) invariant.startFailed?.(thrown);
      },
      onEnded: () => {
        this.#obligations.clear();
        for (const invariant of this.#invariants) invariant.ended?.();
      },
      tell: (what) => this.trace.noted(this.nowMs(), "daemon", what),
    });
  }

  #reinterpret(clock: Clock): void {
    const outcome = this.#vocabulary.reinterpret(this.disk, clock);
    if (outcome === undefined) return;
    this.trace.noted(this.nowMs(), "daemon", outcome.said);
    if (outcome.differs !== null) this.violated("reinterpreted-is-replayed", outcome.differs);
  }

  #makePeer(name: string): FarEnd {
    const peerId = peerIdOfName(name);
    const known = this.#peers.get(peerId);
    if (known !== undefined) return known;
    const peer = this.#init.neighbour?.(peerId, this) ?? this.#scripted(name, peerId);
    this.#peers.set(peerId, peer);
    return peer;
  }

  #scripted(name: string, peerId: PeerId): SimPeer {
    return new SimPeer({
      name,
      network: this.network,
      clock: this.#init.clock,
      random: derivedRandom(this.#init.header.seed, peerId),
      daemon: { peerId: this.self, address: addressOfName(this.self) },
      awakeMs: () => this.awakeMs(),
    });
  }

  #peersAreWhereTheLogSays(): void {
    for (const desired of this.daemon?.store.list() ?? []) this.#peers.get(desired.peerId)?.heal(desired.address);
  }

  /** Creates a healthy peer when the daemon dials one that the fixture does not mention. */
  #discover(address: string, expected: PeerId): void {
    if (this.#peers.has(expected) || expected === this.self) return;
    this.peerNamed(expected).moveTo(address);
  }

  #nameOf(peerId: PeerId): string {
    return this.#peers.get(peerId)?.name ?? (peerId === this.self ? this.#init.header.self : peerId);
  }
}
