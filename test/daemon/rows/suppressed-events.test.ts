/** The counts in the row that stands for many events. */
import { expect, it } from "vitest";
import type { PeerId } from "../../../src/base/ids.ts";
import { SuppressedEvents } from "../../../src/daemon/rows/suppressed-events.ts";
import { inboundRefused, opened } from "../../store/support/events.ts";
import { PEER_A } from "../../support/peers.ts";

it("are by type and reason, the most frequent first", () => {
  const events = new SuppressedEvents(null, 1_000);
  events.count(opened(PEER_A, "inbound"));
  for (let count = 0; count < 2; count++) events.count(inboundRefused(PEER_A));
  const counts = [
    { type: "InboundRefused", reason: "not_partner", events: 2 },
    { type: "StreamOpened", reason: null, events: 1 },
  ];
  const details = { events: 3, peers: 1, counts };
  expect(events.summary(3_000)).toEqual({ type: "EventsSuppressed", peerId: null, reason: null, durationMs: 2_000, details });
});

it("remember no more than 16,384 peers", () => {
  const events = new SuppressedEvents(null, 0);
  for (let peer = 0; peer <= 16_384; peer++) events.count(inboundRefused(`stranger-${peer}` as PeerId));
  expect(events.summary(0).details).toMatchObject({ events: 16_385, peers: 16_384 });
});
