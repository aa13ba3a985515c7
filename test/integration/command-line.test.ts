/** The commands as a user types them, with and without a daemon. */
import { execFile, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { version } from "../../src/base/version.ts";
import { cleanEnv, LAUNCHER } from "../support/daemon-process.ts";
import { matching } from "../support/matchers.ts";
import { type Participant, startParticipants } from "../support/participant.ts";
import { peerIdOfSeed } from "../support/peer-ids.ts";
import { isEstablished, whenPeer } from "../support/peer-watch.ts";
import { expectFailure, runCommand } from "../support/run-command.ts";

const ROOT = join(import.meta.dirname, "../..");

/** The discard port, where nothing listens. */
const NOBODY = "127.0.0.1:9";

describe.concurrent("help and usage", () => {
  test.each(["run", "status", "peers", "publish", "setup", "check", "backup", "restore", "demo"])(
    "%s --help has examples",
    async (command) => {
      const { code, stdout, stderr } = await runCommand([command, "--help"]);
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
      expect(stdout).toContain(`Usage: ${LAUNCHER} ${command}`);
      expect(stdout).toMatch(new RegExp(`\\nExamples:\\n(?:.*\\n)*? {2}.*oc-partnerd ${command}`));
    },
  );

  test("--help lists the commands", async () => {
    const { code, stdout } = await runCommand(["--help"]);
    expect(code).toBe(0);
    for (const command of ["run", "status", "peers", "publish", "setup", "check", "backup", "restore", "demo"])
      expect(stdout).toMatch(new RegExp(`^ {2}${command}\\b`, "m"));
  });

  test("a missing package is one line with the command that installs it", async () => {
    const hide = `import { registerHooks } from "node:module";
      const resolve = (name, context, next) => next(name === "commander" ? "commander-is-missing" : name, context);
      registerHooks({ resolve });`;
    const env = { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(hide)}` };
    const { code, stdout, stderr } = await runCommand(["status"], { env });
    expect({ code, stdout }).toEqual({ code: 69, stdout: "" });
    expect(stderr).toMatch(
      /^oc-partnerd: cannot load a package \(.*commander-is-missing.*\); run 'sh \S+\/scripts\/bootstrap'.*\n$/,
    );
  });

  test("--version", async () => {
    expect(await runCommand(["--version"])).toEqual({ code: 0, signal: null, stdout: `${version}\n`, stderr: "" });
  });

  test.each([
    ["an unknown command", ["rum"], "unknown command rum; did you mean run?", "oc-partnerd --help"],
    ["an unknown option", ["archive", "--befor", "9"], "unknown option --befor; did you mean --before?", "archive --help"],
    ["a missing value", ["run", "--data"], "--data needs a value: --data <dir>, for example --data /var/", "run --help"],
    ["an option for a value", ["run", "--listen", "--nats", "x"], "--listen needs a value: --listen <multiaddr>", "run --help"],
    ["a missing option", ["backup"], "--to is required: --to <file>, for example --to /var/", "backup --help"],
    ["an excess argument", ["status", "lyon-1"], "too many arguments: lyon-1; expected none", "status --help"],
    ["a missing argument", ["publish"], "missing <peer>, for example /ip4/192.0.2.7/tcp/4011/p2p/12D3", "publish --help"],
  ])("%s is exit code 64, with the command's own help", async (_, args, message, help) => {
    expectFailure(await runCommand(args), 64, [message, help]);
  });

  test("an invalid --listen shows the expected form and an example", async () => {
    expectFailure(await runCommand(["run", "--listen", "4011"]), 78, [
      '--listen): "4011" is not a TCP multiaddr; expected /ip4/ADDRESS/tcp/PORT, for example /ip4/0.0.0.0/tcp/4011',
    ]);
  });

  test("redact with empty standard input points to the command before the pipe", async () => {
    const { stderr, code } = await runCommand(["redact", "-"]);
    expect({ stderr, code }).toEqual({
      code: 78,
      stderr:
        "oc-partnerd: standard input is empty, expected a fixture\n  next step: if the command before the pipe failed, correct that first\n",
    });
  });

  test("no command at all is exit code 64 and shows the help", async () => {
    const { code, stderr } = await runCommand([]);
    expect(code).toBe(64);
    expect(stderr).toContain(`Usage: ${LAUNCHER}`);
  });
});

describe.concurrent("if no daemon or server answers", () => {
  test.each(["status", "peers"])("%s is exit code 69 and names the daemon", async (command) => {
    expectFailure(await runCommand([command, "--http", NOBODY]), 69, [
      `http://${NOBODY}`,
      `\`${LAUNCHER} run --http ${NOBODY}\``,
    ]);
  });

  test("publish is exit code 69 and names the server", async () => {
    const address = `/ip4/127.0.0.1/tcp/4011/p2p/${await peerIdOfSeed(1)}`;
    expectFailure(await runCommand(["publish", address, "--nats", `nats://${NOBODY}`]), 69, [
      NOBODY,
      "--nats URL",
      `\`${LAUNCHER} status\``,
    ]);
  });

  test("publish of an invalid peer is exit code 64", async () => {
    expectFailure(await runCommand(["publish", "lyon-1", "--nats", `nats://${NOBODY}`]), 64, ['"lyon-1"', "PeerID"]);
  });

  test("publish of a partner without an address is exit code 64", async () => {
    const peerId = await peerIdOfSeed(1);
    expectFailure(await runCommand(["publish", peerId, "--nats", `nats://${NOBODY}`]), 64, [peerId, "address"]);
  });
});

