/** The daemons of a fixture: one world for each, on one clock and one network. Most fixtures have one daemon. */
import { createHash } from "node:crypto";
import { PartnerdError } from "../base/errors.ts";
import type { PeerId } from "../base/ids.ts";
import { peerIdOfName } from "../fixture/format/names.ts";
import type { Fixture, FixtureHeader, FixtureLine } from "../fixture/format/schema.ts";
import { allInvariants } from "./all-invariants.ts";
import { Expectations } from "./expectations.ts";
import { apply, isExpectation } from "./fault-actions.ts";
import type { Invariant, Scene } from "./invariants/invariant.ts";
import { SimNetwork } from "./network/network.ts";
import { DaemonMachine } from "./several/machine.ts";
import { Neighbour } from "./several/neighbour.ts";
import { DaemonPairs } from "./several/pairs.ts";
import { derivedRandom } from "./time/random.ts";
import type { VirtualClock } from "./time/virtual-clock.ts";
import { Trace } from "./trace.ts";
import { type Unmet, World } from "./world.ts";

export interface WorldsInit {
  readonly fixture: Fixture;
  readonly clock: VirtualClock;
  readonly onViolation: (invariant: string, message: string, unmet?: Unmet) => void;
  readonly onTrace?: ((line: string, atMs: number) => void) | undefined;
}

/** `self` and the further daemons of the header. */
export class Worlds implements Disposable {
  readonly #init: WorldsInit;
  readonly #machines: readonly DaemonMachine[];
  readonly #worlds: readonly World[];
  readonly #expectations: readonly Expectations[];
  readonly #pairs: DaemonPairs | undefined;
  /** The decision trace of all daemons. */
  readonly trace: string[] = [];

