/** A log belongs to one PeerID: `run` accepts no other, and creates none in its place. Real processes. */
import { existsSync, renameSync, rmSync, statSync } from "node:fs";
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
    const data = ["--data", daemon.dataDir];
    for (const action of [["show"], ["export", "--out", `${key}.copy`], ["accept"]]) {
      const refused = await runCommand(["identity", ...action, ...data]);
      expectFailure(refused, 78, [peerId, `there is no key at ${key}`, `identity import FILE --data ${daemon.dataDir}\``]);
    }
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
    const restored = await runCommand(["restore", "--data", data, "--from", backup]);
    expect(restored).toMatchObject({ code: 0, stderr: "" });
    const key = join(data, "identity.key");
    expect(restored.stdout).toContain(
      `the daemon will not start yet: the log belongs to ${peerId}, but there is no key at ${key}`,
    );
    expect(restored.stdout).toContain(`identity import FILE --data ${data}\``);
    expectFailure(await runOn(data), 78, [peerId, "there is no key"]);
    expect(existsSync(key)).toBe(false);
  });

  test("runs after a restore of a backup with the key", async () => {
    const { daemon, peerId, key } = await stoppedDaemon();
    await using _daemon = daemon;
    using host = temporaryDirectory();
    const backup = join(host.path, "backup.db");
    const made = await runCommand(["backup", "--data", daemon.dataDir, "--to", backup, "--with-identity"]);
    expect(made).toMatchObject({ code: 0, stderr: "" });
    expect(made.stdout).toContain(`${backup}.identity.key: the private key of ${peerId}; keep it secret`);
    expect(statSync(`${backup}.identity.key`).mode & 0o777).toBe(0o600);
    rmSync(daemon.dataDir, { recursive: true });
    const restored = await runCommand(["restore", "--data", daemon.dataDir, "--from", backup]);
    expect(restored).toMatchObject({ code: 0, stderr: "" });
    expect(restored.stdout).toContain(`identity: ${peerId}, its key was put back as ${key}, from ${backup}.identity.key`);
    await daemon.start("started");
    await daemon.stop();
    expect(daemon.sql("select peer_id from runs")).toEqual([{ peer_id: peerId }, { peer_id: peerId }]);
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

  test("is refused by a probe as the daemon, and the import, run and show name `identity accept`, after which it runs", async () => {
    const { daemon, peerId, key } = await stoppedDaemon();
    await using _daemon = daemon;
    const other = await stoppedDaemon();
    await using _other = other.daemon;
    rmSync(key);
    const data = ["--data", daemon.dataDir];
    const imported = await runCommand(["identity", "import", other.key, ...data]);
    expect(imported).toMatchObject({ code: 0, stderr: "" });
    for (const { stdout } of [imported, await runCommand(["identity", "show", ...data])]) {
      expect(stdout).toContain(`warning: the log belongs to ${peerId}, so the daemon refuses this key`);
      expect(stdout).toContain(`identity accept --data ${daemon.dataDir}\``);
    }
    expect(JSON.parse((await runCommand(["identity", "show", ...data, "--json"])).stdout)).toMatchObject({ logPeerId: peerId });
    const ways = [
      `rename that file to ${key}.${other.peerId} and put the log's key back`,
      `identity accept --data ${daemon.dataDir}\``,
      `identity rotate --data ${daemon.dataDir}\``,
    ];
    expectFailure(await runOn(daemon.dataDir), 78, ways);
    expectFailure(await runCommand(["probe", "/ip4/127.0.0.1/tcp/9", "--as-self", ...data]), 78, [peerId, other.peerId]);
    const accepted = await runCommand(["identity", "accept", ...data]);
    expect(accepted).toMatchObject({ code: 0, stderr: "" });
    expect(accepted.stdout).toMatch(new RegExp(`^${other.peerId} .*\nbefore: ${peerId}\nnext: tell the partners the new PeerID`));
    expect((await runCommand(["identity", "accept", ...data])).stdout).toMatch(/already the identity of/);
    await daemon.start("started");
    await daemon.stop();
    expect(daemon.sql("select peer_id from runs")).toEqual([{ peer_id: peerId }, { peer_id: other.peerId }]);
  });
});

describe.concurrent("a rotated identity", () => {
  test("is refused under a running daemon; afterwards the daemon is the new one, and the old key is kept", async () => {
    const { daemon, peerId, key } = await stoppedDaemon();
    await using _daemon = daemon;
    const rotate = () => runCommand(["identity", "rotate", "--data", daemon.dataDir]);
    await daemon.start("started");
    expectFailure(await rotate(), 69, ["in use by another oc-partnerd"]);
    await daemon.stop();
    const rotated = await rotate();
    expect(rotated).toMatchObject({ code: 0, stderr: "" });
    const next = await identityIn(daemon.dataDir);
    expect(rotated.stdout).toBe(
      `${next} (Ed25519), new key in ${key}\nbefore: ${peerId}, its key is kept as ${key}.${peerId}\n` +
        "next: tell the partners the new PeerID. Until their records name it, they know only the old one\n",
    );
    expect(statSync(`${key}.${peerId}`).mode & 0o777).toBe(0o600);
    await daemon.start("started");
    await daemon.stop();
    expect(daemon.sql("select distinct peer_id from runs order by started_seq")).toEqual([
      { peer_id: peerId },
      { peer_id: next },
    ]);
    expect(daemon.sql("select summary from peer_history where type = 'IdentityChanged'")).toEqual([
      { summary: `our PeerID changed from ${peerId} to ${next} (rotated)` },
    ]);
    expect(await runCommand(["check", "--data", daemon.dataDir])).toMatchObject({ code: 0 });
    renameSync(`${key}.${peerId}`, key);
    expectFailure(await runOn(daemon.dataDir), 78, [peerId, next, key]);
  });

  test("is finished by the next run if the files were not swapped, and withdrawn if there is no row", async () => {
    const { daemon, peerId, key } = await stoppedDaemon();
    await using _daemon = daemon;
    await runCommand(["identity", "rotate", "--data", daemon.dataDir]);
    const next = await identityIn(daemon.dataDir);
    renameSync(key, `${key}.next`);
    renameSync(`${key}.${peerId}`, key);
    await daemon.start("started");
    await daemon.stop();
    expect(daemon.sql("select peer_id from runs")).toEqual([{ peer_id: peerId }, { peer_id: next }]);
    expect(await identityIn(daemon.dataDir)).toBe(next);
    expect([existsSync(`${key}.next`), existsSync(`${key}.${peerId}`)]).toEqual([false, true]);
    renameSync(`${key}.${peerId}`, `${key}.next`);
    await daemon.start("started");
    await daemon.stop();
    expect([existsSync(`${key}.next`), await identityIn(daemon.dataDir)]).toEqual([false, next]);
  });

  test("is not made of a key that is mounted elsewhere", async () => {
    const { daemon, key } = await stoppedDaemon();
    await using _daemon = daemon;
    const env = { OCPARTNERD_IDENTITY_FILE: key };
    const refused = await runCommand(["identity", "rotate", "--data", daemon.dataDir], { env });
    expectFailure(refused, 64, ["identityFile is set", "identity accept --data"]);
  });
});
