/** The checks of the daemon, above all readiness while the stream is not being read. */
import { describe, expect, test } from "vitest";
import { PartnerdError } from "../../src/base/errors.ts";
import { type HealthFacts, liveness, readiness, startup, unreadable } from "../../src/daemon/health.ts";
import { RAISE_LIMIT } from "../../src/daemon/watch/descriptor-limit.ts";
import type { SourceFacts } from "../../src/nats/event-source.ts";

const READING: SourceFacts = {
  from: "jetstream",
  reading: true,
  restarting: false,
  loop: null,
  impairment: null,
  problem: null,
  behind: 0,
  restarts: 0,
  rereading: null,
};
const PAUSED: SourceFacts = { ...READING, reading: false, behind: null };
const LOOP = { reason: "consumer_deleted", nextStep: "give each daemon its own nats.consumer" };
const IN_LOOP = "reading restarts in a loop: consumer_deleted; give each daemon its own nats.consumer";
const DENIED = new PartnerdError("nats_denied", "denied");

function factsOf(source: SourceFacts, state: "connected" | "reconnecting" = "connected"): HealthFacts {
  return {
    logFailing: null,
    headSeq: 1,
    headFailing: null,
    keptHeads: null,
    addresses: ["/ip4/127.0.0.1/tcp/4011"],
    connections: null,
    descriptorsExhausted: false,
    nats: {
      status: { state, server: null, sinceMs: 0, reconnects: 0, lastError: null },
      source,
      proof: { cursor: null, delivery: null, missing: [], rollbacks: [], spans: [] },
      dropped: 0,
    },
  };
}

function natsCheck(...facts: Parameters<typeof factsOf>) {
  return readiness(factsOf(...facts)).find(({ name }) => name === "nats");
}

test("a clone that publishes heads of our log makes the daemon unready", () => {
  const cloned = new PartnerdError("identity_cloned", "another daemon runs with our identity", { nextStep: "stop one" });
  const [nats] = readiness({ ...factsOf(READING), keptHeads: { seq: 1, failing: null, cloned } }).slice(-1);
  expect(nats).toEqual({ name: "nats", ok: false, message: "another daemon runs with our identity; stop one" });
});

test("heads that cannot be published are reported, and fail no check", () => {
  const [log] = readiness({ ...factsOf(READING), keptHeads: { seq: null, failing: DENIED, cloned: null } });
  expect(log).toEqual({ name: "event_log", ok: true, message: "writable, at seq 1; denied" });
});

const NOON = "2026-01-01T12:00:00.000Z";
const facts = factsOf(READING);
const natsWith = (change: Partial<NonNullable<HealthFacts["nats"]>>): HealthFacts => ({
  ...facts,
  nats: facts.nats && { ...facts.nats, ...change },
});
const statusOf = (change: Partial<NonNullable<HealthFacts["nats"]>["status"]>) => ({
  status: { state: "connected", server: "n:4222", sinceMs: Date.parse(NOON), reconnects: 0, lastError: null, ...change } as const,
});
const check = (name: string, changed: Partial<HealthFacts>) =>
  readiness({ ...facts, ...changed }).find((each) => each.name === name);

