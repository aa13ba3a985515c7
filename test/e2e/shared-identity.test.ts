/** Two programs with one identity: the far end takes them for one peer, and keeps the newer of two partner streams. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { generateKeyPairFromSeed } from "@libp2p/crypto/keys";
import { multiaddr } from "@multiformats/multiaddr";
import { expect, onTestFinished, test } from "vitest";
import { exportedKey } from "../../src/identity/key-formats.ts";
import { temporaryDirectory } from "../store/support/temporary-store.ts";
import { DaemonProcess } from "../support/daemon-process.ts";
import { startParticipant } from "../support/participant.ts";
import { startTestNode } from "../support/partner-host.ts";
import { isEstablished, whenPeer } from "../support/peer-watch.ts";
import { runCommand } from "../support/run-command.ts";

const SEED = 77;

/** A data directory into which the key was imported as an operator would. */
async function dataDirectoryWithTheKey(): Promise<string> {
  const directory = temporaryDirectory();
  onTestFinished(() => directory[Symbol.dispose]());
  const data = join(directory.path, "data");
  const file = join(directory.path, "node.pem");
  writeFileSync(file, exportedKey(await generateKeyPairFromSeed("Ed25519", new Uint8Array(32).fill(SEED)), "pem"));
  const imported = await runCommand(["identity", "import", file, "--data", data]);
  expect(imported, imported.stderr).toMatchObject({ code: 0 });
  return data;
}

const closes = (daemon: DaemonProcess, reason: string) =>
  daemon.count("select count(*) from event_log where type = 'StreamClosed' and reason = ?", reason);

test("two daemons take turns: each new stream replaces the other's, and neither stays established", async () => {
  await using partner = await startParticipant("partner");
  await using one = await startParticipant("one", { data: await dataDirectoryWithTheKey() });
  await using other = await DaemonProcess.start({
    config: { name: "other", data: await dataDirectoryWithTheKey(), nats: { url: one.nats.url } },
  });
  expect((await other.self()).peerId).toBe(one.peerId);
  await one.publisher.relate(partner, "PARTNER");
  await partner.daemon.until("streams were replaced", () => closes(partner.daemon, "replaced") >= 4, 60_000);
  await one.daemon.until("both lost streams", () => closes(one.daemon, "reset") >= 2 && closes(other, "reset") >= 2);
  const opened = partner.daemon.count("select count(*) from event_log where type = 'StreamOpened'");
  const closed = partner.daemon.count("select count(*) from event_log where type = 'StreamClosed'");
  expect(opened - closed).toBeLessThanOrEqual(1);
});

test("a program without partner streams does not disturb the daemon that shares its identity", async () => {
  await using partner = await startParticipant("partner");
  await using one = await startParticipant("one", { data: await dataDirectoryWithTheKey() });
  await one.publisher.relate(partner, "PARTNER");
  const first = await whenPeer(one.daemon, partner.peerId, "the stream is open", isEstablished, 10_000);
  await using node = await startTestNode(SEED);
  expect(node.peerId).toBe(one.peerId);
  const connection = await node.node.dial(multiaddr(partner.address));
  const expiresAt = (sighting: typeof first) => Date.parse(sighting.peer?.outbound?.expiresAt ?? "");
  await whenPeer(
    one.daemon,
    partner.peerId,
    "the lease was renewed beside the other's connection",
    (peer) => Date.parse(peer?.outbound?.expiresAt ?? "") > expiresAt(first) + 5_000,
    20_000,
  );
  await connection.close();
  const last = await whenPeer(
    one.daemon,
    partner.peerId,
    "it was renewed after the other had left",
    (peer) => Date.parse(peer?.outbound?.expiresAt ?? "") > expiresAt(first) + 12_000,
    20_000,
  );
  expect(last.peer?.outbound?.openedAt).toBe(first.peer?.outbound?.openedAt);
});
