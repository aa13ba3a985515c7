import { expect, onTestFinished, test } from "vitest";
import { peerTable, runStatus } from "../../../src/cli/daemon/status.ts";
import type { DaemonClient } from "../../../src/http/client.ts";
import type { DeliveryView, HealthView, PeerView } from "../../../src/views/api.ts";
import { NO_FACTS } from "../../support/attempts.ts";
import { PEER_A, PEER_B } from "../../support/peers.ts";
import { asCommandLine } from "../commands.ts";

const NOW = Date.UTC(2026, 0, 1, 12);
const at = (offsetMs: number) => new Date(NOW + offsetMs).toISOString();

const established: PeerView = {
  peerId: PEER_B,
  did: null,
  name: "lyon-1",
  relation: "PARTNER",
  standing: "partner",
  address: null,
  skippedAddresses: [],
  phase: "established",
  since: at(-12_000),
  outbound: { openedAt: at(-12_000), expiresAt: at(9_000) },
  inbound: { openedAt: at(-12_000), expiresAt: at(9_000), proven: true },
  attempts: 0,
  nextAttemptAt: null,
  lastError: null,
  desiredSeq: 1,
};
const failing: PeerView = {
  ...established,
  name: "bad\u001b[31m\nname",
  phase: "backoff",
  outbound: null,
  inbound: null,
  attempts: 3,
  nextAttemptAt: at(4_000),
  lastError: { code: "timeout", message: "the peer did not answer within 5000 ms", ...NO_FACTS },
};

function client(health: HealthView): DaemonClient {
  return {
    self: () =>
      Promise.resolve({ peerId: PEER_A, addresses: [], name: "me", did: "did:me", version: "1.2.3", startedAt: at(-90_000) }),
    peers: () => Promise.resolve({ peers: [established, failing] }),
    peer: () => Promise.resolve(undefined),
    readiness: () => Promise.resolve(health),
    delivery: () => Promise.resolve(delivery),
    resync: () => Promise.resolve(),
  };
}

const delivery: DeliveryView = {
  delivery: "at_least_once",
  server: "127.0.0.1:4222",
  reading: true,
  problem: null,
  consumer: "c",
  stream: { name: "S", created: at(-80_000), firstSequence: 1, sequence: 9 },
  behind: 0,
  rereading: null,
  ignoredDatatypes: [{ datatype: "3", messages: 12 }],
  headSeq: 11,
  proven: "sequences 1 to 9 of stream S are in the log, 1 gap, no reuse",
  missing: [
    {
      reason: "purged",
      firstSequence: 3,
      lastSequence: 4,
      at: at(-60_000),
      message: "stream S no longer holds sequences 3 to 4, which the log lacks",
    },
  ],
  rollbacks: [],
  spans: [
    { delivery: "at_most_once", since: at(-90_000), until: at(-80_000), message: "events come by core NATS" },
    { delivery: "at_least_once", since: at(-80_000), until: null, message: "stream S is followed from sequence 1" },
  ],
};

const notReady: HealthView = { status: "failing", checks: [{ name: "nats", ok: false, message: "connecting" }] };

test("the reason of an established partner names the addresses that are not dialled", () => {
  const skippedAddresses = ["/ip4/192.0.2.1/udp/4001/quic-v1"];
  expect(peerTable([{ ...established, skippedAddresses }], NOW)).toContain(
    "address_unsupported: not dialled, because it is not TCP: /ip4/192.0.2.1/udp/4001/quic-v1",
  );
});

test("the reason of a partner that opened again after many failures says so for a minute", () => {
  const flapping = { ...established, attempts: 8 };
  expect(peerTable([flapping], NOW)).toContain("unsteady: failed or lost 8 times in a row");
  expect(peerTable([{ ...flapping, since: at(-61_000) }], NOW)).not.toContain("unsteady");
  expect(peerTable([{ ...flapping, attempts: 1 }], NOW)).not.toContain("unsteady");
});

test("status shows one line per peer, then the daemon's health", async () => {
  const { text, ready } = await runStatus(client(notReady), { json: false, nowMs: NOW });
  expect(ready).toBe(false);
  expect(text.split("\n")).toEqual([
    "PEER         NAME                     DESIRED  OUTBOUND     INBOUND      SINCE  NEXT              REASON",
    "…UTVTsKoXxh  lyon-1                   PARTNER  established  established  12 s   expires in 9 s    -",
    "…UTVTsKoXxh  bad\\u001b[31m\\u000aname  PARTNER  backoff      -            12 s   attempt 4 in 4 s  timeout: the peer did not answer within 5000 ms",
    "",
    `me ${PEER_A}, version 1.2.3, up 1 min`,
    "1 of 2 partners established",
    "NOT READY",
    "  FAIL nats: connecting",
    "delivery: at_least_once, sequences 1 to 9 of stream S are in the log, 1 gap, no reuse",
    `  ${at(-60_000)} gap (purged): stream S no longer holds sequences 3 to 4, which the log lacks`,
    `  ${at(-90_000)} to ${at(-80_000)} at_most_once: events come by core NATS`,
  ]);
});

test("status names ignored integer datatypes as long as no peer is desired", async () => {
  const hint =
    "12 events of datatype 3 were ignored; if that means PEER, set events.peerDatatypes to PEER,3, restart, and run `oc-partnerd resync`";
  const empty = { ...client(notReady), peers: () => Promise.resolve({ peers: [] }) };
  expect((await runStatus(empty, { json: false, nowMs: NOW })).text.split("\n")).toContain(hint);
  expect((await runStatus(client(notReady), { json: false, nowMs: NOW })).text).not.toContain("datatype");
});

test("a next step of the daemon gets the place flags of status, but not in --json", async () => {
  onTestFinished(asCommandLine("status", "--config", "c.json"));
  const lost: HealthView = {
    status: "failing",
    checks: [{ name: "event_log", ok: false, message: "bad; run `oc-partnerd restore`" }],
  };
  const text = async (json: boolean) =>
    (await runStatus({ ...client(lost), peers: async () => ({ peers: [] }) }, { json, nowMs: NOW })).text;
  expect(await text(false)).toContain("\n  FAIL event_log: bad; run `oc-partnerd restore --config c.json`\n");
  expect(await text(false)).toContain("restart, and run `oc-partnerd resync --config c.json`");
  expect(await text(true)).toContain("run `oc-partnerd restore`");
});

test("--json has everything that the text has", async () => {
  const { text } = await runStatus(client(notReady), { json: true, nowMs: NOW });
  expect(JSON.parse(text)).toEqual({
    self: expect.anything() as unknown,
    peers: [established, failing],
    health: notReady,
    delivery,
  });
});
