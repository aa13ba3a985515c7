import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { PartnerdError } from "../../../src/base/errors.ts";
import type { Address } from "../../../src/base/ids.ts";
import { resourceIdOf } from "../../../src/base/ids.ts";
import { PEER_A, PEER_B, PEER_C } from "../../support/peers.ts";
import { addressOf, append, desired, received, rejected, removed } from "../support/events.ts";
import { TemporaryStore } from "../support/temporary-store.ts";

describe("a desired event", () => {
  it("is logged with its bytes and projected", () => {
    using temporary = new TemporaryStore();
    const payload = Buffer.from('{"FromApp":"oc-api"}');
    const logged = append(temporary.store, desired({ claimedUser: "anna" }), { payload, dedupeKey: "key-1" });
    expect(logged).toMatchObject({
      seq: 1,
      atMs: temporary.clock.wallMs(),
      effect: "changed",
      generation: 1,
      source: "oc-api",
      claimedUser: "anna",
      subject: "CREATE_RESOURCE",
      dedupeKey: "key-1",
      payloadBytes: payload.byteLength,
      event: { type: "PeerDesired", peerId: PEER_A, relation: "PARTNER", standing: "partner" },
    });
    expect(temporary.store.get(PEER_A)).toEqual({
      peerId: PEER_A,
      resourceId: "resource-a",
      did: null,
      name: "lyon-1",
      relation: "PARTNER",
      standing: "partner",
      address: addressOf(PEER_A),
      desiredSeq: 1,
      generation: 1,
      sinceMs: temporary.clock.wallMs(),
      standingSeq: 1,
      standingSinceMs: temporary.clock.wallMs(),
    });
    expect(temporary.read("select payload from event_log")).toEqual([{ payload }]);
  });

  it("that changes nothing is logged as unchanged", () => {
    using temporary = new TemporaryStore();
    append(temporary.store, desired());
    expect(append(temporary.store, desired())).toMatchObject({ seq: 2, effect: "unchanged", generation: 1 });
    expect(temporary.store.get(PEER_A)?.desiredSeq).toBe(1);
  });

  it("with only a resource id is about the last peer of that resource", () => {
    using temporary = new TemporaryStore();
    append(temporary.store, desired());
    const revocation = desired({ peerId: null, address: null, name: null, relation: "NONE", standing: "revoked" });
    expect(append(temporary.store, revocation)).toMatchObject({
      effect: "changed",
      event: { peerId: PEER_A, standing: "revoked" },
    });
    expect(temporary.store.get(PEER_A)).toMatchObject({ standing: "revoked", relation: "NONE", address: addressOf(PEER_A) });
  });

  it("with a resource id that the peer has since replaced is still about that peer", () => {
    using temporary = new TemporaryStore();
    append(temporary.store, desired());
    append(temporary.store, desired({ resourceId: resourceIdOf("resource-b") }));
    expect(append(temporary.store, removed({ peerId: null, resourceId: resourceIdOf("resource-a") }))).toMatchObject({
      event: { type: "PeerRemoved", peerId: PEER_A },
    });
    expect(temporary.store.verifyProjections()).toEqual([]);
  });

  it("with an unknown resource id is kept as rejected", () => {
    using temporary = new TemporaryStore();
    const logged = append(temporary.store, removed({ peerId: null, resourceId: resourceIdOf("never-seen") }));
    expect(logged).toMatchObject({ source: "oc-api", effect: null, event: { type: "EventRejected", reason: "peer_unknown" } });
    expect(temporary.store.list()).toEqual([]);
  });

  it("that gives a partner's resource to another peer names the superseded peer", () => {
    using temporary = new TemporaryStore();
    append(temporary.store, desired());
    const logged = append(temporary.store, desired({ peerId: PEER_B }));
    expect(logged.supersededPeerId).toBe(PEER_A);
    expect(temporary.store.get(PEER_A)).toMatchObject({
      standing: "revoked",
      relation: "SUPERSEDED",
      resourceId: null,
      generation: 2,
    });
    expect(temporary.store.history(PEER_A, { limit: 10 }).map(({ seq }) => seq)).toEqual([2, 1]);
  });

  it("with an unknown relation differs from a removal in the projection", () => {
    using temporary = new TemporaryStore();
    append(temporary.store, desired({ relation: "UNKNOWN(7)", standing: "revoked" }));
    expect(temporary.store.get(PEER_A)?.relation).toBe("UNKNOWN(7)");
    append(temporary.store, removed());
    expect(temporary.store.get(PEER_A)?.relation).toBe("REMOVED");
  });
});

describe("a batch", () => {
  it("accepts each dedupe key once, in the log and within the batch", () => {
    using temporary = new TemporaryStore();
    append(temporary.store, desired(), { dedupeKey: "key-1" });
    const answers = temporary.store.appendReceived([
      received(desired({ relation: "NONE", standing: "revoked" }), { dedupeKey: "key-1" }),
      received(desired(), { dedupeKey: "key-2" }),
      received(rejected(), { dedupeKey: "key-2" }),
      received(desired(), { dedupeKey: null }),
    ]);
    expect(answers.map((answer) => (answer === "duplicate" ? answer : answer.seq))).toEqual(["duplicate", 2, "duplicate", 3]);
    expect(temporary.store.get(PEER_A)?.standing).toBe("partner");
  });

  it("is written completely or not at all", () => {
    using temporary = new TemporaryStore();
    append(temporary.store, desired());
    // The second message touches a table that has been dropped; the first alone could be written.
    temporary.write("drop table desired_peer");
    const failing = () =>
      temporary.store.appendReceived([received(rejected()), received(desired({ relation: "NONE", standing: "revoked" }))]);
    expect(failing).toThrow(PartnerdError);
    expect(failing).toThrow(/cannot append received events: .*desired_peer/);
    expect(temporary.store.head().seq).toBe(1);
  });

  it("may be empty", () => {
    using temporary = new TemporaryStore();
    expect(temporary.store.appendReceived([])).toEqual([]);
    expect(temporary.store.head()).toMatchObject({ seq: 0, atMs: null });
  });
});

