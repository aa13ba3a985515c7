/** The simulated world: one daemon, its disk, its broker, its peers, and those who watch whether what must hold does hold. */
import type { Random } from "../clock.ts";
import type { LogEvent, ObservedEvent } from "../events/types.ts";
import { addressOfName, peerIdOfName } from "../fixture/names.ts";
import type { CrashPoint, DaemonEnd, Fixture } from "../fixture/schema.ts";
import type { PeerId } from "../ids.ts";
import type { Action } from "../reconciler/decide.ts";
import type { Outcome } from "../reconciler/outcome.ts";
import type { Logged } from "../store/logged.ts";
import { type Published, SimBroker } from "./broker.ts";
import { SimDisk } from "./disk.ts";
import type { Invariant, Running, Scene } from "./invariants/invariant.ts";
import { SimNetwork } from "./network/network.ts";
import { Obligations } from "./obligations.ts";
import { SimPeer } from "./peer.ts";
import { derivedRandom } from "./random.ts";
import { type DaemonWatcher, SimDaemon } from "./sim-daemon.ts";
import type { Trace } from "./trace.ts";
import type { ClockView, VirtualClock } from "./virtual-clock.ts";

/** Thrown through the daemon where its process ends: whoever catches it is dead already, and nothing he does has an effect. */
export class ProcessEnded extends Error {}

export interface WorldInit {
  readonly header: Fixture["header"];
  readonly clock: VirtualClock;
  readonly traceOf: (nameOf: (peerId: PeerId) => string) => Trace;
  readonly invariants: (scene: Scene) => readonly Invariant[];
  readonly onViolation: (invariant: string, message: string) => void;
}

export class World implements Scene, DaemonWatcher, Disposable {
  readonly settings: Fixture["header"]["settings"];
  readonly self: PeerId;
  readonly disk: SimDisk;
  readonly broker: SimBroker;
  readonly network: SimNetwork;
  readonly trace: Trace;
  readonly #init: WorldInit;
  readonly #peers = new Map<PeerId, SimPeer>();
  readonly #peersByName = new Map<string, SimPeer>();
  readonly #invariants: readonly Invariant[];
  readonly #obligations: Obligations;
  readonly #random: Random;
  readonly #acknowledged = new Set<number>();
  readonly #observed: ObservedEvent[] = [];
  #daemon: SimDaemon | undefined;
  #machine: ClockView;
  #lives = 0;
  #armed: { readonly point: CrashPoint; readonly how: DaemonEnd; readonly downMs: number } | undefined;
  #wakesLostUntilMs = Number.NEGATIVE_INFINITY;
  #wakeLostAtAwakeMs = Number.NEGATIVE_INFINITY;
  #isHealed = false;
  #sleptMs = 0;
  #asleepSinceMs: number | undefined = 0;

