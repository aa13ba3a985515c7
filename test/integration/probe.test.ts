/** `oc-partnerd probe` as a process, against real daemons and other programs. */
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { temporaryDirectory } from "../store/support/temporary-store.ts";
import { DaemonProcess } from "../support/daemon-process.ts";
import { startParticipants } from "../support/participant.ts";
import { isEstablished, whenPeer } from "../support/peer-watch.ts";
import { expectFailure, runCommand } from "../support/run-command.ts";
import { closedPort, listenSilently } from "../support/tcp-listener.ts";

/** Nothing listens there: the daemon serves partners all the same. */
const NATS = { url: "nats://127.0.0.1:9" };
const LOOPBACK = { OCPARTNERD_P2P_DIAL_ALLOW: "127.0.0.0/8" };

const owner = new AsyncDisposableStack();
let directory: string;
let open: DaemonProcess;
let closed: DaemonProcess;
let address: string;

/** A swarm key file whose key is this hexadecimal digit, repeated. */
function swarmKey(digit: string): string {
  const path = join(directory, `${digit}.key`);
  writeFileSync(path, `/key/swarm/psk/1.0.0/\n/base16/\n${digit.repeat(64)}\n`);
  return path;
}

beforeAll(async () => {
  directory = owner.use(temporaryDirectory()).path;
  const start = async (p2p: object) => owner.use(await DaemonProcess.start({ config: { nats: NATS, p2p }, until: "started" }));
  [open, closed] = await Promise.all([start({}), start({ pskFile: swarmKey("a") })]);
  address = (await open.self()).addresses[0] ?? "";
});
afterAll(() => owner.disposeAsync());

interface ProbeOutput {
  readonly works: boolean;
  readonly identity: string;
  readonly steps: readonly {
    readonly step: string;
    readonly mark: string;
    readonly message: string;
    readonly advice: string | null;
  }[];
}

async function probe(target: string, env: Readonly<Record<string, string>> = {}, ...flags: readonly string[]) {
  const { code, stdout, stderr } = await runCommand(["probe", target, "--json", "--timeout", "5s", ...flags], {
    env: { ...LOOPBACK, ...env },
    cwd: directory,
  });
  expect([0, 1], stderr).toContain(code);
  const output = JSON.parse(stdout) as ProbeOutput;
  expect(code).toBe(output.works ? 0 : 1);
  return { ...output, last: output.steps.at(-1) };
}

describe("a daemon", () => {
  test("passes every step with its defaults, and the probe leaves no files", async () => {
    const { works, identity, steps } = await probe(address);
    expect(steps.map(({ step, mark }) => `${step} ${mark}`)).toEqual(
      "address dial_policy tcp psk noise muxer identify protocols heartbeat challenge echo"
        .split(" ")
        .map((step) => `${step} ok`),
    );
    expect({ works, identity }).toEqual({ works: true, identity: "throwaway" });
    expect(existsSync(join(directory, "oc-partnerd-data"))).toBe(false);
  });

  test("prints one line for each step, in plain ASCII without a UTF-8 locale", async () => {
    const { code, stdout } = await runCommand(["probe", address], { env: { ...LOOPBACK, LC_ALL: "C" } });
    expect(code).toBe(0);
    expect(stdout.match(/^ok {3}\S/gm)).toHaveLength(11);
    expect(stdout).toMatch(/^[ -~\n]+$/);
  });

  test("that is at the address of another peer: says which one it is", async () => {
    const other = address.replace(/[^/]+$/, "12D3KooWLrYpZzrwDmMMgvG3qFvMi4yxqxZcGBUd1pUTVTsKoXxh");
    const { last } = await probe(other);
    expect(last).toMatchObject({ step: "noise", mark: "fault", found: (await open.self()).peerId });
  });

  test.each([
    [
      "no key here",
      undefined, // A reset can take the first bytes back.
      "the far end (seems to have a pre-shared key, this side has none|closes the connection before the handshake)",
    ],
    ["another key here", "b", "perhaps its pre-shared key differs|another pre-shared key"],
  ])("with a pre-shared key, and %s", async (_, digit, message) => {
    const [target = ""] = (await closed.self()).addresses;
    const { last } = await probe(target, digit === undefined ? {} : { OCPARTNERD_P2P_PSK_FILE: swarmKey(digit) });
    expect(last).toMatchObject({ step: "psk", mark: "fault", advice: expect.stringContaining("p2p.pskFile") as string });
    expect(last?.message).toMatch(new RegExp(message));
  });

  test("with the same pre-shared key", async () => {
    const [target = ""] = (await closed.self()).addresses;
    expect(await probe(target, { OCPARTNERD_P2P_PSK_FILE: swarmKey("a") })).toMatchObject({ works: true });
  });
});

