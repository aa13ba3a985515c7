/** What a fixture expects: how peers stand at certain times, and what the log says of them, all of it and in that order. */

import type { ObservedEvent } from "../events/types.ts";
import { peerIdOfName } from "../fixture/names.ts";
import type { Expectation } from "../fixture/schema.ts";
import type { PeerId } from "../ids.ts";
import type { World } from "./world.ts";

export class Expectations {
  readonly #world: World;
  readonly #expected: readonly Expectation[];

  constructor(world: World, expected: readonly Expectation[]) {
    this.#world = world;
    this.#expected = expected;
  }

  /** The time of this line has come. */
  due(line: Expectation): void {
    if (line.expect !== "phase") return;
    const phase = this.#phaseOf(peerIdOfName(line.peer));
    if (phase !== line.phase) this.#world.violated("expected-phase", `${line.peer} is ${phase}, expected ${line.phase}`);
  }

  /** The run is over; `whole` where it was not ended early. */
  finished(whole: boolean): void {
    const byPeer = Map.groupBy(
      this.#expected.filter((line) => line.expect !== "phase"),
      ({ peer }) => peer,
    );
    for (const [peer, lines] of byPeer) this.#compare(peer, lines, whole);
  }

  #compare(peer: string, lines: readonly Expectation[], whole: boolean): void {
    const peerId = peerIdOfName(peer);
    const expected = lines.map(sentence);
    const found = this.#world.observedOf(peerId).map(sentence);
    const most = Math.max(expected.length, found.length);
    for (let index = 0; index < most; index++) {
      if (expected[index] === found[index]) continue;
      if (!whole && index >= found.length) return;
      const place = `observed event ${index + 1} of ${peer}`;
      this.#world.violated("expected-log", `${place} is ${found[index] ?? "none"}, expected ${expected[index] ?? "none"}`);
      return;
    }
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

/** An observed event, or what a fixture expects of one, in the same words. */
function sentence(event: ObservedEvent | Expectation): string {
  const type = "expect" in event ? event.expect : event.type;
  const direction = "direction" in event ? ` ${event.direction}` : "";
  const reason = "reason" in event ? ` ${event.reason}` : "";
  return `${type}${direction}${reason}`;
}
