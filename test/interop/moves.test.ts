/** Go partners that restart or move to another address, and our daemon that restarts. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, inject } from "vitest";
import { type Participant, startParticipant } from "../support/participant.ts";
import type { PeerRecord } from "../support/publisher.ts";
import { GoPartner } from "./support/go-partner.ts";
import { openedAt } from "./support/network.ts";
import { scenario } from "./support/scenario.ts";

const directory = mkdtempSync(join(tmpdir(), "oc-partnerd-moves-"));
let lyon: Participant;

beforeAll(async () => {
  if (inject("partners") === null) return;
  lyon = await startParticipant("lyon", { listen: ["/ip4/127.0.0.1/tcp/0", "/ip6/::1/tcp/0"] });
});
afterAll(async () => {
  await lyon?.[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true, force: true });
});

const keyFile = (name: string) => ["-key-file", join(directory, `${name}.key`)] as const;

/** Waits until a stream is open that did not open at `not`, and returns when it opened. */
function opened(
  peer: Pick<PeerRecord, "peerId">,
  direction: "outbound" | "inbound",
  not?: string,
  limitMs = 10_000,
  participant = lyon,
) {
  const look = async () => {
    const time = await openedAt(participant, peer, direction);
    return time !== not && time;
  };
  return participant.daemon.until(`another ${direction} stream of ${peer.peerId}`, look, limitMs);
}

const closesOf = ({ peerId }: Pick<PeerRecord, "peerId">, { daemon } = lyon) =>
  daemon.sql("select direction, reason from event_log where type = 'StreamClosed' and peer_id = ?", peerId);

scenario("outbound", "moves to another port, then its record changes", "established there within 5 s", async (version) => {
  const key = keyFile(`port-${version}`);
  using before = await GoPartner.start(version, ...key);
  await lyon.publisher.relate(before, "PARTNER");
  const first = await opened(before, "outbound");
  await before.kill();
  using after = await GoPartner.start(version, ...key);
  expect(after.port).not.toBe(before.port);
  await lyon.publisher.relate(after, "PARTNER");
  await opened(after, "outbound", first, 5_000);
  await after.heartbeats(1);
});

scenario("outbound", "moves to IPv6, its record before it", "established there within 5 s of its move", async (version) => {
  const key = keyFile(`ip6-${version}`);
  using before = await GoPartner.start(version, ...key);
  using after = await GoPartner.start(version, ...key, "-listen", "/ip6/::1/tcp/0");
  await lyon.publisher.relate(before, "PARTNER");
  await opened(before, "outbound");
  await lyon.publisher.relate(after, "PARTNER");
  await before.kill();
  await after.event("heartbeat");
});

scenario(
  "outbound",
  "has a record that changes to a QUIC address, and dials us after a loss",
  "stays established, `skippedAddresses`; opened over its connection",
  async (version) => {
    const key = keyFile(`quic-${version}`);
    using before = await GoPartner.start(version, ...key);
    await lyon.publisher.relate(before, "PARTNER");
    const first = await opened(before, "outbound");
    const address = `/ip4/127.0.0.1/udp/${before.port}/quic-v1`;
    await lyon.publisher.relate({ peerId: before.peerId, address: `${address}/p2p/${before.peerId}` }, "PARTNER");
    await lyon.daemon.until("it is skipped", async () => (await lyon.daemon.peer(before.peerId))?.skippedAddresses.length === 1);
    expect(await openedAt(lyon, before, "outbound")).toBe(first);
    await before.kill();
    using after = await GoPartner.start(version, ...key, lyon.address);
    await opened(after, "outbound", first);
    await after.heartbeats(1);
  },
);

scenario("inbound", "is killed and starts again", "`connection_lost`, admitted again at once", async (version) => {
  const key = keyFile(`restart-${version}`);
  using before = await GoPartner.start(version, ...key, lyon.address);
  const first = await opened(before, "inbound", undefined, 20_000);
  await before.kill();
  using after = await GoPartner.start(version, ...key, lyon.address);
  await opened(after, "inbound", first, 5_000);
  expect(closesOf(after)).toMatchObject([{ direction: "inbound" }]);
  expect(closesOf(after)[0]?.["reason"]).toMatch(/^(connection_lost|reset)$/);
});

scenario("inbound", "moves to IPv6 while its old connection hangs", "`replaced` at once", async (version) => {
  const key = keyFile(`moves-${version}`);
  const { addresses } = await lyon.daemon.self();
  const ip6 = addresses.find((address) => address.startsWith("/ip6/")) ?? "";
  using before = await GoPartner.start(version, ...key, lyon.address);
  const first = await opened(before, "inbound", undefined, 20_000);
  before.send("SIGSTOP");
  using after = await GoPartner.start(version, ...key, ip6);
  await opened(after, "inbound", first, 5_000);
  expect(closesOf(after)).toEqual([{ direction: "inbound", reason: "replaced" }]);
});

scenario("both", "stays, while our daemon is killed and starts again", "both streams open again within 5 s", async (version) => {
  await using restarting = await startParticipant("restarting");
  using dialled = await GoPartner.start(version);
  using dialling = await GoPartner.start(version, "-redial", "500ms", restarting.address);
  await restarting.publisher.relate(dialled, "PARTNER");
  const outbound = await opened(dialled, "outbound", undefined, 20_000, restarting);
  const inbound = await opened(dialling, "inbound", undefined, 20_000, restarting);
  await restarting.daemon.kill();
  await restarting.daemon.start();
  await Promise.all([
    opened(dialled, "outbound", outbound, 5_000, restarting),
    opened(dialling, "inbound", inbound, 5_000, restarting),
  ]);
  expect(closesOf(dialled, restarting)).toEqual([{ direction: "outbound", reason: "daemon_restart" }]);
});
