/** The registry and its lease clock against a model: a list of streams and a count of lease time. */

import fc from "fast-check";
import { expect, test } from "vitest";
import { didOf, type PeerId } from "../../../src/base/ids.ts";
import type { CloseReason, Direction, ObservedEvent } from "../../../src/events/types.ts";
import { LeaseClock } from "../../../src/p2p/registry/lease-clock.ts";
import { type AbortableStream, type StreamKey, StreamRegistry } from "../../../src/p2p/registry/registry.ts";
import {
  HEARTBEAT_JITTER,
  HEARTBEAT_PERIOD_MS,
  LEASE_MS,
  LEASE_TICK_MS,
  LEASE_TICK_TOLERANCE_MS,
} from "../../../src/p2p/wire/constants.ts";
import { seededRandom } from "../../../src/sim/time/random.ts";
import { VirtualClock } from "../../../src/sim/time/virtual-clock.ts";
import { ATTEMPT } from "../../support/attempts.ts";
import { propertyRuns } from "../../support/campaign.ts";
import { commandsComparedBy } from "../../support/model-command.ts";

const PROTOCOLS = ["/one", "/other"] as const;
const PEERS = ["alice", "bob"] as unknown as readonly PeerId[];
const DIRECTIONS: readonly Direction[] = ["outbound", "inbound"];
const SLOTS: readonly StreamKey[] = PROTOCOLS.flatMap((protocol) =>
  PEERS.flatMap((peerId) => DIRECTIONS.map((direction) => ({ protocol, peerId, direction }))),
);

/** On abort it calls back into the registry, like a stream whose reset triggers its close handler. */
class Stream implements AbortableStream {
  aborts = 0;
  readonly #onAbort: () => void;

  constructor(onAbort: () => void) {
    this.#onAbort = onAbort;
  }

  abort(): void {
    this.aborts += 1;
    this.#onAbort();
  }
}

interface OpenStream {
  readonly stream: Stream;
  readonly did: string | null;
  readonly openedAtMs: number;
  /** Lease time at the last sign of life. */
  renewedAtLeaseMs: number;
  /** Monotonic time at the last sign of life. */
  renewedAtMs: number;
}

class Model {
  nowMs = 0;
  leaseMs = 0;
  /** How long the current stall has lasted, and how much of it lease time has counted. */
  stall = { lastedMs: 0, countedMs: 0 };
  readonly open = new Map<StreamKey, OpenStream>();
  readonly streams: Stream[] = [];
  readonly events: ObservedEvent[] = [];
  readonly woken: PeerId[] = [];
  /** Of outbound slots. */
  readonly lastClose = new Map<StreamKey, CloseReason>();

  close(key: StreamKey, reason: CloseReason): void {
    const openedAtMs = this.open.get(key)?.openedAtMs ?? Number.NaN;
    this.open.delete(key);
    const durationMs = Math.round(this.nowMs - openedAtMs);
    this.events.push({
      type: "StreamClosed",
      ...key,
      reason,
      attempt: ATTEMPT.id,
      durationMs,
      durationClock: "monotonic",
    });
    if (key.direction === "outbound") this.lastClose.set(key, reason);
  }
}

class Real {
  readonly clock = new VirtualClock();
  readonly leaseClock = new LeaseClock(this.clock);
  readonly events: ObservedEvent[] = [];
  readonly woken: PeerId[] = [];
  readonly registry = new StreamRegistry<Stream>({
    clock: this.clock,
    random: seededRandom(1),
    leaseTime: this.leaseClock,
    observer: { observed: (event) => this.events.push(event), wake: (peerId) => this.woken.push(peerId) },
  });
}

const command = commandsComparedBy(same);

