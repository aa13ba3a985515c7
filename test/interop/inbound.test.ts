/** Go partners dial our daemon. */
import { afterAll, beforeAll, expect, inject } from "vitest";
import { type Participant, startParticipant } from "../support/participant.ts";
import { until } from "../support/until.ts";
import { GoPartner } from "./support/go-partner.ts";
import { scenario } from "./support/scenario.ts";

let lyon: Participant;
/** Admits far ends without the probe protocol. */
let lenient: Participant;

beforeAll(async () => {
  if (inject("partners") === null) return;
  lyon = await startParticipant("lyon", { listen: ["/ip4/127.0.0.1/tcp/0", "/ip6/::1/tcp/0"] });
  lenient = await startParticipant("lenient", { p2p: { challenge: "prefer" } });
});
afterAll(async () => {
  for (const each of [lyon, lenient]) await each?.[Symbol.asyncDispose]();
});

async function admitted({ peerId }: GoPartner, { daemon } = lyon) {
  const inbound = async () => (await daemon.peer(peerId))?.inbound ?? undefined;
  return daemon.until(`${peerId} has an inbound stream`, inbound, 30_000);
}

const refusalsOf = ({ peerId }: GoPartner) =>
  lyon.daemon.sql("select reason, message from event_log where type = 'InboundRefused' and peer_id = ?", peerId);

for (const key of ["ed25519", "secp256k1", "rsa"] as const) {
  scenario("inbound", `has an identity of type ${key}, on IPv4`, "challenged, admitted", async (version) => {
    using go = await GoPartner.start(version, "-key", key, lyon.address);
    const { bytes } = await go.event("echoed");
    expect(bytes).toBeGreaterThanOrEqual(512);
    expect(await admitted(go)).toMatchObject({ proven: true });
  });
}

scenario("inbound", "connects over IPv6", "challenged, admitted", async (version) => {
  const { addresses } = await lyon.daemon.self();
  const ip6 = addresses.find((address) => address.startsWith("/ip6/")) ?? "";
  using go = await GoPartner.start(version, "-listen", "/ip6/::1/tcp/0", ip6);
  await admitted(go);
});

scenario(
  "inbound",
  "has an identity of type ecdsa",
  "closes the connection, counts and logs `identity_unsupported`",
  async (version) => {
    const counted = async () =>
      (await lyon.daemon.metric('oc_partnerd_handshakes_failed_total{reason="identity_unsupported"}')) ?? 0;
    const before = await counted();
    using go = await GoPartner.start(version, "-key", "ecdsa", lyon.address);
    await go.event("dial_failed");
    await lyon.daemon.until("it is counted", async () => (await counted()) > before);
    const lines = lyon.daemon.logLines().filter((line) => line["reason"] === "identity_unsupported");
    expect(lines).toMatchObject([{ level: "warn", address: "127.0.0.1" }]);
  },
);

scenario(
  "inbound",
  "opens a stream for each heartbeat and closes it at once",
  "`ended_early`, one counted row",
  async (version) => {
    using go = await GoPartner.start(version, "-send", "one-shot", lyon.address);
    const repeated = "select count from repeated_failures join event_log on seq = first_seq where peer_id = ?";
    await until("repetitions", () => Number(lyon.daemon.sql(repeated, go.peerId)[0]?.["count"] ?? 0) >= 3, 30_000);
    expect(refusalsOf(go)).toMatchObject([{ reason: "ended_early" }]);
  },
);

scenario("inbound", "pings on one stream for 12 s", "answers all of them", async (version) => {
  using go = await GoPartner.start(version, "-send", "pings", lyon.address);
  await go.event("ping", ({ ms }) => (ms ?? 0) > 12_000);
  expect(go.count("dial_failed")).toBe(0);
});

scenario("inbound", "does not serve the probe protocol", "`challenge_failed`, with the reason", async (version) => {
  using go = await GoPartner.start(version, "-no-probe", lyon.address);
  await go.event("far_end_closed");
  await until("a row", () => refusalsOf(go).length > 0);
  expect(refusalsOf(go)).toEqual([
    { reason: "challenge_failed", message: "bandwidth challenge failed: the peer does not speak /opencloud/probe/1.0" },
  ]);
});

scenario(
  "inbound",
  "does not serve the probe protocol, under `p2p.challenge: prefer`",
  "admitted, `unproven`",
  async (version) => {
    using go = await GoPartner.start(version, "-no-probe", lenient.address);
    expect(await admitted(go, lenient)).toMatchObject({ proven: false });
  },
);

scenario("inbound", "is blacklisted", "closes its stream and refuses its connections", async (version) => {
  using go = await GoPartner.start(version, lyon.address);
  await admitted(go);
  await lyon.publisher.relate(go, "BLACKLIST");
  await go.event("far_end_closed");
  expect(await lyon.daemon.peer(go.peerId)).toMatchObject({ standing: "blacklisted", inbound: null });
});
