/** Verifying the log when the daemon starts: whatever it trusts must follow from the rows. */
import { cpSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { systemClock } from "../../../src/base/clock.ts";
import type { PartnerdError } from "../../../src/base/errors.ts";
import type { PeerId } from "../../../src/base/ids.ts";
import { verifyLog } from "../../../src/store/check/at-start/verify-log.ts";
import { checkDatabase } from "../../../src/store/check/check.ts";
import { type Cursor, type CursorRow, cursorOf, cursorRowOf } from "../../../src/store/model/cursor.ts";
import { dedupeKeyOf } from "../../../src/store/model/dedupe-key.ts";
import { salvage } from "../../../src/store/recovery/salvage.ts";
import { openStore } from "../../../src/store/store.ts";
import { behindTheGuards } from "../../support/forger.ts";
import { PEER_A, PEER_B } from "../../support/peers.ts";
import { archiveBefore } from "../support/archiving.ts";
import { append, desired, observe, opened, openFailed, received, removed } from "../support/events.ts";
import { appendLongLog, STREAM } from "../support/long-log.ts";
import { rawConnection, TemporaryStore, temporaryDirectory } from "../support/temporary-store.ts";

const never = new AbortController().signal;

async function refusal(directory: string): Promise<PartnerdError> {
  return verifyLog({ directory, signal: never }).then(
    () => expect.unreachable("the log was accepted"),
    (error: PartnerdError) => error,
  );
}

/** A log of which some rows are archived, and in which PEER_A is revoked. */
async function log(rounds: number): Promise<TemporaryStore> {
  const temporary = new TemporaryStore();
  const { store, clock } = temporary;
  appendLongLog(store, clock, rounds);
  append(store, desired({ peerId: PEER_A }));
  append(store, removed({ peerId: PEER_A }));
  append(store, desired({ peerId: PEER_B }));
  await archiveBefore(temporary.directory, 10);
  observe(store, openFailed(PEER_B));
  observe(store, openFailed(PEER_B));
  observe(store, opened(PEER_B));
  temporary.store[Symbol.dispose]();
  return temporary;
}

let sound: TemporaryStore;
beforeAll(async () => {
  sound = await log(20);
  return () => sound[Symbol.dispose]();
});

/** A copy of the sound log, to be tampered with. */
function copy(): { readonly directory: string; readonly path: string } & Disposable {
  const directory = temporaryDirectory();
  cpSync(sound.directory, directory.path, { recursive: true });
  return { directory: directory.path, path: join(directory.path, "oc-partnerd.db"), [Symbol.dispose]: directory[Symbol.dispose] };
}

/** Tampering with one table that the daemon trusts, and the place that the refusal names. */
const TAMPERINGS: readonly (readonly [about: string, sql: string, named: RegExp])[] = [
  [
    "a revoked peer made a partner",
    `update desired_peer set standing = 'partner' where peer_id = '${PEER_A}'`,
    new RegExp(`desired_peer ${PEER_A}: standing is "partner", the replay gives "revoked"`),
  ],
  [
    "another address",
    `update desired_peer set address = '/ip4/10.9.9.9/tcp/1' where peer_id = '${PEER_B}'`,
    new RegExp(`desired_peer ${PEER_B}: address is "/ip4/10\\.9\\.9\\.9/tcp/1", the replay gives`),
  ],
  [
    "a peer taken away",
    `delete from desired_peer where peer_id = '${PEER_B}'`,
    new RegExp(`desired_peer ${PEER_B}: the row is missing`),
  ],
  [
    "a resource id given to another peer",
    `update desired_peer set resource_id = 'stolen' where peer_id = '${PEER_B}'`,
    new RegExp(`desired_peer ${PEER_B}: resource_id is "stolen"`),
  ],
  ["a status", "update peer_status_row set outbound_sessions = 99", /peer_status_row \S+: outbound_sessions is 99/],
  [
    "an open stream",
    "update open_stream set direction = 'inbound' where direction = 'outbound'",
    /open_stream row \d+: direction is/,
  ],
  ["a dedupe key", "update event_log set dedupe_key = null where seq = 30", /event_log row 30: chain_hash does not follow/],
  ["an event", "update event_log set at_ms = at_ms + 1 where seq = 30", /event_log row 30: chain_hash does not follow/],
  [
    "an archived message",
    "delete from archived_message where message_hash = (select min(message_hash) from archived_message)",
    /archived_message: has \d+ messages, the archives have/,
  ],
  [
    "an archived resource id",
    `update archived_resource set peer_id = '${PEER_A}'`,
    /archived_resource \S+ of archive 9: differs/,
  ],
  ["an anchor", "update archive_anchor set events = events - 1", /archive_anchor 9: differs from the LogArchived/],
  ["a count of repeated failures", "update repeated_failures set count = 7", /repeated_failures row \d+: checksum/],
];

describe("verifyLog", () => {
  it("accepts a log as the store left it, and counts the rows behind the anchor", async () => {
    const rows = sound.read("select seq from event_log where seq > 9").length;
    expect(await verifyLog({ directory: sound.directory, signal: never })).toEqual({ rows, cursorProven: null });
  });

  it.each(TAMPERINGS)("refuses %s and names the place", async (_about, sql, named) => {
    using temporary = copy();
    tamper(temporary.path, sql);
    const error = await refusal(temporary.directory);
    expect(error).toMatchObject({ code: "log_inconsistent", exitCode: 74 });
    expect(error.message).toMatch(named);
    expect(error.nextStep).toContain("restore --from-jetstream");
  });

  it.each([
    [
      "a row before the first",
      "insert into event_log (seq, type, at_ms, chain_hash) values (-5, 'x', 0, 'x')",
      /event_log row -5: is before/,
    ],
    [
      "an archived message",
      "insert into archived_message (stream_id, stream_sequence, message_hash) values (1, 7, 'x')",
      /archived_message: has 1 messages, the archives have 0/,
    ],
  ])("refuses %s in a log without archives", async (_about, sql, named) => {
    using temporary = new TemporaryStore();
    append(temporary.store, desired());
    temporary.store[Symbol.dispose]();
    await verifyLog({ directory: temporary.directory, signal: never });
    tamper(temporary.path, sql);
    expect((await refusal(temporary.directory)).message).toMatch(named);
  });

  it("accepts a cursor that a faulty version moved back, and says where the rows prove it to be", async () => {
    using temporary = copy();
    const { sequence } = moveCursorBack(temporary.path, 9);
    const { cursorProven } = await verifyLog({ directory: temporary.directory, signal: never });
    // The newest message of this log is an echo, which leaves no row.
    expect(cursorProven).toMatchObject({ sequence: sequence - 1 });
  });

  it("finds a cursor moved back even if the messages after it are archived", async () => {
    using temporary = await log(20);
    await archiveBefore(temporary.directory, 10_000);
    expect(temporary.read("select seq from event_log where stream_sequence is not null")).toEqual([]);
    const { sequence } = moveCursorBack(temporary.path, 9);
    const { cursorProven } = await verifyLog({ directory: temporary.directory, signal: never });
    expect(cursorProven).toMatchObject({ sequence: sequence - 1 });
    expect(checkDatabase({ path: temporary.directory }).findings.map(({ problem }) => problem)).toEqual([
      `sequence ${sequence - 9} is behind ${sequence - 1}, which event_log row 129 has reached; the daemon corrects it at its next start`,
    ]);
  });

  it("does not take archived messages of before a rewind for the position after it", async () => {
    using temporary = new TemporaryStore();
    const { store } = temporary;
    const follows = { ...STREAM, firstSequence: 1, sequence: 0, messageHash: null };
    const at = (sequence: number) => ({ stream: STREAM.stream, streamCreated: STREAM.created, streamSequence: sequence });
    const followed = { type: "DeliveryChanged", reason: "at_least_once", ...at(1), message: null } as const;
    const take = (peerId: PeerId, sequence: number, key: string) =>
      store.appendReceived(
        [received(desired({ peerId }), { streamSequence: sequence, dedupeKey: dedupeKeyOf(STREAM, sequence, key) })],
        { ...STREAM, sequence, messageHash: key },
      );
    store.appendDelivery([followed], follows);
    for (const sequence of [1, 2, 3, 4, 5]) take(PEER_A, sequence, "before");
    store.appendDelivery([{ type: "DeliveryGap", reason: "reused", ...at(6), lastStreamSequence: null }, followed], follows);
    take(PEER_B, 1, "after");
    take(PEER_B, 2, "after");
    await archiveBefore(temporary.directory, 11);
    expect(await verifyLog({ directory: temporary.directory, signal: never })).toMatchObject({ cursorProven: null });
    store[Symbol.dispose]();
    expect(salvage({ directory: temporary.directory, nowMs: 0 }).cursor?.sequence).toBe(2);
  });

  it("refuses a cursor moved back whose checksum does not match", async () => {
    using temporary = copy();
    tamper(temporary.path, "update ingest_cursor set sequence = sequence - 9");
    expect((await refusal(temporary.directory)).message).toMatch(/ingest_cursor row 1: checksum does not match/);
  });

  it("refuses a trigger that was exchanged", async () => {
    using temporary = copy();
    using raw = rawConnection(temporary.path);
    raw.database.exec("create trigger helpful after insert on event_log begin delete from desired_peer; end");
    expect((await refusal(temporary.directory)).message).toMatch(/trigger helpful: was not created by oc-partnerd/);
  });

  it("is repaired by restore --from-jetstream, which keeps every row", async () => {
    using temporary = copy();
    tamper(temporary.path, `update desired_peer set standing = 'partner' where peer_id = '${PEER_A}'`);
    expect((await refusal(temporary.directory)).code).toBe("log_inconsistent");
    const { lost } = salvage({ directory: temporary.directory, nowMs: 0 });
    expect(lost).toBeNull();
    await verifyLog({ directory: temporary.directory, signal: never });
    using store = openStore({ directory: temporary.directory, clock: sound.clock });
    expect(store.get(PEER_A)?.standing).toBe("revoked");
  });
});

describe("verifying a long log", () => {
  let temporary: TemporaryStore;
  beforeAll(async () => {
    temporary = await log(600);
    return () => temporary[Symbol.dispose]();
  });

  it("uses a thread, so the event loop stays free, and finds the same", async () => {
    let turns = 0;
    const turn = () => {
      turns += 1;
      timer = setImmediate(turn);
    };
    let timer = setImmediate(turn);
    const startedMs = systemClock.monotonicMs();
    const { rows } = await verifyLog({ directory: temporary.directory, signal: never });
    clearImmediate(timer);
    expect(rows).toBeGreaterThan(3_000);
    expect(turns, `in ${systemClock.monotonicMs() - startedMs} ms`).toBeGreaterThan(20);
    tamper(temporary.path, `update desired_peer set standing = 'partner' where peer_id = '${PEER_A}'`);
    expect((await refusal(temporary.directory)).message).toContain(`desired_peer ${PEER_A}: standing is "partner"`);
  });

  it("ends when its signal aborts", async () => {
    const stopping = new AbortController();
    const verified = verifyLog({ directory: temporary.directory, signal: stopping.signal });
    const reason = new Error("stopping");
    stopping.abort(reason);
    await expect(verified).rejects.toBe(reason);
  });
});

/** Returns the cursor before. */
function moveCursorBack(path: string, by: number): Cursor {
  using raw = rawConnection(path);
  const columns = "*, first_sequence as firstSequence, message_hash as messageHash";
  const row = raw.database.prepare<[], CursorRow>(`select ${columns} from ingest_cursor`).get();
  if (row === undefined) expect.unreachable("there is no cursor");
  const { sequence, checksum } = cursorRowOf({ ...cursorOf(row), sequence: row.sequence - by });
  raw.database.prepare("update ingest_cursor set sequence = ?, checksum = ?").run(sequence, checksum);
  return cursorOf(row);
}

function tamper(path: string, sql: string): void {
  using raw = rawConnection(path);
  behindTheGuards(raw.database, () => {
    const { changes } = raw.database.prepare(sql).run();
    expect(changes, sql).toBeGreaterThan(0);
  });
}

it("a log that cannot be read is a failure of the database, not tampering", async () => {
  using directory = temporaryDirectory();
  writeFileSync(join(directory.path, "oc-partnerd.db"), "no database, but some text that is long enough for one".repeat(9));
  const refused = await refusal(directory.path);
  expect(refused).toMatchObject({ code: "database_failed", message: expect.stringContaining("cannot verify") as string });
});