function same(model: Model, { clock, leaseClock, registry, events, woken }: Real): void {
  expect(leaseClock.nowMs()).toBe(model.leaseMs);
  expect(events).toEqual(model.events);
  expect(woken).toEqual(model.woken);
  for (const stream of model.streams) {
    const isOpen = [...model.open.values()].some((each) => each.stream === stream);
    expect(stream.aborts, "a stream is aborted once, when it is closed").toBe(isOpen ? 0 : 1);
  }
  for (const key of SLOTS) expect(registry.get(key)).toBe(model.open.get(key)?.stream);
  for (const protocol of PROTOCOLS) {
    const peers = PEERS.filter((peerId) => leasesOf(model, protocol, peerId).some((lease) => lease !== null));
    expect([...registry.peers(protocol)].sort()).toEqual(peers);
    expect([...registry.snapshot(protocol)].sort((a, b) => (a.peerId < b.peerId ? -1 : 1))).toEqual(
      peers.map((peerId) => {
        const [outbound, inbound] = leasesOf(model, protocol, peerId).map(
          (lease) => lease && wall(lease, clock.wallMs() - clock.monotonicMs()),
        );
        return { peerId, outbound, inbound };
      }),
    );
    for (const peerId of PEERS) {
      const [outbound, inbound] = leasesOf(model, protocol, peerId);
      const actual = registry.actual(protocol, peerId);
      expect(actual).toEqual({
        outbound: outbound && { ...plain(outbound), renewAtMs: actual.outbound?.renewAtMs, attempt: ATTEMPT.id },
        inbound: inbound && plain(inbound),
        lastOutboundClose: lastCloseOf(model, protocol, peerId),
      });
      if (outbound && actual.outbound) {
        const afterMs = actual.outbound.renewAtMs - outbound.renewedAtMs;
        expect(Math.abs(afterMs - HEARTBEAT_PERIOD_MS)).toBeLessThanOrEqual(HEARTBEAT_PERIOD_MS * HEARTBEAT_JITTER);
      }
    }
  }
}

/** The outbound and inbound streams, each with the expiry of its lease. */
function leasesOf(model: Model, protocol: string, peerId: PeerId) {
  return DIRECTIONS.map((direction) => {
    const slot = SLOTS.find((key) => key.protocol === protocol && key.peerId === peerId && key.direction === direction);
    const open = slot && model.open.get(slot);
    return open === undefined ? null : { ...open, expiresAtMs: model.nowMs + LEASE_MS - (model.leaseMs - open.renewedAtLeaseMs) };
  });
}

function lastCloseOf({ lastClose }: Model, protocol: string, peerId: PeerId): CloseReason | null {
  const slot = [...lastClose.keys()].find((key) => key.protocol === protocol && key.peerId === peerId);
  return (slot && lastClose.get(slot)) ?? null;
}

type Lease = NonNullable<ReturnType<typeof leasesOf>[number]>;
const plain = ({ openedAtMs, expiresAtMs }: Lease) => ({ openedAtMs, expiresAtMs });
const wall = ({ did, openedAtMs, expiresAtMs }: Lease, offsetMs: number) => ({
  did,
  openedAtMs: openedAtMs + offsetMs,
  proven: true,
  expiresAtMs: expiresAtMs + offsetMs,
});

const aSlot = fc.constantFrom(...SLOTS);
const shown = ({ protocol, peerId, direction }: StreamKey) => `${direction} ${peerId} ${protocol}`;

