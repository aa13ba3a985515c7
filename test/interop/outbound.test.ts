/** Our daemon dials Go partners. */
import { afterAll, beforeAll, expect, inject } from "vitest";
import { type Participant, startParticipant } from "../support/participant.ts";
import { until } from "../support/until.ts";
import { GoPartner } from "./support/go-partner.ts";
import { scenario } from "./support/scenario.ts";

let lyon: Participant;
/** Dialects: one for strict Go readers with nanoseconds, one for strict readers with tags. */
let nano: Participant;
let snake: Participant;

beforeAll(async () => {
  if (inject("partners") === null) return;
  lyon = await startParticipant("lyon");
  nano = await startParticipant("nano", { p2p: { heartbeat: { fields: "go" }, heartbeatTimestamp: "unixnano" } });
  snake = await startParticipant("snake", { p2p: { heartbeat: { fields: "snake" } } });
});
afterAll(async () => {
  for (const each of [lyon, nano, snake]) await each?.[Symbol.asyncDispose]();
});

const codeOf = async ({ peerId }: GoPartner, { daemon } = lyon) => (await daemon.peer(peerId))?.lastError?.code;

/** Waits until our daemon says so; the partner's word is not enough. */
async function established({ peerId }: GoPartner, { daemon } = lyon): Promise<void> {
  await daemon.until(`${peerId} is established`, async () => (await daemon.peer(peerId))?.phase === "established", 30_000);
}

for (const key of ["ed25519", "secp256k1", "rsa"] as const) {
  scenario("outbound", `has an identity of type ${key}, on IPv4`, "established, heartbeats", async (version) => {
    using go = await GoPartner.start(version, "-key", key);
    await lyon.publisher.relate(go, "PARTNER");
    await go.heartbeats(2);
    await established(go);
  });
}

scenario("outbound", "listens on IPv6", "established, heartbeats", async (version) => {
  using go = await GoPartner.start(version, "-listen", "/ip6/::1/tcp/0");
  await lyon.publisher.relate(go, "PARTNER");
  await go.heartbeats(2);
});

scenario("outbound", "has an identity of type ecdsa", "`identity_unsupported` at once, not retried", async (version) => {
  using go = await GoPartner.start(version, "-key", "ecdsa");
  await lyon.publisher.relate(go, "PARTNER");
  await lyon.daemon.until("the reason", async () => (await codeOf(go)) === "identity_unsupported");
  expect(await lyon.daemon.peer(go.peerId)).toMatchObject({ phase: "closed", attempts: 1, nextAttemptAt: null });
});

scenario(
  "outbound",
  "resets the stream 500 ms after our first heartbeat",
  "`refused`: one session, then one counted row",
  async (version) => {
    using go = await GoPartner.start(version, "-accept", "reset");
    await lyon.publisher.relate(go, "PARTNER");
    await until("a third refusal", () => go.count("unknown") >= 3, 60_000);
    await lyon.daemon.until("the reason", async () => (await codeOf(go)) === "refused");
    const rows = lyon.daemon.sql(
      "select type, reason from event_log where peer_id = ? and type not in ('PeerDesired', 'PeerLearned')",
      go.peerId,
    );
    expect(rows).toEqual([
      { type: "StreamOpened", reason: null },
      { type: "StreamClosed", reason: "reset" },
      { type: "OpenFailed", reason: "refused" },
    ]);
  },
);

scenario("outbound", "answers on the heartbeat stream", "reads and drops it, stays established", async (version) => {
  using go = await GoPartner.start(version, "-accept", "answer");
  await lyon.publisher.relate(go, "PARTNER");
  await go.heartbeats(4);
  await established(go);
  expect(go.count("registered")).toBe(1);
});

scenario("outbound", "challenges with 1 MiB, all written before it reads", "echoes it", async (version) => {
  using go = await GoPartner.start(version, "-challenge", String(1024 * 1024));
  await lyon.publisher.relate(go, "PARTNER");
  await go.event("registered");
});

scenario(
  "outbound",
  "reads with DisallowUnknownFields, without tags, in nanoseconds",
  "`p2p.heartbeat.fields: go`, `unixnano`",
  async (version) => {
    using go = await GoPartner.start(version, "-accept", "go", "-unixnano");
    await nano.publisher.relate(go, "PARTNER");
    await go.heartbeats(2);
  },
);

scenario("outbound", "reads with DisallowUnknownFields, with tags", "`p2p.heartbeat.fields: snake`", async (version) => {
  using go = await GoPartner.start(version, "-accept", "snake");
  await snake.publisher.relate(go, "PARTNER");
  await go.heartbeats(2);
});

scenario(
  "outbound",
  "has no inbound connection left (resource manager)",
  "backs off, established when there is one",
  async (version) => {
    using go = await GoPartner.start(version, "-max-conns", "1");
    using occupant = await GoPartner.start(version, go.address);
    await go.event("registered");
    await lyon.publisher.relate(go, "PARTNER");
    await lyon.daemon.until("a failure", async () => (await codeOf(go)) !== undefined, 30_000);
    occupant.send("SIGKILL");
    await established(go);
  },
);

scenario("outbound", "is revoked", "closes the stream within a second", async (version) => {
  using go = await GoPartner.start(version);
  await lyon.publisher.relate(go, "PARTNER");
  await go.heartbeats(1);
  await lyon.publisher.relate(go, "NONE");
  await go.event("ended");
  expect(await lyon.daemon.peer(go.peerId)).toMatchObject({ phase: "closed", outbound: null });
});
