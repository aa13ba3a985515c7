/** Which rows wait for the log, which are dropped, and what remains of those. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { PeerId } from "../../../src/base/ids.ts";
import { UnwrittenRows } from "../../../src/daemon/rows/unwritten-rows.ts";
import type { Direction, EventsSuppressed } from "../../../src/events/types.ts";
import type { Observation } from "../../../src/store/write/own-event-appender.ts";
import { closed, inboundRefused, opened, openFailed } from "../../store/support/events.ts";
import { PEER_A, PEER_B } from "../../support/peers.ts";

const MOST = 4;
const of = (event: Observation["event"], causeSeq: number | null = 1): Observation => ({ event, causeSeq });

/** Writes up to `most` rows, as the outbox does. */
function write(rows: UnwrittenRows, most = Number.POSITIVE_INFINITY, nowMs = 0): Observation["event"][] {
  const log: Observation["event"][] = [];
  for (let row = rows.next(0, nowMs); row !== undefined && log.length < most; row = rows.next(0, nowMs)) {
    log.push(row.observation.event);
    rows.written(row);
  }
  return log;
}

const put = (rows: UnwrittenRows, ...events: readonly Observation["event"][]) => {
  for (const event of events) rows.put(of(event), 0);
};

describe("rows that wait for the log", () => {
  it("lose repeated failures first, then refusals, then other failures, and each is counted", () => {
    const rows = new UnwrittenRows(MOST);
    const failures = [
      openFailed(PEER_A, { reason: "timeout" }),
      openFailed(PEER_A, { reason: "timeout" }),
      inboundRefused(PEER_B, { reason: "not_partner" }),
      openFailed(PEER_A, { reason: "dial_failed" }),
    ];
    put(rows, ...failures);
    expect(rows.dropped).toBe(0);
    put(rows, openFailed(PEER_B, { reason: "timeout" }));
    expect(rows.dropped).toBe(1);
    put(rows, openFailed(PEER_B, { reason: "refused" }));
    expect(rows.dropped).toBe(2);
    put(rows, openFailed(PEER_B, { reason: "timeout" }));
    const log = write(rows);
    expect(log.map((event) => [event.type, event.peerId, "reason" in event && event.reason])).toEqual([
      ["OpenFailed", PEER_A, "dial_failed"],
      ["OpenFailed", PEER_B, "timeout"],
      ["OpenFailed", PEER_B, "refused"],
      ["OpenFailed", PEER_B, "timeout"],
      ["EventsSuppressed", PEER_A, "log_unwritable"],
      ["EventsSuppressed", PEER_B, "log_unwritable"],
    ]);
    expect(log.slice(-2)).toMatchObject([
      { details: { events: 2, counts: [{ type: "OpenFailed", reason: "timeout", events: 2 }] } },
      { details: { events: 1, counts: [{ type: "InboundRefused", reason: "not_partner", events: 1 }] } },
    ]);
    expect(rows.dropped).toBe(0);
    expect(rows.next(0, 0)).toBeUndefined();
  });

  it("lose no end of a stream whose opening is in the log, whatever fails", () => {
    const rows = new UnwrittenRows(MOST);
    put(rows, opened(PEER_A), opened(PEER_A, "inbound"));
    write(rows);
    for (let count = 0; count < 100; count++) put(rows, inboundRefused(PEER_B));
    put(rows, closed(PEER_A), closed(PEER_A, { direction: "inbound" }));
    for (let count = 0; count < 100; count++)
      put(rows, opened(PEER_B), closed(PEER_B), openFailed(PEER_A), openFailed(PEER_A, { reason: "refused" }));
    expect(write(rows).filter(({ type }) => type === "StreamClosed")).toMatchObject([
      { peerId: PEER_A, direction: "outbound" },
      { peerId: PEER_A, direction: "inbound" },
      { peerId: PEER_B },
    ]);
  });

  it("lose streams that opened and closed in the meantime, the newest of a slot last, and count both rows by peer", () => {
    const rows = new UnwrittenRows(MOST);
    for (const reason of ["reset", "expired", "remote_closed"] as const)
      put(rows, opened(PEER_A), closed(PEER_A, { reason }), opened(PEER_B), closed(PEER_B, { reason }));
    put(rows, opened(PEER_A));
    expect(rows.size).toBe(MOST + 1 - 2);
    const log = write(rows);
    expect(log.map((event) => [event.type, event.peerId, "reason" in event && event.reason])).toEqual([
      ["StreamOpened", PEER_B, false],
      ["StreamClosed", PEER_B, "remote_closed"],
      ["StreamOpened", PEER_A, false],
      ["EventsSuppressed", PEER_A, "log_unwritable"],
      ["EventsSuppressed", PEER_B, "log_unwritable"],
    ]);
    expect(log.at(-1)).toMatchObject({ details: { events: 4, peers: 1 } });
  });

  it("keep the newest stream of a slot that opened and closed in the meantime, and never half of one that is half written", () => {
    const rows = new UnwrittenRows(MOST);
    for (const reason of ["reset", "expired", "remote_closed"] as const) put(rows, opened(PEER_A), closed(PEER_A, { reason }));
    const reasonsOf = (log: readonly Observation["event"][]) =>
      log.flatMap((event) => (event.type === "StreamClosed" ? [event.reason] : []));
    expect(rows.size).toBe(MOST);
    expect(write(rows, 1)).toMatchObject([{ type: "StreamOpened" }]);
    for (let count = 0; count < MOST; count++) put(rows, opened(PEER_B), closed(PEER_B));
    expect(reasonsOf(write(rows).filter(({ peerId }) => peerId === PEER_A))).toEqual(["expired"]);
  });

  it("begin a new series of failures after a stream of the peer", () => {
    const rows = new UnwrittenRows(1);
    put(rows, inboundRefused(PEER_A), opened(PEER_A, "inbound"), inboundRefused(PEER_A));
    expect(write(rows).map(({ type }) => type)).toEqual(["StreamOpened", "InboundRefused", "EventsSuppressed"]);
  });

  it("lose a summary that can never be written", () => {
    const rows = new UnwrittenRows(1);
    put(rows, inboundRefused(PEER_A), inboundRefused(PEER_A));
    write(rows, 1);
    const summary = rows.next(0, 0);
    expect(summary?.observation.event).toMatchObject({ type: "EventsSuppressed", details: { events: 1 } });
    if (summary !== undefined) rows.drop(summary);
    expect([rows.next(0, 0), rows.dropped]).toEqual([undefined, 0]);
  });

  it("cover the time from the first event that was dropped", () => {
    const rows = new UnwrittenRows(1);
    rows.put(of(inboundRefused(PEER_A)), 0);
    rows.put(of(inboundRefused(PEER_A)), 10);
    rows.put(of(openFailed(PEER_A)), 20);
    expect(write(rows, 2, 30)).toMatchObject([{ type: "OpenFailed" }, { durationMs: 30, details: { events: 2 } }]);
  });

  it("count strangers together, with the summaries of their row budget", () => {
    const rows = new UnwrittenRows(1);
    const counts = [{ type: "InboundRefused", reason: "not_partner", events: 40 }] as const;
    const details = { events: 40, peers: 7, counts };
    const summary: EventsSuppressed = { type: "EventsSuppressed", peerId: null, reason: null, durationMs: 60_000, details };
    rows.put(of(summary, null), 60_000);
    rows.put(of(inboundRefused(PEER_A, { reason: "not_partner" }), null), 60_000);
    rows.put(of(summary, null), 120_000);
    const both = { events: 41, peers: 7, counts: [{ ...counts[0], events: 41 }] };
    // The refusal came at 60 s, which is also where the minute of the second summary began.
    expect(write(rows, 2, 150_000)).toEqual([
      summary,
      { ...summary, reason: "log_unwritable", durationMs: 90_000, details: both },
    ]);
  });
});

