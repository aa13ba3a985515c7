/** Go partners that restart, freeze, hang, or whose network fails. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, expect, inject } from "vitest";
import { type Participant, startParticipant } from "../support/participant.ts";
import { startTcpProxy } from "../support/tcp-proxy.ts";
import { GoPartner } from "./support/go-partner.ts";
import { openedAt, through } from "./support/network.ts";
import { scenario } from "./support/scenario.ts";

const directory = mkdtempSync(join(tmpdir(), "oc-partnerd-faults-"));
let lyon: Participant;
/** Fills the window of a far end that does not read within a few heartbeats. */
let verbose: Participant;

beforeAll(async () => {
  if (inject("partners") === null) return;
  lyon = await startParticipant("lyon");
  verbose = await startParticipant("verbose", { did: `did:${"x".repeat(60_000)}` });
});
afterAll(async () => {
  for (const each of [lyon, verbose]) await each?.[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true, force: true });
});

async function phase(go: GoPartner, expected: string, limitMs = 30_000): Promise<void> {
  const { daemon } = lyon;
  await daemon.until(`${go.peerId} is ${expected}`, async () => (await daemon.peer(go.peerId))?.phase === expected, limitMs);
}

const admitted = (go: GoPartner) =>
  lyon.daemon.until("an inbound stream", async () => (await openedAt(lyon, go, "inbound")) !== undefined, 20_000);

const closesOf = ({ peerId }: GoPartner, { daemon } = lyon) =>
  daemon.sql("select direction, reason from event_log where type = 'StreamClosed' and peer_id = ?", peerId);

scenario("outbound", "is killed and starts again", "`connection_lost`, established again within 10 s", async (version) => {
  const keyFile = ["-key-file", join(directory, `${version}.key`)];
  using first = await GoPartner.start(version, ...keyFile);
  await lyon.publisher.relate(first, "PARTNER");
  await phase(first, "established");
  await first.kill();
  await phase(first, "backoff");
  using second = await GoPartner.start(version, ...keyFile, "-listen", `/ip4/127.0.0.1/tcp/${first.port}`);
  await phase(second, "established", 10_000);
  expect(closesOf(second)[0]?.["reason"]).toMatch(/^(connection_lost|reset)$/);
});

scenario("outbound", "freezes (SIGSTOP) and continues", "`expired` after 10 s, established again within 5 s", async (version) => {
  using go = await GoPartner.start(version);
  await lyon.publisher.relate(go, "PARTNER");
  await phase(go, "established");
  go.send("SIGSTOP");
  await lyon.daemon.until("the stream expires", () => closesOf(go).length > 0, 20_000);
  expect(closesOf(go)).toEqual([{ direction: "outbound", reason: "expired" }]);
  go.send("SIGCONT");
  await phase(go, "established", 5_000);
});

scenario("inbound", "freezes (SIGSTOP) and continues", "`expired` after 10 s, admitted again when it dials", async (version) => {
  using go = await GoPartner.start(version, "-redial", "500ms", lyon.address);
  await admitted(go);
  go.send("SIGSTOP");
  await lyon.daemon.until("the stream expires", () => closesOf(go).length > 0, 20_000);
  expect(closesOf(go)).toEqual([{ direction: "inbound", reason: "expired" }]);
  go.send("SIGCONT");
  await go.event("far_end_closed");
  await admitted(go);
});

scenario(
  "outbound",
  "is cut off: its network forgets the connection",
  "`expired` after 10 s, established again",
  async (version) => {
    using go = await GoPartner.start(version);
    await using proxy = await startTcpProxy(go.port);
    await lyon.publisher.relate(through(proxy.port, go), "PARTNER");
    await phase(go, "established");
    proxy.forget();
    await lyon.daemon.until("the stream expires", () => closesOf(go).length > 0, 20_000);
    expect(closesOf(go)).toEqual([{ direction: "outbound", reason: "expired" }]);
    await phase(go, "established", 10_000);
  },
);

scenario("outbound", "has a slow network: 400 ms each way", "established, heartbeats", async (version) => {
  using go = await GoPartner.start(version);
  await using proxy = await startTcpProxy(go.port, 400);
  await lyon.publisher.relate(through(proxy.port, go), "PARTNER");
  await go.heartbeats(3);
  expect(closesOf(go)).toEqual([]);
});

scenario("outbound", "has a network that pauses for 6 s", "stays established", async (version) => {
  using go = await GoPartner.start(version);
  await using proxy = await startTcpProxy(go.port);
  await lyon.publisher.relate(through(proxy.port, go), "PARTNER");
  await go.heartbeats(1);
  proxy.pause();
  await delay(6_000);
  proxy.resume();
  await go.heartbeats(4);
  expect(closesOf(go)).toEqual([]);
});

scenario("inbound", "has a slow network: 400 ms each way", "challenged, admitted", async (version) => {
  await using proxy = await startTcpProxy(lyon.daemon.p2pPort, 400);
  using go = await GoPartner.start(version, through(proxy.port, lyon).address);
  await admitted(go);
  await go.event("sent", ({ count }) => count === 4);
  expect(closesOf(go)).toEqual([]);
});

scenario(
  "inbound",
  "is cut off: its network forgets the connection",
  "`expired` after 10 s, another connection is admitted",
  async (version) => {
    const keyFile = ["-key-file", join(directory, `cut-off-${version}.key`)];
    await using proxy = await startTcpProxy(lyon.daemon.p2pPort);
    using go = await GoPartner.start(version, ...keyFile, through(proxy.port, lyon).address);
    await admitted(go);
    proxy.forget();
    await lyon.daemon.until("the stream expires", () => closesOf(go).length > 0, 20_000);
    expect(closesOf(go)).toEqual([{ direction: "inbound", reason: "expired" }]);
    using again = await GoPartner.start(version, ...keyFile, through(proxy.port, lyon).address);
    await admitted(again);
  },
);

scenario("inbound", "has a network that pauses for 6 s", "stays open", async (version) => {
  await using proxy = await startTcpProxy(lyon.daemon.p2pPort);
  using go = await GoPartner.start(version, through(proxy.port, lyon).address);
  await admitted(go);
  const since = await openedAt(lyon, go, "inbound");
  proxy.pause();
  await delay(6_000);
  proxy.resume();
  await delay(3_000);
  expect(await openedAt(lyon, go, "inbound")).toBe(since);
});

scenario(
  "outbound",
  "stops reading our heartbeats, while its muxer answers",
  "`unread` once 256 KiB wait, opened again",
  async (version) => {
    using go = await GoPartner.start(version, "-accept", "hang");
    await verbose.publisher.relate(go, "PARTNER");
    await verbose.daemon.until("the stream is closed", () => closesOf(go, verbose).length > 0, 60_000);
    expect(closesOf(go, verbose)).toEqual([{ direction: "outbound", reason: "unread" }]);
  },
);