describe("readiness", () => {
  test("fails while the log cannot be written", () => {
    const logFailing = new PartnerdError("database_failed", "disk full", { nextStep: "make room" });
    expect(check("event_log", { logFailing })).toEqual({ name: "event_log", ok: false, message: "disk full; make room" });
    const headFailing = new PartnerdError("file_failed", "cannot write head");
    const message = "writable, at seq 1; cannot write head";
    expect(check("event_log", { headFailing })).toEqual({ name: "event_log", ok: true, message });
  });

  test("fails while the host does not listen", () => {
    expect(check("p2p", { addresses: [] })).toEqual({ name: "p2p", ok: false, message: "listening on nothing" });
    expect(check("p2p", {})).toEqual({ name: "p2p", ok: true, message: "listening on /ip4/127.0.0.1/tcp/4011" });
    const message = "listening on /ip4/127.0.0.1/tcp/1, /ip4/127.0.0.1/tcp/2";
    const addresses = ["/ip4/127.0.0.1/tcp/1", "/ip4/127.0.0.1/tcp/2"];
    expect(check("p2p", { addresses })).toEqual({ name: "p2p", ok: true, message });
  });

  test("fails without file descriptors, and not without places for strangers", () => {
    const refusals = { refused: 0, refusedPartners: 0, recentlyRefusedPartners: 0 };
    const connections = { ...refusals, total: 9, limit: 10, strangers: 4, handshakes: 0, evicted: 0 };
    const message = `out of file descriptors; ${RAISE_LIMIT}`;
    expect(check("connections", { connections, descriptorsExhausted: true })).toMatchObject({ ok: false, message });
    expect(check("connections", {})).toMatchObject({ ok: true, message: "none yet" });
    const used = "9 of 10 in use, 4 of them by strangers";
    expect(check("connections", { connections })).toEqual({ name: "connections", ok: true, message: used });
    expect(check("connections", { connections: { ...connections, recentlyRefusedPartners: 1 } })).toMatchObject({
      ok: true,
      message: `${used}; refused 1 connection of partners for lack of a place`,
    });
  });

  test("fails until there is a NATS server, and while it is gone", () => {
    expect(check("nats", { nats: null })).toEqual({ name: "nats", ok: false, message: "looking for a server" });
    expect(check("nats", natsWith(statusOf({ state: "reconnecting", lastError: "refused" })))).toMatchObject({
      ok: false,
      message: `reconnecting since ${NOON}: refused; streams stay open`,
    });
    expect(check("nats", natsWith({ ...statusOf({ state: "connecting" }), dropped: 2 }))).toMatchObject({
      ok: false,
      message: `connecting since ${NOON}; streams stay open, 2 messages dropped`,
    });
  });

  test.each<[string, Partial<SourceFacts>, string | null, boolean, string]>([
    ["is being looked for", { from: null, reading: false }, null, false, "looking for a stream"],
    [
      "does not exist",
      { from: "core" },
      null,
      true,
      "subscribed, at_most_once: events published while this daemon or NATS is down are lost",
    ],
    [
      "is denied",
      { from: "core", reading: false, problem: DENIED },
      "no permission",
      false,
      "not subscribed: no permission, at_most_once: events published while this daemon or NATS is down are lost (denied)",
    ],
    ["is read in part", { impairment: DENIED }, null, false, "denied"],
    ["is read", { behind: null }, null, true, "at_least_once from stream ?, 0 behind"],
    ["restarts in a loop", { loop: { ...LOOP, nextStep: null } }, null, false, "reading restarts in a loop: consumer_deleted"],
  ])("while the stream %s", (_, source, lastError, ok, how) => {
    const nats = natsWith({ ...statusOf({ lastError }), source: { ...READING, ...source } });
    expect(check("nats", nats)).toEqual({ name: "nats", ok, message: `connected to n:4222 since ${NOON}, ${how}` });
  });

  test("tells how many messages were dropped, and from which stream it reads", () => {
    const cursor = { stream: "OC", created: NOON, firstSequence: 1, sequence: 2, messageHash: null };
    const proof = { delivery: null, missing: [], rollbacks: [], spans: [], cursor };
    expect(check("nats", natsWith({ ...statusOf({}), dropped: 1, proof }))?.message).toBe(
      `connected to n:4222 since ${NOON}, at_least_once from stream OC, 0 behind, 1 message dropped`,
    );
  });

  test("fails if not even the log can be read", () => {
    const error = new PartnerdError("database_failed", "disk I/O error", { nextStep: "mend it" });
    expect(unreadable(error)).toEqual([{ name: "event_log", ok: false, message: "disk I/O error; mend it" }]);
  });
});

test("liveness fails once work has been stuck for a minute", () => {
  expect(liveness(59_999)).toEqual([{ name: "reconciler", ok: true, message: "work completes" }]);
  const message = "work is in progress and none has completed for 1 min";
  expect(liveness(60_000)).toEqual([{ name: "reconciler", ok: false, message }]);
});

test("the start is in progress until it is complete", () => {
  expect(startup(false)).toEqual([{ name: "start", ok: false, message: "in progress" }]);
  expect(startup(true)).toEqual([{ name: "start", ok: true, message: "complete" }]);
});

test.each([
  ["is read", READING, true, "0 behind"],
  ["is being restarted, as for a resync", { ...PAUSED, restarting: true }, true, "restarting to read the stream"],
  ["is read for a moment, in a loop", { ...READING, loop: LOOP }, false, IN_LOOP],
  ["restarts in a loop", { ...PAUSED, loop: LOOP }, false, IN_LOOP],
  ["is not read yet", PAUSED, false, "not reading: starting"],
  ["cannot be read", { ...PAUSED, problem: DENIED }, false, "not reading: denied"],
])("the stream %s", (_, source, ok, message) => {
  expect(natsCheck(source)).toMatchObject({ ok, message: expect.stringContaining(message) as string });
});

test("without a connection, a restart is an outage", () => {
  expect(natsCheck({ ...PAUSED, restarting: true }, "reconnecting")?.ok).toBe(false);
});
