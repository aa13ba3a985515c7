/** A log belongs to one PeerID: `run` accepts no other, and creates none in its place. Real processes. */
import { existsSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { temporaryDirectory } from "../store/support/temporary-store.ts";
import { DaemonProcess } from "../support/daemon-process.ts";
import { expectFailure, runCommand } from "../support/run-command.ts";

const NATS = "nats://127.0.0.1:9";

/** A daemon that has run once and stopped, and the PeerID that its log belongs to. */
async function stoppedDaemon(): Promise<{ readonly daemon: DaemonProcess; readonly peerId: string; readonly key: string }> {
  const daemon = await DaemonProcess.start({ config: { nats: { url: NATS } }, until: "started" });
  const peerId = await identityIn(daemon.dataDir);
  await daemon.stop();
  return { daemon, peerId, key: join(daemon.dataDir, "identity.key") };
}

async function identityIn(data: string): Promise<string> {
  const { stdout } = await runCommand(["identity", "show", "--data", data, "--json"]);
  return (JSON.parse(stdout) as { peerId: string }).peerId;
}

const runOn = (data: string, ...flags: string[]) =>
  runCommand(["run", "--data", data, "--nats", NATS, "--listen", "/ip4/127.0.0.1/tcp/0", "--http", "127.0.0.1:0", ...flags]);

const rowsOf = (daemon: DaemonProcess) => daemon.count("select count(*) from event_log");

describe.concurrent("a log whose key is gone", () => {
  test("is refused, no key is created, and it runs again with the key put back", async () => {
    const { daemon, peerId, key } = await stoppedDaemon();
    await using _daemon = daemon;
    const before = rowsOf(daemon);
    renameSync(key, `${key}.away`);
    expectFailure(await runOn(daemon.dataDir), 78, [peerId, `there is no key at ${key}`]);
    expect([existsSync(key), rowsOf(daemon)]).toEqual([false, before]);
    renameSync(`${key}.away`, key);
    await daemon.start("started");
    await daemon.stop();
    expect(daemon.sql("select distinct peer_id from runs")).toEqual([{ peer_id: peerId }]);
  });

  test("is refused after a restore on another host", async () => {
    const { daemon, peerId } = await stoppedDaemon();
    await using _daemon = daemon;
    using host = temporaryDirectory();
    const [backup, data] = [join(host.path, "backup.db"), join(host.path, "data")];
    expect(await runCommand(["backup", "--data", daemon.dataDir, "--to", backup])).toMatchObject({ code: 0 });
    expect(await runCommand(["restore", "--data", data, "--from", backup])).toMatchObject({ code: 0 });
    expectFailure(await runOn(data), 78, [peerId, "there is no key"]);
    expect(existsSync(join(data, "identity.key"))).toBe(false);
  });
});

describe.concurrent("a log with the key of another PeerID", () => {
  test("is refused, also if identityFile names the key, and the error names both", async () => {
    const { daemon, peerId, key } = await stoppedDaemon();
    await using _daemon = daemon;
    const other = await stoppedDaemon();
    await using _other = other.daemon;
    const before = rowsOf(daemon);
    expectFailure(await runOn(daemon.dataDir, "--identity-file", other.key), 78, [peerId, other.peerId, other.key]);
    rmSync(key);
    await runCommand(["identity", "import", other.key, "--data", daemon.dataDir]);
    expectFailure(await runOn(daemon.dataDir), 78, [peerId, other.peerId, key]);
    expect(rowsOf(daemon)).toBe(before);
  });
});
