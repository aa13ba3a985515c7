/**
 * A long random history of many partners, drawn from a seed: they are desired repeatedly, move, get new keys, are revoked and removed;
 * their streams open, fail and break; strangers are refused; some messages are rejected; the daemon sometimes restarts.
 */

import type { Random } from "../src/base/clock.ts";
import type { ErrorCode } from "../src/base/errors.ts";
import { type Address, didOf, type PeerId, resourceIdOf } from "../src/base/ids.ts";
import type { Desired, Rejected, Removed } from "../src/events/decoded.ts";
import type { AttemptId, CloseReason, Direction, ObservedEvent, Standing } from "../src/events/types.ts";
import { addressOfName, peerIdOfName } from "../src/fixture/format/names.ts";
import { PARTNER_PROTOCOL } from "../src/p2p/wire/constants.ts";
import type { Store } from "../src/store/store.ts";
import type { Received } from "../src/store/write/receive.ts";
import { observe, start } from "../test/store/support/events.ts";

type StoryStep =
  | { readonly kind: "received"; readonly batch: readonly Received[] }
  | { readonly kind: "observed"; readonly event: ObservedEvent }
  | { readonly kind: "passes"; readonly durationMs: number }
  | { readonly kind: "restart" };

/** The store and clock that a story runs on. */
export interface Life {
  readonly store: Store;
  readonly clock: { stall(durationMs: number): void };
  /** Closes and reopens the store. */
  reopen(): void;
}

/** Plays a random story of `partners` partners until the log holds at least `events` events. */
export function liveRandomStory(life: Life, random: Random, { partners, events }: { partners: number; events: number }): void {
  for (const step of randomStory(random, partners)) {
    switch (step.kind) {
      case "received":
        life.store.appendReceived(step.batch);
        break;
      case "observed":
        observe(life.store, step.event);
        break;
      case "passes":
        life.clock.stall(step.durationMs);
        break;
      case "restart":
        life.reopen();
        start(life.store);
        break;
    }
    if (life.store.head().seq >= events) return;
  }
}

const FAILURES: readonly ErrorCode[] = ["timeout", "refused", "dial_failed", "identity_mismatch", "protocol_unsupported"];
const CLOSINGS: readonly CloseReason[] = ["expired", "remote_closed", "reset", "connection_lost"];
const LONGEST_BATCH = 16;

/** A record in the source app's database, and the peer that it currently stands for. */
interface Partner {
  readonly name: string;
  /** The number of new keys so far. */
  keys: number;
  /** The number of moves so far. */
  moves: number;
  standing: Standing;
  readonly open: Set<Direction>;
}

function* randomStory(random: Random, count: number): Generator<StoryStep, void> {
  const draw = new Draw(random);
  const partners = Array.from({ length: count }, (_, index): Partner => {
    return { name: `partner-${index}`, keys: 0, moves: 0, standing: "revoked", open: new Set() };
  });
  for (;;) {
    yield { kind: "passes", durationMs: draw.below(4_000) };
    if (draw.chance(0.000_5)) {
      yield { kind: "restart" };
      for (const { open } of partners) open.clear();
    } else if (draw.chance(0.06)) {
      const chosen = Array.from({ length: 1 + draw.below(LONGEST_BATCH) }, () => draw.of(partners));
      const before = chosen.map((partner) => ({ partner, peerId: peerOf(partner) }));
      yield { kind: "received", batch: chosen.map((partner) => received(saidOf(partner, draw))) };
      for (const { partner, peerId } of before) {
        if (partner.standing !== "partner" || peerOf(partner) !== peerId) yield* closeAll(partner, peerId, "revoked");
      }
    } else if (draw.chance(0.05)) {
      yield {
        kind: "observed",
        event: refused(peerIdOfName(`stranger-${draw.below(count)}`), draw.of(["not_partner", "challenge_failed"])),
      };
    } else {
      yield* streamsOf(draw.of(partners), draw);
    }
  }
}