  /** Schedules every line of the fixture. */
  constructor(init: WorldsInit) {
    this.#init = init;
    const { fixture, clock } = init;
    const { header, lines } = fixture;
    const names = [header.self, ...(header.daemons ?? [])];
    this.#machines = names.map((name) => new DaemonMachine(name, peerIdOfName(name)));
    this.#refuseUnknown(lines);
    const network = names.length > 1 ? networkOf(header, clock) : undefined;
    this.#worlds = this.#machines.map((machine) => this.#makeWorld(machine, network));
    this.#pairs = names.length > 1 ? this.#makePairs() : undefined;
    const expected = lines.filter(isExpectation);
    this.#expectations = this.#worlds.map((world) => {
      return new Expectations(
        world,
        expected.filter((line) => this.#worldOf(line) === world),
      );
    });
    for (const line of lines) this.#schedule(line);
  }

  start(): void {
    for (const world of this.#worlds) world.lifecycle.start();
  }

  stepped(): void {
    for (const world of this.#worlds) world.stepped();
    this.#pairs?.stepped();
  }

  /** `isWhole`: the run was not cut short. */
  finished(isWhole: boolean): void {
    for (const world of this.#worlds) world.finished();
    this.#pairs?.finished();
    for (const expectations of this.#expectations) expectations.finished(isWhole);
  }

  /** SHA-256 (hex) over everything observable. */
  hash(): string {
    const hashes = this.#worlds.map(({ trace }) => trace.hash());
    const [only = "", ...others] = hashes;
    return others.length === 0 ? only : createHash("sha256").update(hashes.join()).digest("hex");
  }

  /** Scripted peers and further daemons. */
  get peers(): number {
    return new Set(this.#worlds.flatMap((world) => world.peers().map(({ peerId }) => peerId))).size;
  }

  [Symbol.dispose](): void {
    for (const world of this.#worlds) world[Symbol.dispose]();
  }

  #schedule(line: FixtureLine): void {
    const { clock } = this.#init;
    const world = this.#worldOf(line);
    if ("peer" in line) world.peerNamed(line.peer);
    if (isExpectation(line)) clock.schedule(line.atMs, () => this.#expectations[this.#worlds.indexOf(world)]?.due(line));
    else if ("world" in line) clock.schedule(line.atMs, () => this.#heal(line));
    else clock.schedule(line.atMs, () => apply(world, line));
  }

  #heal(line: Extract<FixtureLine, { world: unknown }>): void {
    for (const world of this.#worlds) apply(world, line);
    this.#pairs?.healed();
  }

  /** The daemon that a line is about. Peers of the first are everyone else, and it is the first peer of the second. */
  #worldOf(line: FixtureLine): World {
    const on = "on" in line && line.on !== undefined ? peerIdOfName(line.on) : undefined;
    const isOfPeer = on === undefined && "peer" in line && !isExpectation(line);
    const found = isOfPeer
      ? this.#worlds.find(({ self }) => self !== peerIdOfName(line.peer))
      : this.#worlds.find(({ self }) => self === on);
    const [first] = this.#worlds;
    if (first === undefined) throw new PartnerdError("internal_error", "a fixture without a daemon");
    return found ?? first;
  }

  #makeWorld(machine: DaemonMachine, network: SimNetwork | undefined): World {
    const { fixture, clock, onViolation } = this.#init;
    const { header } = fixture;
    const isOnly = network === undefined;
    const label = isOnly ? undefined : machine.name;
    const onLine = (line: string, atMs: number) => {
      this.trace.push(line);
      this.#init.onTrace?.(line, atMs);
    };
    const world: World = new World({
      header: isOnly ? header : headerFor(machine.name, header),
      clock,
      traceOf: (nameOf) => new Trace({ nameOf, onLine, label }),
      invariants: (scene) => this.#invariants(scene, machine, isOnly),
      onViolation: (invariant, message, unmet) => onViolation(invariant, isOnly ? message : `${machine.name}: ${message}`, unmet),
      ...(network && { network }),
      neighbour: (peerId, viewer) => this.#neighbour(peerId, machine, viewer),
    });
    machine.site = world;
    return world;
  }

  readonly #neighbours = new Map<DaemonMachine, Neighbour[]>();

  /** Neighbours follow each step before the invariants look at them. */
  #invariants(scene: Scene, machine: DaemonMachine, isOnly: boolean): readonly Invariant[] {
    if (isOnly) return allInvariants(scene);
    const follow: Invariant = {
      stepped: () => {
        for (const neighbour of this.#neighbours.get(machine) ?? []) neighbour.stepped();
      },
    };
    return [machine.watch, follow, ...allInvariants(scene)];
  }

  #neighbour(peerId: PeerId, viewer: DaemonMachine, world: World): Neighbour | undefined {
    const machine = this.#machines.find((each) => each !== viewer && each.peerId === peerId);
    if (machine === undefined) return undefined;
    const neighbour = new Neighbour(machine, viewer, world);
    this.#neighbours.set(viewer, [...(this.#neighbours.get(viewer) ?? []), neighbour]);
    return neighbour;
  }

  #makePairs(): DaemonPairs {
    for (const world of this.#worlds)
      for (const { name, peerId } of this.#machines) if (peerId !== world.self) world.peerNamed(name);
    const { clock, onViolation } = this.#init;
    return new DaemonPairs(
      this.#worlds,
      () => clock.monotonicMs(),
      (invariant, message) => onViolation(invariant, message),
    );
  }

  #refuseScripted(line: Extract<FixtureLine, { peer: unknown }>): void {
    // A world of one daemon may have a script of the same name.
    if (this.#machines.length === 1 || "lagMs" in line) return;
    if ("does" in line && OF_ANY_MACHINE.includes(line.does)) return;
    if ("answers" in line && OF_ANY_LISTENER.includes(line.answers)) return;
    throw new PartnerdError("fixture_invalid", `the line at ${line.atMs} ms is for a script, but ${line.peer} is a daemon`, {
      nextStep: `remove the line, or use a daemon line with "on":"${line.peer}"`,
    });
  }

  #refuseUnknown(lines: readonly FixtureLine[]): void {
    const known = new Set(this.#machines.map(({ peerId }) => peerId));
    for (const line of lines) {
      if (!isExpectation(line) && "peer" in line && known.has(peerIdOfName(line.peer))) this.#refuseScripted(line);
      if (!("on" in line) || line.on === undefined || known.has(peerIdOfName(line.on))) continue;
      const names = this.#machines.map(({ name }) => name).join(", ");
      throw new PartnerdError("fixture_invalid", `the line at ${line.atMs} ms is on ${line.on}, which is not a daemon`, {
        nextStep: `use one of ${names}, or add the name to the daemons of the header`,
      });
    }
  }
}

/** Faults of the network, which daemons have as scripted peers do. */
const OF_ANY_MACHINE: readonly string[] = ["cut", "cut_in", "cut_out", "heal", "disconnect", "forget", "blackhole"];
const OF_ANY_LISTENER: readonly string[] = ["yes", "refused", "never", "denied", "other_key"];

/** Each daemon draws numbers of its own. */
function headerFor(self: string, header: FixtureHeader): FixtureHeader {
  return { ...header, self, seed: Math.floor(derivedRandom(header.seed, `daemon ${self}`).next() * 2 ** 31) };
}

/** An address on which no daemon listens yet is refused. */
function networkOf({ seed, latencyMs }: FixtureHeader, clock: VirtualClock): SimNetwork {
  return new SimNetwork({ clock, random: derivedRandom(seed, "network"), latencyMs });
}
