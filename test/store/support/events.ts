/** Received messages and observed events for tests, with valid defaults that a test can override. */

import { type Address, type PeerId, resourceIdOf } from "../../../src/base/ids.ts";
import type { Desired, Rejected, Removed } from "../../../src/events/decoded.ts";
import { type LearnedFacts, NOTHING_LEARNED, type PeerLearned } from "../../../src/events/learned/learned-facts.ts";
import type {
  Direction,
  InboundRefused,
  ObservedEvent,
  OpenFailed,
  StreamClosed,
  StreamOpened,
} from "../../../src/events/types.ts";
import type { LogEntry } from "../../../src/store/model/log-entry.ts";
import type { Store } from "../../../src/store/store.ts";
import type { Start, StartInit } from "../../../src/store/write/own-event-appender.ts";
import type { Received } from "../../../src/store/write/receive.ts";
import { ATTEMPT, RUN } from "../../support/attempts.ts";
import { PEER_A } from "../../support/peers.ts";

export const PROTOCOL = "/opencloud/resource/heartbeat/partner/1.0";

export function addressOf(peerId: PeerId, host = "10.0.0.1"): Address {
  return `/ip4/${host}/tcp/4001/p2p/${peerId}` as Address;
}

export function desired(change: Partial<Desired> = {}): Desired {
  const peerId = change.peerId === undefined ? PEER_A : change.peerId;
  return {
    kind: "desired",
    source: "oc-api",
    claimedUser: null,
    peerId,
    resourceId: resourceIdOf("resource-a"),
    did: null,
    name: "lyon-1",
    relation: "PARTNER",
    standing: "partner",
    address: peerId && addressOf(peerId),
    ...change,
  };
}

export function removed(change: Partial<Removed> = {}): Removed {
  return { kind: "removed", source: "oc-api", claimedUser: null, peerId: PEER_A, resourceId: null, did: null, ...change };
}

export function rejected(change: Partial<Rejected> = {}): Rejected {
  return { kind: "rejected", reason: "not_json", message: "the message is not JSON", source: null, claimedUser: null, ...change };
}

export function received(decoded: Received["decoded"], change: Partial<Received> = {}): Received {
  return { decoded, subject: "CREATE_RESOURCE", payload: Buffer.from(JSON.stringify(decoded)), dedupeKey: null, ...change };
}

/** Appends one message that must not be a duplicate. */
export function append(store: Store, decoded: Received["decoded"], change: Partial<Received> = {}): LogEntry {
  const [logged] = store.appendReceived([received(decoded, change)]);
  if (logged === undefined || logged === "duplicate") throw new Error(`expected a new row, got ${logged}`);
  return logged;
}

/** Appends what happened, with the cause that the daemon would give it. */
export function observe(store: Store, event: ObservedEvent | PeerLearned, atMs?: number): ReturnType<Store["appendObserved"]> {
  const causeSeq = store.get(event.peerId)?.generation ?? null;
  return store.appendObserved({ event, causeSeq, ...(atMs !== undefined && { atMs }) });
}

/** Appends what happens when a stream opens: it replaces the one in its slot. */
export function observeOpened(
  store: Store,
  peerId: PeerId,
  direction: Direction = "outbound",
): ReturnType<Store["appendObserved"]> {
  observeClosed(store, peerId, { direction, reason: "replaced" });
  return observe(store, opened(peerId, direction));
}

/** Appends the end of the stream in a slot, if there is one. */
export function observeClosed(
  store: Store,
  peerId: PeerId,
  change: Partial<StreamClosed> = {},
): LogEntry | "repeated" | undefined {
  const { protocol, direction } = closed(peerId, change);
  const isOpen = store.status(peerId)?.openStreams.some((open) => open.protocol === protocol && open.direction === direction);
  return isOpen ? observe(store, closed(peerId, change)) : undefined;
}

/** Starts a run with a configuration that never changes. */
export function start(store: Pick<Store, "registerStart" | "appendStart">, init: Partial<StartInit> = {}): Start {
  const started: Start[] = [];
  store.registerStart(
    { run: RUN, peerId: PEER_A, version: "0.0.0", config: { events: {} }, lastAliveMs: null, ...init },
    (done) => void started.push(done),
  );
  store.appendStart();
  const [first] = started;
  if (first === undefined) throw new Error("expected the start to be appended");
  return first;
}

export function opened(peerId: PeerId, direction: Direction = "outbound", protocol = PROTOCOL): StreamOpened {
  const took = direction === "outbound" ? { attempt: ATTEMPT.id, durationMs: 380 } : { attempt: null, durationMs: null };
  return { type: "StreamOpened", peerId, did: null, protocol, direction, ...took };
}

export function closed(peerId: PeerId, change: Partial<StreamClosed> = {}): StreamClosed {
  const attempt = change.direction === "inbound" ? null : ATTEMPT.id;
  const ended = { reason: "expired", attempt, durationMs: 10_000, durationClock: "monotonic" } as const;
  return { type: "StreamClosed", peerId, protocol: PROTOCOL, direction: "outbound", ...ended, ...change };
}

export function openFailed(peerId: PeerId, change: Partial<OpenFailed> = {}): OpenFailed {
  const failed = { reason: "timeout", message: "no answer within 10 s", attempt: ATTEMPT.id, durationMs: 10_000 } as const;
  const details = { streamEnd: null, errorName: null };
  return { type: "OpenFailed", peerId, protocol: PROTOCOL, ...failed, details, ...change };
}

export function inboundRefused(peerId: PeerId, change: Partial<InboundRefused> = {}): InboundRefused {
  return {
    type: "InboundRefused",
    peerId,
    protocol: PROTOCOL,
    reason: "not_partner",
    message: "the peer is not a partner",
    ...change,
  };
}

export function learned(peerId: PeerId, change: Partial<LearnedFacts> = {}): PeerLearned {
  const heartbeat = { heartbeatFields: "go", heartbeatTimestamp: "unix" } as const;
  const details = { ...NOTHING_LEARNED, agent: "go-oc-discovery/1.4", ...heartbeat, challenge: "passed", ...change } as const;
  return { type: "PeerLearned", peerId, details };
}
