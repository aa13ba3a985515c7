/** Decoding the log again under another vocabulary: the differences become events with their cause. */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { decodeMessage } from "../../src/events/decode.ts";
import { DEFAULT_LIMITS, DEFAULT_VOCABULARY, type Vocabulary } from "../../src/events/vocabulary.ts";
import { openLogReader } from "../../src/store/log-reader.ts";
import { PEER_A, PEER_B, PEER_C } from "../support/peers.ts";
import { appendMany, archiveBefore } from "./support/archiving.ts";
import { closed, opened } from "./support/events.ts";
import { TemporaryStore } from "./support/temporary-store.ts";

/** Publishes a record as an app does, and logs it under the vocabulary that the daemon has. */
function publish(temporary: TemporaryStore, record: object, vocabulary = DEFAULT_VOCABULARY, app = "oc-api"): number {
  const bytes = Buffer.from(JSON.stringify({ from_app: app, datatype: "PEER", payload: record }));
  const decoded = decodeMessage({ subject: "CREATE_RESOURCE", bytes }, vocabulary, DEFAULT_LIMITS);
  if (decoded.kind === "ignored") throw new Error("expected a message that is logged");
  const message = { decoded, subject: "CREATE_RESOURCE", payload: bytes, dedupeKey: null };
  const [entry] = temporary.store.appendReceived([message]);
  if (entry === undefined || entry === "duplicate") throw new Error("expected a row");
  return entry.seq;
}

const address = (peerId: string, host = "10.0.0.1") => `/ip4/${host}/tcp/4001/p2p/${peerId}`;
const SETTINGS = { ...DEFAULT_VOCABULARY, ...DEFAULT_LIMITS };
const allies: Vocabulary = { ...DEFAULT_VOCABULARY, partnerRelations: ["PARTNER", "ALLY"] };

function plan(temporary: TemporaryStore, vocabulary: Vocabulary) {
  using reader = openLogReader(temporary.directory);
  return reader.reinterpret({ ...vocabulary, ...DEFAULT_LIMITS }, () => {});
}

/** The desired peers of a daemon that always had this vocabulary. */
function wantedBy(vocabulary: Vocabulary, records: readonly object[]): unknown {
  using temporary = new TemporaryStore();
  for (const record of records) publish(temporary, record, vocabulary);
  return stateOf(temporary);
}

const stateOf = ({ store }: TemporaryStore) =>
  store
    .list()
    .filter(({ standing }) => standing !== "revoked")
    .map(({ peerId, standing, relation, address }) => ({ peerId, standing, relation, address }));

const RECORDS = [
  { id: "r-a", name: "lyon", stream_address: address(PEER_A), relation: "ALLY" },
  { id: "r-b", name: "oslo", stream_address: address(PEER_B), relation: "PARTNER" },
  { id: "r-c", name: "rome", stream_address: address(PEER_C), relation: "ALLY" },
  { id: "r-b", name: "oslo", stream_address: address(PEER_C, "10.0.0.9"), relation: "ALLY" },
];

