/** Readiness while the stream is not being read. */
import { expect, test } from "vitest";
import { PartnerdError } from "../../src/base/errors.ts";
import { type HealthFacts, readiness } from "../../src/daemon/health.ts";
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