describe("a payload", () => {
  const stored = (payload: Uint8Array) => {
    using temporary = new TemporaryStore();
    append(temporary.store, rejected(), { payload });
    const [row] = temporary.read("select payload, payload_bytes, payload_sha256, payload_encoding from event_log");
    return row;
  };
  const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

  it("of 64 KiB is kept completely", () => {
    const payload = Buffer.alloc(65_536, "x");
    expect(stored(payload)).toEqual({
      payload,
      payload_bytes: 65_536,
      payload_sha256: sha256(payload),
      payload_encoding: "utf8",
    });
  });

  it("that is longer is truncated, with the full size and hash", () => {
    const payload = Buffer.concat([Buffer.alloc(65_536, "x"), Buffer.alloc(1_000, "y")]);
    const kept = payload.subarray(0, 65_536);
    expect(stored(payload)).toEqual({
      payload: kept,
      payload_bytes: 66_536,
      payload_sha256: sha256(payload),
      payload_encoding: "utf8",
    });
  });

  it("that is text is never truncated within a character", () => {
    const payload = Buffer.from(`x${"😀".repeat(20_000)}`);
    expect(stored(payload)).toMatchObject({ payload: payload.subarray(0, 65_533), payload_encoding: "utf8" });
  });

  it.each([
    ["bytes that are not UTF-8", Buffer.from([0x7b, 0xff, 0xfe])],
    ["a NUL, which ends text in SQL", Buffer.from("before\0after")],
    ["part of a character at its end", Buffer.from("😀").subarray(0, 3)],
  ])("with %s is binary", (_, payload) => {
    expect(stored(payload)).toMatchObject({ payload, payload_encoding: "binary" });
  });

  it("that is empty is kept as empty", () => {
    const payload = Buffer.alloc(0);
    expect(stored(payload)).toEqual({ payload, payload_bytes: 0, payload_sha256: sha256(payload), payload_encoding: "utf8" });
  });

  it("that is a view of a larger buffer is kept as the view", () => {
    const larger = Buffer.from("[before]payload[after]");
    const payload = new Uint8Array(larger.buffer, larger.byteOffset + 8, 7);
    expect(stored(payload)).toMatchObject({ payload: Buffer.from("payload"), payload_bytes: 7 });
  });
});

describe("text that SQLite cannot store unchanged", () => {
  it.each([
    ["a lone surrogate", "lyon\ud800", "lyon\ufffd"],
    ["half a character at the end of a claimed user", `${"a".repeat(255)}\ud83d`, `${"a".repeat(255)}\ufffd`],
    ["a NUL", "lyon\0-1", "lyon\0-1"],
  ])("%s is folded as it will be read back", (_, name, readBack) => {
    using temporary = new TemporaryStore();
    const { claimedUser } = append(temporary.store, desired({ name, claimedUser: name, resourceId: resourceIdOf(name) }), {
      dedupeKey: name,
    });
    expect(claimedUser).toBe(readBack);
    expect(temporary.store.get(PEER_A)).toMatchObject({ name: readBack, resourceId: readBack });
    expect(append(temporary.store, desired({ name, resourceId: resourceIdOf(name) })).effect).toBe("unchanged");
    expect(temporary.store.appendReceived([received(desired(), { dedupeKey: name })])).toEqual(["duplicate"]);
    expect(temporary.store.verifyProjections()).toEqual([]);
  });

  it("an SQL injection is only text", () => {
    using temporary = new TemporaryStore();
    const address = `/ip4/1.2.3.4/tcp/1'); drop table event_log; --` as Address;
    append(temporary.store, desired({ name: "'; delete from event_log; --", address }));
    expect(temporary.store.head().seq).toBe(1);
    expect(temporary.store.get(PEER_A)?.name).toBe("'; delete from event_log; --");
  });
});

describe("reading the desired state", () => {
  it("returns what was committed: a failed batch changes nothing", () => {
    using temporary = new TemporaryStore();
    temporary.write(`create trigger refuse_b before insert on desired_peer when new.peer_id = '${PEER_B}'
      begin select raise(abort, 'no room'); end`);
    const other = desired({ peerId: PEER_B, resourceId: resourceIdOf("resource-b") });
    expect(() => temporary.store.appendReceived([received(desired()), received(other)])).toThrow(/no room/);
    expect([temporary.store.get(PEER_A), temporary.store.list(), temporary.store.head().seq]).toEqual([undefined, [], 0]);
    append(temporary.store, desired({ peerId: PEER_C, resourceId: resourceIdOf("resource-c") }));
    expect(temporary.store.list().map(({ peerId }) => peerId)).toEqual([PEER_C]);
  });
});