describe("any sequence of openings, ends and failures of streams, on a disk that works now and then", () => {
  const peers = [PEER_A, PEER_B] as const;
  const step = fc.oneof(
    {
      weight: 3,
      arbitrary: fc.record({ flips: fc.constantFrom(...peers), direction: fc.constantFrom<Direction>("inbound", "outbound") }),
    },
    { weight: 3, arbitrary: fc.record({ fails: fc.constantFrom(...peers), reason: fc.constantFrom("timeout", "refused") }) },
    { weight: 1, arbitrary: fc.record({ writes: fc.integer({ min: 1, max: 6 }) }) },
  );

  it("is in the log or counted; the log pairs ends with openings, has the right streams open, and little waits", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120, size: "max" }), fc.integer({ min: 1, max: 5 }), (steps, most) => {
        const rows = new UnwrittenRows(most);
        const [open, inLog] = [new Set<string>(), new Set<string>()];
        const slots = (peerId: PeerId, direction: Direction) => `${peerId} ${direction}`;
        const place = new Map<object, number>();
        let [events, accountedFor, lastPlace] = [0, 0, -1];
        const putNext = (event: Observation["event"]) => {
          place.set(event, events);
          rows.put(of(event), events);
          events += 1;
        };
        const take = (log: readonly Observation["event"][]) => {
          for (const event of log) {
            accountedFor += event.type === "EventsSuppressed" ? event.details.events : 1;
            const at = place.get(event) ?? lastPlace;
            expect(at).toBeGreaterThanOrEqual(lastPlace);
            lastPlace = at;
            if (event.type !== "StreamOpened" && event.type !== "StreamClosed") continue;
            const slot = slots(event.peerId, event.direction);
            expect(inLog.has(slot)).toBe(event.type === "StreamClosed");
            if (!inLog.delete(slot)) inLog.add(slot);
          }
        };
        for (const each of steps) {
          if ("writes" in each) take(write(rows, each.writes));
          else if ("fails" in each)
            putNext(each.reason === "timeout" ? openFailed(each.fails) : inboundRefused(each.fails, { reason: "not_partner" }));
          else if (open.delete(slots(each.flips, each.direction))) putNext(closed(each.flips, { direction: each.direction }));
          else {
            open.add(slots(each.flips, each.direction));
            putNext(opened(each.flips, each.direction));
          }
          expect(rows.size).toBeLessThanOrEqual(2 * most + open.size + inLog.size);
        }
        take(write(rows));
        expect(accountedFor).toBe(events);
        expect(inLog).toEqual(open);
      }),
    );
  });
});