const SQL_PAGE = readFileSync(join(import.meta.dirname, "../../docs/SQL.md"), "utf8");
const statementWith = (phrase: string) =>
  [...SQL_PAGE.matchAll(/```sql\n([^`]+)```/g)].map(([, sql = ""]) => sql).find((sql) => sql.includes(phrase)) ?? "";
const closeStatement = statementWith("from events as closed");
const periodStatement = statementWith("as message");

describe("reinterpret", () => {
  it("changes nothing under the vocabulary that the log was decoded with", () => {
    using temporary = new TemporaryStore();
    for (const record of RECORDS) publish(temporary, record);
    expect(plan(temporary, DEFAULT_VOCABULARY)).toEqual({ changes: [], decoded: RECORDS.length, kept: 0 });
  });

  it("makes the peers what a log decoded with the new vocabulary would have, and names the message of each", () => {
    using temporary = new TemporaryStore();
    for (const record of RECORDS) publish(temporary, record);
    const { changes } = plan(temporary, allies);
    const appended = temporary.store.appendReinterpreted(changes, { ...allies, ...DEFAULT_LIMITS });
    expect(stateOf(temporary)).toEqual(wantedBy(allies, RECORDS));
    expect(appended.map(({ event, causeSeq, source }) => [event.peerId, causeSeq, source])).toEqual([
      [PEER_A, 1, "oc-partnerd"],
      [PEER_C, 4, "oc-partnerd"],
    ]);
    expect(plan(temporary, allies).changes).toEqual([]);
    expect(temporary.store.verifyProjections()).toEqual([]);
    expect(temporary.read("select summary from peer_history where seq = 5")).toEqual([
      { summary: "desired as ALLY by reinterpreting event 1" },
    ]);
  });

  it("leads from a close by the statement of docs/SQL.md to the message and its bytes", () => {
    using temporary = new TemporaryStore();
    publish(temporary, { ...RECORDS[1], name: "lyon-1" });
    const [{ payload: bytes } = {}] = temporary.read("select payload from events");
    const { store } = temporary;
    store.appendObserved({ event: opened(PEER_B), causeSeq: 1 });
    const none = { ...DEFAULT_VOCABULARY, partnerRelations: ["ALLY"] };
    store.appendReinterpreted(plan(temporary, none).changes, { ...none, ...DEFAULT_LIMITS });
    expect(store.get(PEER_B)?.generation).toBe(3);
    store.appendObserved({ event: closed(PEER_B, { reason: "revoked" }), causeSeq: 3 });
    expect(temporary.read(closeStatement)).toMatchObject([{ reason: "revoked", cause: 1, app: "oc-api", payload: bytes }]);
    expect(temporary.read(periodStatement)).toMatchObject([
      { relation: "PARTNER", standing: "partner", by: "oc-api", message: 1, payload: bytes },
      { relation: "PARTNER", standing: "revoked", by: "oc-partnerd", message: 1, payload: bytes },
    ]);
  });

  it("takes back what the vocabulary no longer means", () => {
    using temporary = new TemporaryStore();
    for (const record of RECORDS) publish(temporary, record, allies);
    temporary.store.appendReinterpreted(plan(temporary, DEFAULT_VOCABULARY).changes, SETTINGS);
    expect(stateOf(temporary)).toEqual(wantedBy(DEFAULT_VOCABULARY, RECORDS));
  });

  it("ignores what an app says that is ignored now", () => {
    using temporary = new TemporaryStore();
    publish(temporary, RECORDS[1] ?? {});
    const { changes } = plan(temporary, { ...DEFAULT_VOCABULARY, ignoreApps: ["oc-discovery", "oc-api"] });
    expect(changes).toMatchObject([{ event: { type: "PeerRemoved", peerId: PEER_B }, causeSeq: 1 }]);
    temporary.store.appendReinterpreted(changes, { ...SETTINGS, ignoreApps: ["oc-discovery", "oc-api"] });
    expect(temporary.store.get(PEER_B)?.standing).toBe("revoked");
  });

  it("accepts a message that was rejected before", () => {
    using temporary = new TemporaryStore();
    const numbers = { ...DEFAULT_VOCABULARY, relationNames: ["NONE", "SELF", "ALLY"], partnerRelations: ["ALLY"] };
    const seq = publish(temporary, { id: "r-a", stream_address: address(PEER_A), relation: 2 }, DEFAULT_VOCABULARY);
    expect(temporary.store.get(PEER_A)?.relation).toBe("PARTNER");
    expect(plan(temporary, numbers).changes).toMatchObject([{ event: { relation: "ALLY" }, causeSeq: seq }]);
  });

  it("keeps the meaning of a message of which the log holds only a part", () => {
    using temporary = new TemporaryStore();
    publish(temporary, { ...RECORDS[0], note: "x".repeat(70_000) });
    expect(plan(temporary, allies)).toMatchObject({ changes: [], decoded: 0, kept: 1 });
  });

  it("makes a peer a partner again that loses a resource id to the change of another one", () => {
    using temporary = new TemporaryStore();
    const other = { ...allies, ignoreApps: ["oc-other"] };
    publish(temporary, { stream_address: address(PEER_B), relation: "PARTNER" });
    publish(temporary, { id: "r-a", stream_address: address(PEER_A), relation: "PARTNER" });
    publish(temporary, { id: "r-a", stream_address: address(PEER_B), relation: "PARTNER" }, allies, "oc-other");
    const { changes } = plan(temporary, other);
    expect(changes.map(({ event, causeSeq }) => [event.peerId, causeSeq])).toEqual([
      [PEER_A, 2],
      [PEER_B, 1],
    ]);
    temporary.store.appendReinterpreted(changes, { ...other, ...DEFAULT_LIMITS });
    expect(stateOf(temporary).map(({ peerId }) => peerId)).toEqual([PEER_A, PEER_B].sort());
  });

  it("keeps what a message means whose reinterpretation remains, when it is archived itself", async () => {
    using temporary = new TemporaryStore();
    for (const record of RECORDS) publish(temporary, record);
    temporary.store.appendReinterpreted(plan(temporary, allies).changes, { ...allies, ...DEFAULT_LIMITS });
    await archiveBefore(temporary.directory, 5);
    expect(plan(temporary, allies).changes).toEqual([]);
    expect(plan(temporary, DEFAULT_VOCABULARY).changes).toEqual([]);
  });

  it("reads the log up to the last run of `reinterpret` as decoded, also where that changed nothing", async () => {
    using temporary = new TemporaryStore();
    const record = { id: "r-a", stream_address: address(PEER_A), relation: "ALLY" };
    publish(temporary, record);
    publish(temporary, record, allies, "oc-other");
    const other = { ...allies, ignoreApps: ["oc-other"], ...DEFAULT_LIMITS };
    expect(plan(temporary, other).changes).toEqual([]);
    temporary.store.appendReinterpreted([], other);
    await archiveBefore(temporary.directory, 2);
    expect(plan(temporary, other).changes).toEqual([]);
    expect(temporary.store.get(PEER_A)?.standing).toBe("partner");
  });

  it("starts again if rows are archived in the meantime", () => {
    using temporary = new TemporaryStore();
    publish(temporary, { id: "r-c", stream_address: address(PEER_C), relation: "ALLY" });
    appendMany(temporary.store, 250);
    publish(temporary, { id: "r-c", stream_address: address(PEER_C), relation: "NONE" });
    appendMany(temporary.store, 250);
    using reader = openLogReader(temporary.directory);
    let archived = false;
    const { changes } = reader.reinterpret({ ...SETTINGS, ...allies }, () => {
      if (archived) return;
      archived = true;
      const command = ["src/main.ts", "archive", "--before", "450", "--data", temporary.directory];
      expect(spawnSync(process.execPath, command, { encoding: "utf8" })).toMatchObject({ status: 0 });
    });
    expect(archived).toBe(true);
    expect(changes.map(({ event }) => event.peerId)).not.toContain(PEER_C);
  });

  it("keeps peers as the archive left them, whose messages are out of reach", async () => {
    using temporary = new TemporaryStore();
    for (const record of RECORDS) publish(temporary, record);
    await archiveBefore(temporary.directory, 2);
    expect(plan(temporary, allies).changes.map(({ event }) => event.peerId)).toEqual([PEER_C]);
  });
});
