/** The commands as a user types them, against a daemon and against none. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { version } from "../../src/base/version.ts";
import { matching } from "../support/matchers.ts";
import { type Participant, startParticipants } from "../support/participant.ts";
import { peerIdOfSeed } from "../support/peer-ids.ts";
import { isEstablished, whenPeer } from "../support/peer-watch.ts";
import { expectFailure, runCommand } from "../support/run-command.ts";

/** Discard: nobody listens there. */
const NOBODY = "127.0.0.1:9";

describe.concurrent("help and usage", () => {
  test.each(["run", "status", "peers", "publish", "setup", "check", "backup", "restore", "demo"])(
    "%s --help has examples",
    async (command) => {
      const { code, stdout, stderr } = await runCommand([command, "--help"]);
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
      expect(stdout).toContain(`Usage: oc-partnerd ${command}`);
      expect(stdout).toMatch(new RegExp(`\\nExamples:\\n(?:.*\\n)*? {2}.*oc-partnerd ${command}`));
    },
  );

  test("--help lists the commands", async () => {
    const { code, stdout } = await runCommand(["--help"]);
    expect(code).toBe(0);
    for (const command of ["run", "status", "peers", "publish", "setup", "check", "backup", "restore", "demo"])
      expect(stdout).toMatch(new RegExp(`^ {2}${command}\\b`, "m"));
  });

  test("--version", async () => {
    expect(await runCommand(["--version"])).toEqual({ code: 0, signal: null, stdout: `${version}\n`, stderr: "" });
  });

  test.each([
    ["an unknown command", ["rum"], "unknown command 'rum'"],
    ["an unknown flag", ["run", "--datta", "x"], "unknown option '--datta'\n(Did you mean --data?)"],
    ["a flag without its value", ["run", "--data"], "--data <dir>"],
    ["an argument too many", ["status", "lyon-1"], "too many arguments"],
    ["no peer to publish", ["publish"], "missing required argument 'peer'"],
  ])("%s is exit code 64", async (_, args, message) => {
    const { code, stdout, stderr } = await runCommand(args);
    expect({ code, stdout }).toEqual({ code: 64, stdout: "" });
    expect(stderr).toContain(message);
    expect(stderr).toContain("oc-partnerd --help");
  });

  test("no command at all is exit code 64 and shows the help", async () => {
    const { code, stderr } = await runCommand([]);
    expect(code).toBe(64);
    expect(stderr).toContain("Usage: oc-partnerd");
  });
});

describe.concurrent("where nobody answers", () => {
  test.each(["status", "peers"])("%s is exit code 69 and names the daemon", async (command) => {
    expectFailure(await runCommand([command, "--http", NOBODY]), 69, [`http://${NOBODY}`, "oc-partnerd run", "--http"]);
  });

  test("publish is exit code 69 and names the server", async () => {
    const address = `/ip4/127.0.0.1/tcp/4011/p2p/${await peerIdOfSeed(1)}`;
    expectFailure(await runCommand(["publish", address, "--nats", `nats://${NOBODY}`]), 69, [NOBODY]);
  });

  test("publish of what is no peer is exit code 64", async () => {
    expectFailure(await runCommand(["publish", "lyon-1", "--nats", `nats://${NOBODY}`]), 64, ['"lyon-1"', "PeerID"]);
  });

  test("publish of a partner without an address is exit code 64", async () => {
    const peerId = await peerIdOfSeed(1);
    expectFailure(await runCommand(["publish", peerId, "--nats", `nats://${NOBODY}`]), 64, [peerId, "address"]);
  });
});

describe("against a daemon", () => {
  const owner = new AsyncDisposableStack();
  let a: Participant;
  let b: Participant;

  beforeAll(async () => {
    [a, b] = await startParticipants(owner, ["a", "b"]);
  });
  afterAll(() => owner.disposeAsync());

  const httpOf = ({ daemon }: Participant) => ["--http", new URL(daemon.httpUrl).host];
  const publish = (...args: string[]) => runCommand(["publish", ...args, "--nats", a.nats.url]);

  test("publish, status and peers tell one story", async () => {
    const empty = await runCommand(["status", ...httpOf(a)]);
    expect(empty).toMatchObject({ code: 0, stderr: "" });
    expect(empty.stdout).toMatch(/^No peer is desired or seen yet/);

    const published = await publish(b.address, "--name", "lyon-1");
    expect(published).toMatchObject({ code: 0, stderr: "" });
    expect(published.stdout).toMatch(/^published to CREATE_RESOURCE at 127\.0\.0\.1:\d+: \{.*\}\n$/);
    await whenPeer(a.daemon, b.peerId, "its stream stands", isEstablished, 5_000);

    const status = await runCommand(["status", ...httpOf(a)]);
    expect(status).toMatchObject({ code: 0, stderr: "" });
    expect(status.stdout).toMatch(/^PEER +NAME +DESIRED +OUTBOUND +INBOUND +SINCE +NEXT +REASON\n/);
    expect(status.stdout).toMatch(
      new RegExp(`^…${b.peerId.slice(-10)} +lyon-1 +PARTNER +established +- +.*expires in \\d+ s`, "m"),
    );
    expect(status.stdout).toContain(`a ${a.peerId}, version ${version}, up `);
    expect(status.stdout).toContain("1 of 1 partners established\nready\n");

    const json = JSON.parse((await runCommand(["status", "--json", ...httpOf(a)])).stdout) as Record<string, unknown>;
    expect(json).toMatchObject({
      self: await a.daemon.self(),
      health: { status: "ok" },
      peers: [{ peerId: b.peerId, name: "lyon-1" }],
    });

    const peers = await runCommand(["peers", ...httpOf(a)]);
    expect(peers).toMatchObject({ code: 0, stdout: matching(/^PEER .*\n…\S+ +lyon-1 /) });
    const detail = await runCommand(["peers", b.peerId, ...httpOf(a)]);
    expect(detail.stdout).toMatch(new RegExp(`^peer +${b.peerId}$`, "m"));
    expect(detail.stdout).toMatch(/^\d+ +\S+Z +StreamOpened +outbound +oc-partnerd$/m);
    expect(JSON.parse((await runCommand(["peers", b.peerId, "--json", ...httpOf(a)])).stdout)).toMatchObject({
      peerId: b.peerId,
      history: [{ type: "StreamOpened" }, { type: "PeerDesired" }],
    });

    expect(await publish(b.peerId, "--relation", "NONE")).toMatchObject({ code: 0 });
    await whenPeer(
      a.daemon,
      b.peerId,
      "its stream is gone",
      (peer) => peer?.relation === "NONE" && peer.outbound === null,
      1_000,
    );
    expect(await publish(b.peerId, "--remove")).toMatchObject({
      code: 0,
      stdout: matching(/^published to REMOVE_RESOURCE/),
    });
    await whenPeer(a.daemon, b.peerId, "it is removed", (peer) => peer?.relation === "REMOVED", 1_000);
  });

  test("peers of somebody unknown, and of what is no PeerID, is exit code 64", async () => {
    const stranger = await peerIdOfSeed(1);
    expectFailure(await runCommand(["peers", stranger, ...httpOf(a)]), 64, [stranger, "neither desired nor seen"]);
    expectFailure(await runCommand(["peers", "lyon-1", ...httpOf(a)]), 64, ["lyon-1", "not a PeerID"]);
  });
});
