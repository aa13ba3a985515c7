/** A log after its beginning was archived: what continues, and what it reports. */
import { describe, expect, it } from "vitest";
import { resourceIdOf } from "../../../src/base/ids.ts";
import { openLogReader } from "../../../src/store/log-reader.ts";
import { PEER_A, PEER_B } from "../../support/peers.ts";
import { archiveBefore, findingsIn } from "../support/archiving.ts";
import { append, closed, desired, observe, opened, openFailed, received, rejected, removed, start } from "../support/events.ts";
import { toldStory } from "../support/story.ts";
import { TemporaryStore } from "../support/temporary-store.ts";

describe("behind an archive", () => {
  it("open streams continue with their opening, and a repeated failure is still one failure", async () => {
    using temporary = new TemporaryStore();
    const { store, clock, directory } = temporary;
    append(store, desired());
    observe(store, opened(PEER_A));
    observe(store, openFailed(PEER_B));
    append(store, rejected());
    await archiveBefore(directory, 4);
    clock.stall(5_000);
    expect(observe(store, openFailed(PEER_B))).toBe("repeated");
    expect(observe(store, closed(PEER_A, { durationMs: 5_000 }))).toMatchObject({ causeSeq: 1, openedSeq: 2 });
    const session = "valid_from_seq, valid_to_seq, duration_ms, close_reason, cause_seq, close_cause_seq";
    expect(temporary.read(`select ${session} from session_periods`)).toEqual([
      { valid_from_seq: 2, valid_to_seq: 6, duration_ms: 5_000, close_reason: "expired", cause_seq: 1, close_cause_seq: 1 },
    ]);
    expect(temporary.read("select summary from peer_history where peer_id = ? order by seq", PEER_A)).toEqual([
      { summary: "2 earlier events are in oc-partnerd-events-1-3.jsonl.gz" },
      { summary: "outbound stream closed after 5.0 s: expired" },
    ]);
    expect(temporary.read("select error_count from peer_status where peer_id = ?", PEER_B)).toEqual([{ error_count: 2 }]);
    // A session that is entirely in an archive is shown there.
    append(store, rejected());
    await archiveBefore(directory, 7);
    expect(temporary.read("select * from session_periods")).toEqual([]);
    expect(store.verifyProjections()).toEqual([]);
    expect(findingsIn(directory)).toEqual([]);
  });

  it("a crash that left streams open is still reported at the next start", async () => {
    using temporary = new TemporaryStore();
    observe(temporary.store, opened(PEER_A));
    append(temporary.store, rejected());
    await archiveBefore(temporary.directory, 2);
    const store = temporary.reopen();
    expect(start(store).orphans).toBe(1);
    expect(store.history(PEER_A, { limit: 1 })).toMatchObject([{ openedSeq: 1, event: { reason: "daemon_restart" } }]);
  });

  it("a peer's history says, page by page, how much of it is in which archive", async () => {
    using story = toldStory();
    await archiveBefore(story.directory, 4);
    await archiveBefore(story.directory, 10);
    const page = (limit: number, beforeSeq?: number) =>
      story.store
        .history(PEER_A, { limit, ...(beforeSeq !== undefined && { beforeSeq }) })
        .map(({ seq, event }) => (event.type === "LogArchived" ? [seq, event.details.events, event.details.file] : seq));
    const first = [3, 3, "oc-partnerd-events-1-3.jsonl.gz"];
    const second = [9, 3, "oc-partnerd-events-4-9.jsonl.gz"];
    expect(page(10)).toEqual([12, 11, 10, second, first]);
    expect(page(4)).toEqual([12, 11, 10, second]);
    expect(page(4, 9)).toEqual([first]);
    expect(page(2)).toEqual([12, 11]);
  });

  it("a resource still means its last peer", async () => {
    using temporary = new TemporaryStore();
    const [store, resourceId] = [temporary.store, resourceIdOf("resource-of-old")];
    append(store, desired({ peerId: PEER_A, resourceId }));
    append(store, desired({ peerId: PEER_A, resourceId: resourceIdOf("resource-of-now") }));
    append(store, rejected());
    await archiveBefore(temporary.directory, 3);
    expect(append(store, removed({ peerId: null, resourceId })).event).toMatchObject({ type: "PeerRemoved", peerId: PEER_A });
  });

  it("a late message does not undo what a later one said about its peer or its resource", async () => {
    using temporary = new TemporaryStore();
    const { store, directory } = temporary;
    const stream = { stream: "S", created: "2026-01-01T00:00:00Z" };
    const arrive = (sequence: number, change: Parameters<typeof desired>[0]) => {
      const message = { dedupeKey: `${stream.created}/${sequence}/${sequence}-a`, streamSequence: sequence };
      const [logged] = store.appendReceived([received(desired(change), message)], { ...stream, sequence, messageHash: null });
      return logged === "duplicate" || logged === undefined ? logged : logged.event;
    };
    arrive(5, { peerId: PEER_A, resourceId: resourceIdOf("resource-a") });
    arrive(9, { peerId: PEER_B, resourceId: resourceIdOf("resource-b") });
    append(store, rejected());
    await archiveBefore(directory, 3);
    const outdated = (newer: string) => ({
      type: "EventRejected",
      reason: "outdated",
      message: expect.stringContaining(newer) as string,
    });
    expect(arrive(4, { peerId: PEER_A, resourceId: null })).toEqual(outdated("arrived after 5 (seq 1)"));
    expect(arrive(7, { peerId: PEER_A, resourceId: resourceIdOf("resource-b") })).toEqual(outdated("arrived after 9 (seq 2)"));
    expect(arrive(6, { peerId: PEER_A, resourceId: null })).toMatchObject({ type: "PeerDesired" });
    expect(arrive(5, {})).toBe("duplicate");
    expect(arrive(10, { peerId: PEER_B })).toMatchObject({ type: "PeerDesired" });
  });

  it("a change of relation has its previous relation, and no other", async () => {
    using temporary = new TemporaryStore();
    const { store, directory } = temporary;
    append(store, desired());
    append(store, desired({ peerId: PEER_B, resourceId: resourceIdOf("resource-b") }));
    await archiveBefore(directory, 2);
    append(store, desired({ name: "renamed" }));
    append(store, rejected());
    await archiveBefore(directory, 3);
    append(store, desired({ relation: "NONE", standing: "revoked" }));
    expect(temporary.read("select seq, previous_relation, relation from relation_changes")).toEqual([
      { seq: 7, previous_relation: "PARTNER", relation: "NONE" },
    ]);
  });

  it("a query for archived rows names the archive", async () => {
    using story = toldStory();
    await archiveBefore(story.directory, 10);
    using reader = openLogReader(story.directory);
    const archived = (work: () => unknown) =>
      expect(work).toThrow(/^seq 1 to 9 are in the archive .*oc-partnerd-events-1-9\.jsonl\.gz$/);
    const window = { fromSeq: 9, toSeq: 12, peerIds: [] };
    archived(() => reader.count(window));
    archived(() => [...reader.rows(window)]);
    archived(() => reader.stateBefore(9));
    archived(() => reader.firstSince(Date.parse("2026-01-01T12:01:50.300Z")));
    archived(() => reader.lastUntil(Date.parse("2026-01-01T12:01:50.303Z")));
    expect(reader.tail()).toEqual({ seq: 10, atMs: Date.parse("2026-01-01T12:01:50.304Z") });
    expect([...reader.rows({ ...window, fromSeq: 10 })].map(({ seq }) => seq)).toEqual([10, 11, 12]);
    expect(reader.stateBefore(10).status.get(PEER_A)?.openStreams).toHaveLength(2);
    expect(reader.firstSince(Date.parse("2026-01-01T12:01:50.301Z"))).toBe(10);
  });
});