/** Draws a message about the partner and updates the partner to match. */
function saidOf(partner: Partner, draw: Draw): Desired | Removed | Rejected {
  const ids = () => ({
    peerId: peerOf(partner),
    resourceId: resourceIdOf(`res-${partner.name}`),
    did: didOf(`did:oc:${partner.name}`),
    source: "oc-api",
    claimedUser: null,
  });
  if (draw.chance(0.08))
    return {
      kind: "rejected",
      source: null,
      claimedUser: null,
      reason: "not_json",
      message: "the message is not JSON: unexpected end",
    };
  if (draw.chance(0.05)) {
    partner.standing = "revoked";
    return { kind: "removed", ...ids() };
  }
  if (draw.chance(0.15)) {
    partner.standing = draw.of<Standing>(["revoked", "revoked", "blacklisted"]);
    const relation = partner.standing === "revoked" ? "NONE" : "BLACKLIST";
    return { kind: "desired", ...ids(), name: null, relation, standing: partner.standing, address: null };
  }
  if (draw.chance(0.1)) partner.moves += 1;
  if (draw.chance(0.05)) partner.keys += 1;
  partner.standing = "partner";
  const { name, standing } = partner;
  return { kind: "desired", ...ids(), name, relation: "PARTNER", standing, address: addressOf(partner) };
}

function* streamsOf(partner: Partner, draw: Draw): Generator<StoryStep> {
  const [peerId, direction] = [peerOf(partner), draw.of<Direction>(["outbound", "inbound"])];
  if (partner.open.has(direction)) {
    const isReplaced = draw.chance(0.1);
    yield closed(peerId, direction, isReplaced ? "replaced" : draw.of(CLOSINGS));
    if (isReplaced) yield opened(peerId, direction);
    else partner.open.delete(direction);
  } else if (partner.standing !== "partner") {
    yield { kind: "observed", event: refused(peerId, partner.standing === "blacklisted" ? "blacklisted" : "not_partner") };
  } else if (direction === "outbound" && draw.chance(0.4)) {
    const [protocol, reason] = [PARTNER_PROTOCOL, draw.of(FAILURES)];
    const message = `${addressOf(partner)}: no stream within 5000 ms (${reason})`;
    const details = { streamEnd: null, errorName: "ECONNREFUSED" };
    yield { kind: "observed", event: { type: "OpenFailed", peerId, protocol, reason, message, ...ATTEMPT, details } };
  } else {
    partner.open.add(direction);
    yield opened(peerId, direction);
  }
}

function* closeAll(partner: Partner, peerId: PeerId, reason: CloseReason): Generator<StoryStep> {
  for (const direction of partner.open) yield closed(peerId, direction, reason);
  partner.open.clear();
}

const ATTEMPT = { attempt: "1.1" as AttemptId, durationMs: 40 };

function opened(peerId: PeerId, direction: Direction): StoryStep {
  return {
    kind: "observed",
    event: { type: "StreamOpened", peerId, did: null, protocol: PARTNER_PROTOCOL, direction, ...ATTEMPT },
  };
}

function closed(peerId: PeerId, direction: Direction, reason: CloseReason): StoryStep {
  const ended = { reason, durationMs: 60_000, attempt: null, durationClock: "monotonic" } as const;
  return { kind: "observed", event: { type: "StreamClosed", peerId, protocol: PARTNER_PROTOCOL, direction, ...ended } };
}

function refused(peerId: PeerId, reason: ErrorCode): ObservedEvent {
  return {
    type: "InboundRefused",
    peerId,
    protocol: PARTNER_PROTOCOL,
    reason,
    message: `${peerId} may not stream to us: ${reason}`,
  };
}

/** The message as received from a source app, about 600 bytes. */
function received(decoded: Received["decoded"]): Received {
  const envelope = {
    FromApp: "oc-api",
    Datatype: 18,
    User: "",
    Groups: null,
    Payload: Buffer.from(JSON.stringify(decoded)).toString("base64"),
  };
  const payload = Buffer.from(JSON.stringify(envelope));
  return { decoded, subject: "CREATE_RESOURCE", payload, dedupeKey: null };
}

const peerIds = new Map<string, PeerId>();

function peerOf({ name, keys }: Partner): PeerId {
  const word = `${name}-${keys}`;
  const peerId = peerIds.get(word) ?? peerIdOfName(word);
  peerIds.set(word, peerId);
  return peerId;
}

function addressOf(partner: Partner): Address {
  return `${addressOfName(`${partner.name}-${partner.moves}`)}/p2p/${peerOf(partner)}` as Address;
}

class Draw {
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  chance(share: number): boolean {
    return this.#random.next() < share;
  }

  /** A whole number in [0, count). */
  below(count: number): number {
    return Math.floor(this.#random.next() * count);
  }

  of<Item>(items: readonly Item[]): Item {
    return items[this.below(items.length)] as Item;
  }
}
