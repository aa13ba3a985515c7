/** Checks the expectations of a fixture: phases at given times, and the observed events of each peer and direction in order. */
import { isUnanswered } from "../base/errors.ts";
import type { PeerId } from "../base/ids.ts";
import type { Direction, ObservedEvent } from "../events/types.ts";
import { peerIdOfName } from "../fixture/format/names.ts";
import type { Expectation } from "../fixture/format/schema.ts";
import { type Observable, sentence } from "./trace.ts";
import type { Unmet, World } from "./world.ts";

export class Expectations {
  readonly #world: World;
  readonly #expected: readonly Expectation[];

  constructor(world: World, expected: readonly Expectation[]) {
    this.#world = world;
    this.#expected = expected;
  }

  /** Checks `line`, whose time has come. */
  due(line: Expectation): void {
    if (line.expect !== "phase") return;
    const phase = this.#phaseOf(peerIdOfName(line.peer));
    if (phase !== line.phase) this.#unmet("expected-phase", { place: line.peer, expected: line.phase, found: phase });
  }

  /** Called at the end of the run. `whole`: the run was not cut short. */
  finished(whole: boolean): void {
    const expected = this.#expected.filter((line) => line.expect !== "phase");
    const byStream = Map.groupBy(expected, (line) => `${directionOf(line)} ${line.peer}`);
    for (const lines of byStream.values()) this.#compare(lines, whole);
  }

  #compare(lines: readonly Observable[], whole: boolean): void {
    const [first] = lines;
    if (first === undefined) return;
    const { peer } = first;
    const direction = directionOf(first);
    const observed = this.#world.witness.observedOf(peerIdOfName(peer)).filter((event) => directionOf(event) === direction);
    const expected = lines.map(sentence);
    const found = observed.map(sentence);
    const most = Math.max(expected.length, found.length);
    for (let index = 0; index < most; index++) {
      if (expected[index] === found[index] || isOlderName(lines[index], observed[index])) continue;
      if (!whole && index >= found.length) return;
      const place = `${direction} event ${index + 1} of ${peer}`;
      this.#unmet("expected-log", { place, expected: expected[index] ?? "none", found: found[index] ?? "none" });
      return;
    }
  }

  #unmet(invariant: string, unmet: Unmet): void {
    this.#world.violated(invariant, `${unmet.place} is ${unmet.found}, expected ${unmet.expected}`, unmet);
  }

  #phaseOf(peerId: PeerId): string {
    const { daemon } = this.#world;
    if (daemon === undefined) return "closed";
    const { opening, nextAttemptAtMs } = daemon.reconciler.progress(peerId);
    if (daemon.streams.actual(peerId).outbound !== null) return "established";
    if (opening) return "opening";
    return nextAttemptAtMs === null ? "closed" : "backoff";
  }
}

/** Older fixtures have `dial_failed` for every failure without an answer. */
function isOlderName(expected: Observable | undefined, found: ObservedEvent | undefined): boolean {
  if (found?.type !== "OpenFailed" || expected === undefined) return false;
  return sentence(expected) === sentence({ ...found, reason: "dial_failed" }) && isUnanswered(found.reason);
}

/** Order is checked per direction, because the order across directions is often random. An open is outbound, a refusal inbound. */
function directionOf(event: ObservedEvent | Observable): Direction {
  if ("direction" in event) return event.direction;
  const type = "expect" in event ? event.expect : event.type;
  return type === "OpenFailed" ? "outbound" : "inbound";
}
