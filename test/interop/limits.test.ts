/** Go partners whose resource manager refuses streams, or whose connection manager closes connections. */
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, expect, inject } from "vitest";
import { type Participant, startParticipant } from "../support/participant.ts";
import { GoPartner } from "./support/go-partner.ts";
import { openedAt } from "./support/network.ts";
import { scenario } from "./support/scenario.ts";

/** Long enough for the backoff of a flapping peer. */
const FLAPPING_MS = 60_000;
/** Two for each loss: at most every 8 s, after those that are forgiven. Without that wait there are about 30. */
const MOST_ROWS = 20;
/** Two for each admission: 4 at once and one every 8 s, and one for all that are refused. The loss of the last may be among them. */
const MOST_INBOUND_ROWS = 26;

let lyon: Participant;

beforeAll(async () => {
  if (inject("partners") !== null) lyon = await startParticipant("lyon");
});
afterAll(async () => {
  await lyon?.[Symbol.asyncDispose]();
});

const rowsOf = ({ peerId }: GoPartner) =>
  lyon.daemon.sql("select type, direction, reason from event_log where peer_id = ? order by seq", peerId);
const losses = (go: GoPartner) => rowsOf(go).filter(({ type }) => type === "StreamClosed");

async function established({ peerId }: GoPartner, limitMs = 30_000): Promise<void> {
  await lyon.daemon.until(
    `${peerId} is established`,
    async () => (await lyon.daemon.peer(peerId))?.phase === "established",
    limitMs,
  );
}

scenario(
  "outbound",
  "closes our connection again and again (connection manager)",
  "`connection_lost`, opened again every 8 to 10 s, two rows each",
  async (version) => {
    using go = await GoPartner.start(version, "-keep-peers", "1", "-trims", lyon.peerId);
    using occupant = await GoPartner.start(version, go.address);
    await go.event("registered");
    await lyon.publisher.relate(go, "PARTNER");
    await lyon.daemon.until("a loss", () => losses(go).length > 0, 30_000);
    await delay(FLAPPING_MS);
    expect(rowsOf(go).length).toBeLessThanOrEqual(MOST_ROWS);
    expect(losses(go).length).toBeGreaterThan(3);
    expect(new Set(losses(go).map(({ reason }) => reason))).toEqual(new Set(["connection_lost"]));
    await lyon.daemon.until("status says why", async () => {
      const { phase, lastError } = (await lyon.daemon.peer(go.peerId)) ?? {};
      return phase === "backoff" && lastError?.code === "stream_lost" && lastError.streamEnd === "connection_lost";
    });
    await occupant.kill();
    await established(go);
    const since = await openedAt(lyon, go, "outbound");
    await delay(10_000);
    expect(await openedAt(lyon, go, "outbound")).toBe(since);
  },
);

scenario(
  "inbound",
  "closes its connection to us again and again (connection manager), and dials again",
  "`connection_lost`, admitted every 8 s, then `flapping`, counted",
  async (version) => {
    using go = await GoPartner.start(version, "-keep-peers", "1", "-trims", lyon.peerId, "-redial", "500ms", lyon.address);
    using occupant = await GoPartner.start(version, go.address);
    await occupant.event("sent");
    await lyon.daemon.until("a loss", () => losses(go).length > 0, 30_000);
    await delay(FLAPPING_MS);
    expect(rowsOf(go).length).toBeLessThanOrEqual(MOST_INBOUND_ROWS);
    // Counted by the metric: whether a refusal of a stranger has a row depends on the rows that other strangers cause.
    expect(await lyon.daemon.metric('oc_partnerd_inbound_refused_total{reason="flapping"}')).toBeGreaterThan(0);
    expect(go.count("disconnected")).toBeGreaterThan(3);
    await occupant.kill();
    await lyon.daemon.until("an inbound stream", async () => (await openedAt(lyon, go, "inbound")) !== undefined, 30_000);
  },
);

scenario(
  "outbound",
  "protects our connection when it has too many (connection manager)",
  "stays established",
  async (version) => {
    using go = await GoPartner.start(version, "-keep-peers", "1", "-protects", lyon.peerId);
    await lyon.publisher.relate(go, "PARTNER");
    await established(go);
    const since = await openedAt(lyon, go, "outbound");
    using one = await GoPartner.start(version, go.address);
    using other = await GoPartner.start(version, go.address);
    await lyon.daemon.until("it closes another", () => one.count("far_end_closed") + other.count("far_end_closed") > 0, 30_000);
    await delay(5_000);
    expect(await openedAt(lyon, go, "outbound")).toBe(since);
  },
);

scenario(
  "outbound",
  "has no heartbeat stream left (resource manager)",
  "backs off, established when there is one",
  async (version) => {
    using go = await GoPartner.start(version, "-max-streams", "heartbeat=1");
    using occupant = await GoPartner.start(version, go.address);
    await go.event("registered");
    await lyon.publisher.relate(go, "PARTNER");
    await lyon.daemon.until("a failure", async () => (await lyon.daemon.peer(go.peerId))?.lastError != null, 30_000);
    await occupant.kill();
    await established(go);
  },
);

scenario(
  "inbound",
  "has no stream left for our challenge (resource manager)",
  "`challenge_failed`, with the reason",
  async (version) => {
    using go = await GoPartner.start(version, "-max-streams", "probe=0", lyon.address);
    await go.event("far_end_closed");
    const refusals = "select reason, message from event_log where type = 'InboundRefused' and peer_id = ?";
    await lyon.daemon.until("a row", () => lyon.daemon.sql(refusals, go.peerId).length > 0);
    expect(lyon.daemon.sql(refusals, go.peerId)).toMatchObject([{ reason: "challenge_failed" }]);
  },
);