/** The block of README.md that tells one daemon about another, and for which the user needs jq. */
const [, INTRODUCTION = "", PARIS_HTTP = ""] =
  /```sh\n(nats=[^`]*--http ([\d.:]+) [^`]*)```/.exec(readFileSync(join(ROOT, "README.md"), "utf8")) ?? [];

test.skipIf(spawnSync("sh", ["-c", "command -v jq"]).status !== 0)(
  "README.md makes two daemons on one machine partners",
  async () => {
    await using owner = new AsyncDisposableStack();
    const [lyon, paris] = await startParticipants(owner, ["lyon-1", "paris-1"]);
    const [lyonHttp, parisHttp] = [lyon, paris].map(({ daemon }) => new URL(daemon.httpUrl).host);
    const block = INTRODUCTION.replaceAll(PARIS_HTTP, parisHttp ?? "");
    const env = { ...cleanEnv(), OCPARTNERD_HTTP: lyonHttp };
    const { stdout } = await promisify(execFile)("sh", ["-ec", block], { cwd: ROOT, env });
    expect(stdout).toMatch(/^published to CREATE_RESOURCE[\s\S]*\n…\w+ +paris-1 +PARTNER/);
    await whenPeer(lyon.daemon, paris.peerId, "the outbound stream is open", isEstablished, 5_000);
  },
);

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

  test("publish, status and peers agree", async () => {
    const empty = await runCommand(["status", ...httpOf(a)]);
    expect(empty).toMatchObject({ code: 0, stderr: "" });
    expect(empty.stdout.split("\n")[0]).toBe(
      `No peers yet. To try one: ${LAUNCHER} publish MULTIADDR --nats nats://${new URL(a.nats.url).host}`,
    );

    const published = await publish(b.address, "--name", "lyon-1");
    expect(published).toMatchObject({ code: 0, stderr: "" });
    expect(published.stdout).toMatch(/^published to CREATE_RESOURCE at 127\.0\.0\.1:\d+: \{.*\}\n$/);
    await whenPeer(a.daemon, b.peerId, "the outbound stream is open", isEstablished, 5_000);

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
    const shown = JSON.parse((await runCommand(["peers", b.peerId, "--json", ...httpOf(a)])).stdout) as {
      readonly peerId: string;
      readonly history: readonly { readonly type: string }[];
    };
    expect(shown.peerId).toBe(b.peerId);
    // When its program is learnt depends on the machine.
    expect(shown.history.map(({ type }) => type).filter((type) => type !== "PeerLearned")).toEqual([
      "StreamOpened",
      "PeerDesired",
    ]);

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

  test("peers with an unknown or invalid PeerID is exit code 64", async () => {
    const stranger = await peerIdOfSeed(1);
    expectFailure(await runCommand(["peers", stranger, ...httpOf(a)]), 64, [stranger, "no event or stream involves peer"]);
    expectFailure(await runCommand(["peers", "lyon-1", ...httpOf(a)]), 64, ["lyon-1", "not a PeerID"]);
  });
});
