/** Invariants of pairs of daemons: both ends agree about each stream, and there are never more than the design allows. */
import { PARTNER_PROTOCOL } from "../../p2p/wire/constants.ts";
import type { SimPartnerStream } from "../network/stream.ts";
import type { Site } from "./machine.ts";
import { admits, isOpen, wants } from "./neighbour.ts";

/**
 * Two daemons whose faults have all ended agree within this time. For up to 10 s one may refuse the other: until its broker's messages
 * have arrived, or until the other may open a stream again after flapping. The other tries again after at most 60 s, the cap of the
 * backoff. That open takes at most 5 s, and 2 s more on probation. A stream that is dead at first ends before, with its lease.
 */
export const PAIRS_AGREE_WITHIN_MS = 10_000 + 60_000 + 5_000 + 2_000;
/** At the end that accepts: the registered stream, and two that are challenged. */
const MOST_INBOUND = 3;
/**
 * At both ends, once a pair agrees: one connection that each has dialled, and one that each has replaced just as it came back to life,
 * which the host closes after minutes without traffic.
 */
const MOST_CONNECTIONS = 4;
/** Looking at every step would take longer than the step. */
const LOOK_EVERY_MS = 250;

export class DaemonPairs {
  readonly #sites: readonly Site[];
  readonly #nowMs: () => number;
  readonly #violated: (invariant: string, message: string) => void;
  #nextLookMs = 0;
  #agreeByMs = Number.POSITIVE_INFINITY;
  #haveAgreed = false;

  constructor(sites: readonly Site[], nowMs: () => number, violated: (invariant: string, message: string) => void) {
    this.#sites = sites;
    this.#nowMs = nowMs;
    this.#violated = violated;
  }

  /** All faults have ended. */
  healed(): void {
    this.#agreeByMs = this.#nowMs() + PAIRS_AGREE_WITHIN_MS;
  }

  stepped(): void {
    const nowMs = this.#nowMs();
    if (nowMs >= this.#nextLookMs) {
      this.#nextLookMs = nowMs + LOOK_EVERY_MS;
      this.#each((from, to) => this.#fewStreams(from, to));
    }
    if (nowMs < this.#agreeByMs) return;
    this.#agreeByMs = Number.POSITIVE_INFINITY;
    this.#haveAgreed = true;
    this.#each((from, to) => this.#agree(from, to));
  }

  finished(): void {
    if (this.#haveAgreed) this.#each((from, to) => this.#agree(from, to));
  }

  #each(look: (from: Site, to: Site) => void): void {
    for (const from of this.#sites) for (const to of this.#sites) if (from !== to) look(from, to);
  }

  /** The streams that `from` opens to `to`. */
  #fewStreams(from: Site, to: Site): void {
    const outbound = streamsOf(from, to, "outbound").length;
    if (outbound > 1) this.#violated("streams-per-pair", `${outbound} streams from ${from.name} to ${to.name} are open`);
    const inbound = streamsOf(to, from, "inbound").length;
    if (inbound > MOST_INBOUND)
      this.#violated("streams-per-pair", `${to.name} has ${inbound} open streams from ${from.name}, at most ${MOST_INBOUND}`);
  }

  #agree(from: Site, to: Site): void {
    const isWanted = wants(from, to);
    const isAdmitted = admits(to, from.self);
    const outbound = isOpen(from, to.self, "outbound");
    const inbound = isOpen(to, from.self, "inbound");
    const pair = `from ${from.name} to ${to.name}`;
    const should = isWanted && isAdmitted;
    if (inbound !== should)
      this.#violated("both-ends-agree", `the stream ${pair} is ${shown(inbound)} at the far end, expected ${shown(should)}`);
    // A refused stream may be open at this end until the refusal arrives.
    if (outbound !== should && (should || !isWanted))
      this.#violated("both-ends-agree", `the stream ${pair} is ${shown(outbound)} at the near end, expected ${shown(should)}`);
    const connections = liveConnections(from, to);
    if (connections > MOST_CONNECTIONS)
      this.#violated("both-ends-agree", `${connections} connections between ${from.name} and ${to.name}`);
  }
}

const shown = (isOpenThere: boolean): string => (isOpenThere ? "open" : "closed");

/** Open partner streams between the two, at the end of `at`. */
function streamsOf(at: Site, other: Site, direction: "outbound" | "inbound"): readonly SimPartnerStream[] {
  const connections = at.daemon?.node.getConnections() ?? [];
  return connections
    .filter(({ remotePeer }) => remotePeer === other.self)
    .flatMap(({ streams }) => streams)
    .filter((stream) => stream.protocol === PARTNER_PROTOCOL && stream.direction === direction && stream.status === "open");
}

/** Connections between the two that are open at both ends. */
function liveConnections(at: Site, other: Site): number {
  const connections = at.daemon?.node.getConnections() ?? [];
  return connections.filter(
    ({ remotePeer, status, otherEnd }) => remotePeer === other.self && status === "open" && otherEnd?.status === "open",
  ).length;
}
