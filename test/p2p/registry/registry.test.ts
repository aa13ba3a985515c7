import { beforeEach, describe, expect, it } from "vitest";
import type { PeerId } from "../../../src/base/ids.ts";
import { didOf } from "../../../src/base/ids.ts";
import type { Direction, ObservedEvent } from "../../../src/events/types.ts";
import type { AbortableStream, StreamKey } from "../../../src/p2p/registry/registry.ts";
import { StreamRegistry } from "../../../src/p2p/registry/registry.ts";
import { HEARTBEAT_JITTER, HEARTBEAT_PERIOD_MS, LEASE_MS } from "../../../src/p2p/wire/constants.ts";
import { type ClockView, VirtualClock } from "../../../src/sim/time/virtual-clock.ts";
import { ATTEMPT } from "../../support/attempts.ts";

const PROTOCOL = "/heartbeat";
const ALICE = "alice" as PeerId;
const key = (direction: Direction, peerId = ALICE): StreamKey => ({ protocol: PROTOCOL, peerId, direction });

class RecordingStream implements AbortableStream {
  aborts = 0;
  onAbort: () => void = () => {};
  abort(): void {
    this.aborts++;
    this.onAbort();
  }
}

describe("StreamRegistry", () => {
  let world: VirtualClock;
  let clock: ClockView;
  let leaseMs: number;
  let events: ObservedEvent[];
  let woken: PeerId[];
  let registry: StreamRegistry<RecordingStream>;

  beforeEach(() => {
    world = new VirtualClock();
    clock = world.view();
    leaseMs = 0;
    events = [];
    woken = [];
    registry = new StreamRegistry({
      clock,
      random: { next: () => 0.5, bytes: () => new Uint8Array() },
      leaseTime: { nowMs: () => leaseMs },
      observer: { observed: (event) => events.push(event), wake: (peerId) => woken.push(peerId) },
    });
  });

  const pass = (durationMs: number, stalledMs = 0) => {
    world.advanceSync(durationMs);
    leaseMs += durationMs - stalledMs;
  };

  it.each([
    [0, HEARTBEAT_PERIOD_MS * (1 - HEARTBEAT_JITTER)],
    [1, HEARTBEAT_PERIOD_MS * (1 + HEARTBEAT_JITTER)],
  ])("spreads the heartbeats of many streams (random number %i)", (drawn, dueMs) => {
    registry = new StreamRegistry({
      clock,
      random: { next: () => drawn, bytes: () => new Uint8Array() },
      leaseTime: { nowMs: () => leaseMs },
      observer: { observed: () => {}, wake: () => {} },
    });
    registry.register(key("outbound"), new RecordingStream(), didOf("did:a"), ATTEMPT);
    expect(registry.actual(PROTOCOL, ALICE).outbound?.renewAtMs).toBeCloseTo(dueMs);
    expect(dueMs).not.toBe(HEARTBEAT_PERIOD_MS);
  });

  it("closed -> established: reports, wakes, and grants a lease", () => {
    pass(380);
    registry.register(key("outbound"), new RecordingStream(), didOf("did:a"), ATTEMPT);
    const took = { attempt: ATTEMPT.id, durationMs: 380 };
    expect(events).toEqual([
      { type: "StreamOpened", peerId: ALICE, protocol: PROTOCOL, direction: "outbound", did: "did:a", ...took },
    ]);
    expect(woken).toEqual([ALICE]);
    expect(registry.peers(PROTOCOL)).toEqual([ALICE]);
    expect(registry.actual(PROTOCOL, ALICE)).toEqual({
      outbound: { openedAtMs: 380, expiresAtMs: 380 + LEASE_MS, renewAtMs: 3_380, attempt: ATTEMPT.id },
      inbound: null,
      lastOutboundClose: null,
    });
  });

  it("an inbound stream has no attempt", () => {
    registry.register(key("inbound"), new RecordingStream(), null, null);
    expect(events).toMatchObject([{ type: "StreamOpened", direction: "inbound", attempt: null, durationMs: null }]);
  });

  it("measures opening and open time by the monotonic clock, even if the wall clock is set back", () => {
    registry.register(key("outbound"), new RecordingStream(), null, { ...ATTEMPT, startedAtMs: clock.monotonicMs() - 250.4 });
    pass(30_000.3);
    clock.wallOffsetMs = -3_600_000;
    registry.close(key("outbound"), "expired");
    expect(events).toMatchObject([
      { type: "StreamOpened", durationMs: 250 },
      { type: "StreamClosed", attempt: ATTEMPT.id, durationMs: 30_000, durationClock: "monotonic" },
    ]);
  });

  it("remembers how the last outbound stream ended, not the last inbound one", () => {
    const lastClose = () => registry.actual(PROTOCOL, ALICE).lastOutboundClose;
    registry.register(key("outbound"), new RecordingStream(), null, ATTEMPT);
    registry.register(key("inbound"), new RecordingStream(), null, null);
    registry.close(key("outbound"), "reset");
    registry.close(key("inbound"), "expired");
    expect(lastClose()).toBe("reset");
    registry.register(key("outbound"), new RecordingStream(), null, ATTEMPT);
    expect(lastClose()).toBe("reset");
    registry.register(key("outbound"), new RecordingStream(), null, ATTEMPT);
    expect(lastClose()).toBe("replaced");
    expect(registry.actual("/other", ALICE).lastOutboundClose).toBeNull();
  });

  it("established -> closed: deletes, aborts, reports and wakes once, even where the abort calls back", () => {
    const stream = new RecordingStream();
    stream.onAbort = () => {
      expect(registry.close(key("inbound"), "reset", stream)).toBe(false);
    };
    registry.register(key("inbound"), stream, null, null);
    pass(12_000);
    expect(registry.close(key("inbound"), "expired")).toBe(true);
    expect(registry.close(key("inbound"), "revoked")).toBe(false);
    expect(stream.aborts).toBe(1);
    const ended = { reason: "expired", attempt: null, durationMs: 12_000, durationClock: "monotonic" };
    expect(events.slice(1)).toEqual([
      { type: "StreamClosed", peerId: ALICE, protocol: PROTOCOL, direction: "inbound", ...ended },
    ]);
    expect(woken).toEqual([ALICE, ALICE]);
    expect(registry.peers(PROTOCOL)).toEqual([]);
  });

  it("replaces within a slot, and keeps the other direction", () => {
    const [older, newer, other] = [new RecordingStream(), new RecordingStream(), new RecordingStream()];
    registry.register(key("inbound"), older, null, null);
    registry.register(key("outbound"), other, null, ATTEMPT);
    registry.register(key("inbound"), newer, null, null);
    expect([older.aborts, newer.aborts, other.aborts]).toEqual([1, 0, 0]);
    expect(registry.get(key("inbound"))).toBe(newer);
    expect(events.slice(2).map((event) => ("reason" in event ? event.reason : event.type))).toEqual(["replaced", "StreamOpened"]);
    expect(registry.close(key("inbound"), "reset", older)).toBe(false);
  });

  it("moves the expiry only of the stream that holds the slot", () => {
    const [older, newer] = [new RecordingStream(), new RecordingStream()];
    registry.register(key("outbound"), older, null, ATTEMPT);
    registry.register(key("outbound"), newer, null, ATTEMPT);
    pass(4_000);
    expect(registry.renew(key("outbound"), older)).toBe(false);
    expect(registry.actual(PROTOCOL, ALICE).outbound?.expiresAtMs).toBe(LEASE_MS);
    expect(registry.renew(key("outbound"), newer)).toBe(true);
    expect(registry.actual(PROTOCOL, ALICE).outbound).toMatchObject({ expiresAtMs: 4_000 + LEASE_MS, renewAtMs: 7_000 });
    expect(events).toHaveLength(3);
  });

  it("extends an expiry by the time that lease time was paused", () => {
    registry.register(key("inbound"), new RecordingStream(), null, null);
    pass(8_000, 5_000);
    expect(registry.actual(PROTOCOL, ALICE).inbound?.expiresAtMs).toBe(LEASE_MS + 5_000);
  });

  it("shows people wall-clock times", () => {
    const openedAtMs = clock.wallMs();
    registry.register(key("inbound"), new RecordingStream(), didOf("did:a"), null);
    pass(2_000);
    expect([...registry.snapshot(PROTOCOL)]).toEqual([
      { peerId: ALICE, outbound: null, inbound: { did: "did:a", openedAtMs, expiresAtMs: openedAtMs + LEASE_MS, proven: true } },
    ]);
  });
});
