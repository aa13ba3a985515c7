/** The log behind the examples of docs/SQL.md, section by section. */

import { PEER_A } from "../../support/peers.ts";
import { archiveBefore } from "./archiving.ts";
import { learned, observe, start } from "./events.ts";
import { toldStory } from "./story.ts";
import type { TemporaryStore } from "./temporary-store.ts";

/** The story as that section tells it: with two runs of the daemon, or with the first half of its events archived. */
export async function storyFor(heading: string): Promise<TemporaryStore> {
  const story = toldStory();
  if (heading === "Where does history continue?") {
    story.clock.stall(3_600_000);
    await archiveBefore(story.directory, 10, { wallMs: () => story.clock.wallMs() });
  }
  if (heading === "When did the daemon start, stop or crash?") {
    start(story.store);
    story.clock.stall(60_000);
    story.store.appendStopped(60_000);
    story.clock.stall(5_000);
    start(story.store);
  }
  if (heading === "Which program does each partner run?") {
    const [lyon = PEER_A, oslo = PEER_A] = ["lyon-1", "oslo-1"].map(
      (name) => story.store.list().find((peer) => peer.name === name)?.peerId,
    );
    const protocols = ["/ipfs/id/1.0.0", "/opencloud/probe/1.0"];
    observe(story.store, learned(lyon, { agent: "go-oc-discovery/1.4", protocols }));
    observe(story.store, learned(oslo, { agent: "oc-partnerd/0.1.0", heartbeatFields: "both", protocols }));
    story.clock.stall(3_600_000);
    observe(
      story.store,
      learned(lyon, { agent: "go-oc-discovery/1.5", challenge: "unsupported", protocols: protocols.slice(0, 1) }),
    );
  }
  if (heading === "What was counted instead of logged?") {
    const counts = [
      { type: "InboundRefused", reason: "not_partner", events: 912 },
      { type: "StreamOpened", reason: null, events: 31 },
      { type: "StreamClosed", reason: "reset", events: 31 },
    ] as const;
    const event = {
      type: "EventsSuppressed",
      peerId: null,
      reason: null,
      durationMs: 60_000,
      details: { events: 974, peers: 640, counts },
    } as const;
    story.store.appendObserved({ event, causeSeq: null });
    const dropped = {
      events: 5_230,
      peers: 4,
      counts: [{ type: "InboundRefused", reason: "not_partner", events: 5_230 }],
    } as const;
    story.store.appendObserved({ event: { ...event, reason: "log_unwritable", details: dropped }, causeSeq: null });
  }
  if (heading === "Is anything missing?") {
    start(story.store);
    const followed = { stream: "OC_RESOURCES", streamCreated: "2026-01-01T12:03:00Z" };
    const cursor = { stream: followed.stream, created: followed.streamCreated, firstSequence: 1, messageHash: null };
    story.store.appendDelivery([{ ...BY_CORE, message: "there is no JetStream stream OC_RESOURCES" }]);
    story.clock.stall(60_000);
    story.store.appendDelivery(
      [{ ...followed, type: "DeliveryChanged", reason: "at_least_once", streamSequence: 1, message: null }],
      {
        ...cursor,
        sequence: 0,
      },
    );
    story.clock.stall(3_600_000);
    story.store.appendDelivery(
      [{ ...followed, type: "DeliveryGap", reason: "purged", streamSequence: 1, lastStreamSequence: 40 }],
      { ...cursor, sequence: 40 },
    );
  }
  return story;
}

const BY_CORE = {
  type: "DeliveryChanged",
  reason: "at_most_once",
  stream: null,
  streamCreated: null,
  streamSequence: null,
} as const;