  constructor(init: WorldInit) {
    const { header, clock } = init;
    this.#init = init;
    this.settings = header.settings;
    this.self = peerIdOfName(header.self);
    this.trace = init.traceOf((peerId) => this.#peers.get(peerId)?.name ?? (peerId === this.self ? header.self : peerId));
    this.#random = derivedRandom(header.seed, "world faults");
    this.#machine = clock.view();
    this.network = new SimNetwork({
      clock,
      random: derivedRandom(header.seed, "network"),
      latencyMs: header.latencyMs,
    });
    this.network.onUnknownAddress = (address, expected) => this.#discover(address, expected);
    this.disk = new SimDisk({
      beforeCommit: () => this.reached("before_commit"),
      afterCommit: () => {
        for (const invariant of this.#invariants) invariant.committed?.();
        this.reached("after_commit");
      },
    });
    this.broker = new SimBroker({
      clock,
      delivery: header.settings.delivery,
      latencyMs: header.latencyMs,
      onAcknowledge: () => this.reached("before_acknowledge"),
      onAcknowledged: (message) => {
        this.#acknowledged.add(message.sequence);
        for (const invariant of this.#invariants) invariant.acknowledged?.(message);
        this.reached("after_acknowledge");
      },
    });
    this.#obligations = new Obligations((invariant, message) => this.violated(invariant, message));
    this.#invariants = init.invariants(this);
  }

  // --- What invariants may look at ---

  nowMs(): number {
    return this.#init.clock.monotonicMs();
  }

  awakeMs(): number {
    return (this.#asleepSinceMs ?? this.nowMs()) - this.#sleptMs;
  }

  get daemon(): Running | undefined {
    return this.#daemon;
  }

  get published(): readonly Published[] {
    return this.broker.stream;
  }

  isSettled({ sequence }: Published): boolean {
    return this.#acknowledged.has(sequence);
  }

  peer(peerId: PeerId): SimPeer | undefined {
    return this.#peers.get(peerId);
  }

  /** What the log was told of this peer, in all lives of the daemon. */
  observedOf(peerId: PeerId): readonly ObservedEvent[] {
    return this.#observed.filter((event) => event.peerId === peerId);
  }

  peers(): readonly SimPeer[] {
    return [...this.#peers.values()];
  }

  get wakesAreSafe(): boolean {
    return this.nowMs() > this.#wakesLostUntilMs && this.awakeMs() > this.#wakeLostAtAwakeMs + WAKES_RECOVER_MS;
  }

  violated(invariant: string, message: string): void {
    this.#init.onViolation(invariant, message);
  }

  within(afterAwakeMs: number, invariant: string, check: () => string | undefined): void {
    this.#obligations.add(this.awakeMs() + afterAwakeMs, invariant, check);
  }

  // --- What the daemon tells ---

  logged(logged: Logged): void {
    if (isObserved(logged.event)) this.#observed.push(logged.event);
    this.trace.logged(this.nowMs(), logged);
    for (const invariant of this.#invariants) invariant.logged?.(logged);
  }

  happened(event: ObservedEvent): void {
    for (const invariant of this.#invariants) invariant.observed?.(event);
  }

  /** Of the reconciler alone, and a part of what `happened` hears. */
  observed(): void {}

  acted(peerId: PeerId, action: Action): void {
    this.trace.acted(this.nowMs(), peerId, action);
    for (const invariant of this.#invariants) invariant.acted?.(peerId, action);
  }

  settled(peerId: PeerId, outcome: Outcome): void {
    const nextMs = this.#daemon?.reconciler.progress(peerId).nextAttemptAtMs ?? null;
    this.trace.settled(this.nowMs(), peerId, outcome, nextMs === null ? null : nextMs - this.nowMs());
    for (const invariant of this.#invariants) invariant.settled?.(peerId, outcome);
  }

  resyncFound(peerId: PeerId): void {
    this.trace.happening(this.nowMs(), this.#nameOf(peerId), "found by the periodic diff");
    for (const invariant of this.#invariants) invariant.resyncFound?.(peerId);
  }

  operation(peerId: PeerId, kind: "open" | "renew", state: "begun" | "over"): void {
    for (const invariant of this.#invariants) invariant.operation?.(peerId, kind, state);
  }

  diffed(): void {
    for (const invariant of this.#invariants) invariant.diffed?.();
  }

  mayWake(): boolean {
    const passes = this.nowMs() > this.#wakesLostUntilMs;
    if (!passes) this.#wakeLostAtAwakeMs = this.awakeMs();
    return passes;
  }

  reached(point: CrashPoint): void {
    const armed = this.#armed;
    if (armed?.point !== point || this.#daemon === undefined) return;
    this.end(armed.how, armed.downMs);
    throw new ProcessEnded(`the process ended ${point}`);
  }

  // --- What happens ---

  /** The peer of this name, made the first time that it is named. */
  peerNamed(name: string): SimPeer {
    const known = this.#peersByName.get(name) ?? this.#makePeer(name);
    this.#peersByName.set(name, known);
    return known;
  }

  #makePeer(name: string): SimPeer {
    const peerId = peerIdOfName(name);
    const known = this.#peers.get(peerId);
    if (known !== undefined) return known;
    const peer = new SimPeer({
      name,
      network: this.network,
      clock: this.#init.clock,
      random: derivedRandom(this.#init.header.seed, peerId),
      daemon: { peerId: this.self, address: addressOfName(this.self) },
    });
    this.#peers.set(peerId, peer);
    return peer;
  }

  start(): void {
    if (this.#daemon !== undefined) return;
    this.#lives += 1;
    this.#machine = this.#init.clock.view();
    this.trace.happening(this.nowMs(), "daemon", "starts");
    const { header } = this.#init;
    const starting = SimDaemon.start(
      {
        peerId: this.self,
        settings: header.settings,
        clock: this.#machine,
        random: derivedRandom(header.seed, `daemon ${this.#lives}`),
        disk: this.disk,
        broker: this.broker,
        network: this.network,
        address: addressOfName(this.self),
        watcher: this,
      },
      (daemon) => {
        this.#daemon = daemon;
        this.#wakeUp();
        if (this.#isHealed) this.#peersAreWhereTheLogSays();
        for (const invariant of this.#invariants) invariant.started?.(daemon);
      },
    );
    starting.catch((thrown: unknown) => {
      if (thrown instanceof ProcessEnded) return;
      // A disk that is full or locked keeps the daemon from starting; whoever supervises it tries again.
      this.trace.happening(this.nowMs(), "daemon", `cannot start: ${String(thrown)}`);
      this.disk.closed();
      this.#init.clock.schedule(RESTART_MS, () => this.start());
    });
  }

  /** Ends the daemon at `point`, which it may reach later or never. */
  arm(how: DaemonEnd, point: CrashPoint, downMs: number): void {
    // Who is asked to end does so when it can.
    if (point === "now" || how === "restart") this.end(how, downMs);
    else this.#armed = { point, how, downMs };
  }

  end(how: DaemonEnd, downMs: number): void {
    const daemon = this.#daemon;
    this.#armed = undefined;
    if (daemon === undefined) return;
    this.trace.happening(this.nowMs(), "daemon", `ends: ${how}`);
    this.#daemon = undefined;
    this.#fallAsleep();
    const ended = () => {
      this.#obligations.clear();
      for (const invariant of this.#invariants) invariant.ended?.();
      this.#init.clock.schedule(downMs, () => this.start());
    };
    if (how === "restart") void daemon.stop().then(ended);
    else {
      daemon.kill(how, this.#random);
      ended();
    }
  }

  stall(forMs: number): void {
    const machine = this.#machine;
    if (machine.paused || this.#daemon === undefined) return;
    machine.pause();
    this.#fallAsleep();
    this.#init.clock.schedule(forMs, () => this.#resume(machine));
  }

  loseWakes(forMs: number): void {
    this.#wakesLostUntilMs = Math.max(this.#wakesLostUntilMs, this.nowMs() + forMs);
  }

  jumpWallClock(byMs: number): void {
    this.#machine.wallOffsetMs += byMs;
  }

  heal(): void {
    this.#armed = undefined;
    this.#wakesLostUntilMs = Math.min(this.#wakesLostUntilMs, this.nowMs());
    this.disk.set("well");
    this.broker.set("up");
    this.#resume(this.#machine);
    for (const peer of this.#peers.values()) peer.heal(null);
    this.#isHealed = true;
    this.#peersAreWhereTheLogSays();
    this.start();
    for (const invariant of this.#invariants) invariant.healed?.();
  }

  /** The step is over, and whatever promises it made have settled. */
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

  #resume(machine: ClockView): void {
    if (!machine.paused || machine !== this.#machine) return;
    machine.resume();
    this.#wakeUp();
  }

  #peersAreWhereTheLogSays(): void {
    for (const desired of this.#daemon?.store.list() ?? []) this.#peers.get(desired.peerId)?.heal(desired.address);
  }

  /** Somebody is dialled of whom the fixture says nothing: he is there, and well. */
  #discover(address: string, expected: PeerId): void {
    if (this.#peers.has(expected) || expected === this.self) return;
    this.peerNamed(expected).moveTo(address);
  }

  #fallAsleep(): void {
    this.#asleepSinceMs ??= this.nowMs();
  }

  #wakeUp(): void {
    if (this.#asleepSinceMs === undefined) return;
    this.#sleptMs += this.nowMs() - this.#asleepSinceMs;
    this.#asleepSinceMs = undefined;
  }

  #nameOf(peerId: PeerId): string {
    return this.#peers.get(peerId)?.name ?? peerId;
  }
}

/** The periodic diff finds what a lost wake was about within this. */
const WAKES_RECOVER_MS = 7_000;
/** How soon a supervisor starts a daemon again that could not start. */
const RESTART_MS = 1_000;

function isObserved(event: LogEvent): event is ObservedEvent {
  return event.type !== "PeerDesired" && event.type !== "PeerRemoved" && event.type !== "EventRejected";
}