const register = fc.tuple(aSlot, fc.option(fc.constantFrom("did:a", "did:b").map(didOf))).map(([key, did]) =>
  command(`register ${shown(key)}`, (model, { registry }) => {
    const stream: Stream = new Stream(() => expect(registry.close(key, "reset", stream)).toBe(false));
    model.streams.push(stream);
    if (model.open.has(key)) model.close(key, "replaced");
    const { nowMs, leaseMs } = model;
    model.open.set(key, { stream, did, openedAtMs: nowMs, renewedAtLeaseMs: leaseMs, renewedAtMs: nowMs });
    const durationMs = Math.round(nowMs - ATTEMPT.startedAtMs);
    model.events.push({ type: "StreamOpened", ...key, did, attempt: ATTEMPT.id, durationMs });
    model.woken.push(key.peerId);
    registry.register(key, stream, did, ATTEMPT);
  }),
);
/** Renews a slot by its own stream, an earlier one, or the stream of another slot. */
const renew = fc.tuple(aSlot, fc.nat()).map(([key, index]) =>
  command(
    `renew ${shown(key)} by stream ${index}`,
    (model, { registry }) => {
      const stream = model.streams[index % model.streams.length] as Stream;
      const open = model.open.get(key);
      const holds = open?.stream === stream;
      if (open !== undefined && holds) Object.assign(open, { renewedAtLeaseMs: model.leaseMs, renewedAtMs: model.nowMs });
      expect(registry.renew(key, stream)).toBe(holds);
    },
    ({ streams }) => streams.length > 0,
  ),
);
const close = fc.tuple(aSlot, fc.constantFrom<CloseReason>("revoked", "reset"), fc.option(fc.nat())).map(([key, reason, index]) =>
  command(`close ${shown(key)} ${reason}${index === null ? "" : ` by stream ${index}`}`, (model, { registry }) => {
    const stream = index === null ? undefined : model.streams[index % model.streams.length];
    const open = model.open.get(key);
    const closes = open !== undefined && (stream === undefined || open.stream === stream);
    if (closes) {
      model.close(key, reason);
      model.woken.push(key.peerId);
    }
    expect(registry.close(key, reason, stream)).toBe(closes);
  }),
);
/** Closes exactly the streams whose leases are over. */
const expire = fc.constant(
  command("expire", (model, { registry, clock }) => {
    for (const key of SLOTS) {
      const open = model.open.get(key);
      const over = open !== undefined && model.leaseMs - open.renewedAtLeaseMs >= LEASE_MS;
      const lease = registry.actual(key.protocol, key.peerId)[key.direction];
      expect(lease !== null && lease.expiresAtMs <= clock.monotonicMs()).toBe(over);
      if (!over) continue;
      model.close(key, "expired");
      model.woken.push(key.peerId);
      registry.close(key, "expired");
    }
  }),
);
/** The event loop runs, and lease time with it. */
const advance = fc.constantFrom(1, 100, LEASE_TICK_MS, 2_999, 5_000, LEASE_MS).map((durationMs) =>
  command(`advance ${durationMs}`, (model, { clock }) => {
    model.stall = { lastedMs: 0, countedMs: 0 };
    model.nowMs += durationMs;
    model.leaseMs += durationMs;
    clock.advanceSync(durationMs);
  }),
);
/** The event loop stalls. Ordinary lateness counts as lease time; a stall counts for at most a tick plus the tolerance. */
const stall = fc.constantFrom(1, 60, LEASE_TICK_TOLERANCE_MS, 240, 1_000, 60_000).map((durationMs) =>
  command(`stall ${durationMs}`, (model, { clock, leaseClock }) => {
    clock.stall(durationMs);
    const { lastedMs, countedMs } = model.stall;
    const counted = countedMs + leaseClock.nowMs() - model.leaseMs;
    const lasted = lastedMs + durationMs;
    expect(counted).toBeGreaterThanOrEqual(Math.min(lasted, LEASE_TICK_TOLERANCE_MS));
    expect(counted).toBeLessThanOrEqual(Math.min(lasted, LEASE_TICK_MS + LEASE_TICK_TOLERANCE_MS));
    expect(leaseClock.nowMs()).toBeGreaterThanOrEqual(model.leaseMs);
    model.stall = { lastedMs: lasted, countedMs: counted };
    model.nowMs += durationMs;
    model.leaseMs = leaseClock.nowMs();
  }),
);

test("behaves like the model: streams open and close in turn, each is aborted once, and a lease lasts 10 s excluding stalls", async () => {
  const all = [register, register, renew, renew, close, expire, advance, advance, stall];
  await fc.assert(
    fc.asyncProperty(fc.commands(all, { maxCommands: 60, size: "max" }), async (commands) => {
      const model = new Model();
      const real = new Real();
      await fc.asyncModelRun(() => ({ model, real }), commands);
      for (const key of SLOTS) expectAlternation(real.events, key);
      real.leaseClock[Symbol.dispose]();
      expect(real.clock.pendingTimers).toBe(0);
    }),
    propertyRuns(200, 5_000),
  );
});

function expectAlternation(events: readonly ObservedEvent[], { protocol, peerId, direction }: StreamKey): void {
  const types = events
    .filter(
      (event) => "direction" in event && event.protocol === protocol && event.peerId === peerId && event.direction === direction,
    )
    .map(({ type }) => type);
  expect(types).toEqual(types.map((_, index) => (index % 2 === 0 ? "StreamOpened" : "StreamClosed")));
}