describe("another program", () => {
  test.each([
    ["is silent", "", "sends nothing"],
    ["greets", "SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n", "does not speak libp2p"],
    ["is a MySQL server", "\x4a\0\0\0\x0a8.0.36\0\x0b\0\0\0\x1d\x4e\x03\x7f\x59\x2e\x11", "does not speak libp2p"],
    ["speaks HTTP", "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n", "does not speak libp2p"],
  ])("that %s", async (_, greeting, message) => {
    const port = await listenSilently(owner, greeting);
    const { last } = await probe(`/ip4/127.0.0.1/tcp/${port}`, {}, "--timeout", "1s");
    expect(last).toMatchObject({ step: "psk", mark: "fault", message: expect.stringContaining(message) as string });
  });

  test("that has gone", async () => {
    const { last } = await probe(`/ip4/127.0.0.1/tcp/${await closedPort()}`);
    expect(last).toMatchObject({ step: "tcp", mark: "fault", message: expect.stringContaining("connection refused") as string });
  });
});

test("an unhandled rejection is shown on standard error, and the report is complete", async () => {
  const reject = "setImmediate(() => Promise.reject(new Error('a stray rejection')))";
  const atListener = `process.on("newListener", (name) => { if (name === "unhandledRejection") ${reject}; });`;
  const { code, stdout, stderr } = await runCommand(["probe", address, "--json"], {
    env: { ...LOOPBACK, NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(atListener)}` },
    cwd: directory,
  });
  expect({ code, works: (JSON.parse(stdout) as ProbeOutput).works }).toEqual({ code: 0, works: true });
  expect(stderr).toMatch(/^oc-partnerd: internal error: .*a stray rejection\n/);
});

describe("an address", () => {
  test("that the dial policy denies is not dialled, whatever the flags", async () => {
    const { last } = await probe(address, { OCPARTNERD_P2P_DIAL_ALLOW: "" });
    expect(last).toMatchObject({
      step: "dial_policy",
      mark: "fault",
      message: expect.stringMatching(/may not be dialled: it is a loopback address, and .* on loopback alone$/) as string,
      advice: expect.stringMatching(/^add 127\.0\.0\.1:\d+ to p2p\.dial\.allow to permit it$/) as string,
    });
  });

  test("that is not TCP", async () => {
    expect((await probe("/ip4/127.0.0.1/udp/4001/quic-v1")).last).toMatchObject({ step: "address", mark: "fault" });
  });

  test("that is not a multiaddr is a usage error", async () => {
    expectFailure(await runCommand(["probe", "127.0.0.1:4011"]), 64, ['"127.0.0.1:4011" is not a multiaddr', "/tcp/"]);
  });
});

describe("with the daemon's identity", () => {
  test("that does not exist: says so, and creates none", async () => {
    expectFailure(await runCommand(["probe", address, "--as-self", "--data", directory]), 78, ["no identity file at"]);
    expect(existsSync(join(directory, "identity.key"))).toBe(false);
  });

  test("a partner that refuses strangers accepts it, while the daemon is stopped", async () => {
    await using participants = new AsyncDisposableStack();
    const [lyon, paris] = await startParticipants(participants, ["lyon", "paris"], { p2p: { inbound: "partners" } });
    await lyon.publisher.relate(paris, "PARTNER");
    await paris.publisher.relate(lyon, "PARTNER");
    await whenPeer(lyon.daemon, paris.peerId, "the stream is open", isEstablished, 20_000);
    const stranger = await probe(paris.address);
    expect(stranger.steps.find(({ step }) => step === "heartbeat")).toMatchObject({
      mark: "fault",
      advice: expect.stringContaining("--as-self") as string,
    });
    const asLyon = ["--as-self", "--config", lyon.daemon.configFile];
    const running = await runCommand(["probe", paris.address, ...asLyon], { env: LOOPBACK });
    expectFailure(running, 69, [lyon.daemon.dataDir, "in use by the daemon", "stop the daemon first"]);
    await lyon.daemon.stop();
    expect(await probe(paris.address, {}, ...asLyon)).toMatchObject({
      works: true,
      identity: "self",
    });
  });
});
