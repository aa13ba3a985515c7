/** A daemon whose NATS server is down or rejects it: the daemon runs, reports the fault, and recovers by itself. */
import { describe, expect, test } from "vitest";
import { DaemonProcess } from "../support/daemon-process.ts";
import { matching } from "../support/matchers.ts";
import { NatsServer } from "../support/nats-server.ts";
import { bound, paceMs, startStopwatch } from "../support/pace/pace.ts";
import { peerIdOfSeed } from "../support/peer-ids.ts";
import { whenPeer } from "../support/peer-watch.ts";
import { Publisher } from "../support/publisher.ts";
import { runCommand } from "../support/run-command.ts";
import { listenSilently } from "../support/tcp-listener.ts";

const peerId = await peerIdOfSeed(1);
const peer = { peerId, address: `/ip4/127.0.0.1/tcp/9/p2p/${peerId}` };

async function failingChecks(daemon: DaemonProcess): Promise<readonly { name: string; message: string }[]> {
  const { status, body } = await daemon.health("/readyz");
  expect({ status, body: body.status }).toEqual({ status: 503, body: "failing" });
  return body.checks.filter(({ ok }) => !ok);
}

const statusOf = (daemon: DaemonProcess) => runCommand(["status", "--http", new URL(daemon.httpUrl).host]);

/** The first line that nats-server sends to each client. */
const GREETING = 'INFO {"server_id":"x","version":"2.11.0","max_payload":1048576,"proto":1}\r\n';
/** Kubernetes may kill a native sidecar two seconds after SIGTERM. */
const STOP_WITHIN_MS = paceMs(bound(2_000));

/** Servers whose port accepts connections at once, and that never answer. */
const SILENT_SERVERS: readonly (readonly [string, (owner: AsyncDisposableStack) => Promise<number>, string])[] = [
  [
    "is frozen",
    async (owner) => {
      const nats = owner.use(await NatsServer.start());
      await nats.freeze();
      return nats.port;
    },
    "no greeting within 5000 ms",
  ],
  [
    "greets, and is silent from then on",
    (owner) => listenSilently(owner, GREETING),
    "the server did not complete the connection in time",
  ],
];

const becomesReady = (daemon: DaemonProcess) =>
  daemon.until("it is ready", async () => (await daemon.health("/readyz")).status === 200);

describe.concurrent("NATS", () => {
  test("is down at the start, and comes up later", async () => {
    await using nats = await NatsServer.start({ stopped: true });
    await using daemon = await DaemonProcess.start({ config: { nats: { url: nats.url } }, until: "started" });
    await daemon.until(
      "the failure is reported",
      async () => (await failingChecks(daemon))[0]?.message.includes("ECONNREFUSED") === true,
    );
    expect(await failingChecks(daemon)).toMatchObject([
      {
        name: "nats",
        message: matching(new RegExp(`^connecting since \\S+Z: .*127\\.0\\.0\\.1:${nats.port}.*; streams stay open$`)),
      },
    ]);
    expect((await daemon.health("/livez")).status).toBe(200);
    expect((await daemon.health("/startupz")).status).toBe(200);
    const status = await statusOf(daemon);
    expect(status).toMatchObject({ code: 1, stderr: "" });
    expect(status.stdout).toMatch(/NOT READY\n(?: {2}ok .*\n)* {2}FAIL nats: connecting since .*ECONNREFUSED/);

    await nats.start();
    await becomesReady(daemon);
    await using publisher = await Publisher.connect(nats);
    await publisher.relate(peer, "PARTNER");
    await whenPeer(daemon, peerId, "the event is heard", (seen) => seen?.relation === "PARTNER", 2_000);
    expect((await statusOf(daemon)).code).toBe(0);
    expect(await daemon.stop()).toEqual({ code: 0, signal: null });
    expect(daemon.stderr).toBe("");
  });

  test("rejects the password, which is never shown, and accepts it later", async () => {
    const password = "a-secret-that-nobody-prints";
    const withPassword = (accepted: string) => `authorization { user: partnerd, password: "${accepted}" }`;
    await using nats = await NatsServer.start({ config: withPassword("another") });
    const config = { nats: { url: nats.url, user: "partnerd", password } };
    await using daemon = await DaemonProcess.start({ config, until: "started" });
    await daemon.until(
      "the rejection is reported",
      async () => (await failingChecks(daemon))[0]?.message.includes("refused the credentials") === true,
    );
    expect(await failingChecks(daemon)).toMatchObject([{ name: "nats" }]);
    const status = await statusOf(daemon);
    expect(status).toMatchObject({ code: 1, stdout: matching(/authorization violation/) });

    nats.configure(withPassword(password));
    nats.reload();
    await becomesReady(daemon);
    const shown = [
      JSON.stringify(daemon.logLines()),
      daemon.stderr,
      status.stdout,
      await (await daemon.fetch("/metrics")).text(),
    ];
    for (const text of shown) expect(text).not.toContain(password);
  });

  test("changes the password while the daemon reads a stream: it reconnects and misses nothing", async () => {
    const accounts = (password: string) =>
      `accounts { A: { jetstream: enabled, users: [{ user: partnerd, password: "${password}" }, { user: admin, password: a }] } }`;
    await using nats = await NatsServer.start({ jetStream: true, config: accounts("first") });
    await using publisher = await Publisher.connect(nats, { user: "admin", pass: "a" });
    const credentials = { OCPARTNERD_NATS_USER: "admin", OCPARTNERD_NATS_PASSWORD: "a" };
    expect(await runCommand(["setup", "--nats", nats.url], { env: credentials })).toMatchObject({ code: 0, stderr: "" });
    const config = { nats: { url: nats.url, mode: "jetstream", user: "partnerd", password: "first" } } as const;
    await using daemon = await DaemonProcess.start({ config });
    await publisher.relate(peer, "PARTNER");
    await whenPeer(daemon, peerId, "the first event is heard", (seen) => seen?.relation === "PARTNER", 2_000);

    await nats.reconfigure(accounts("second"));
    // It stays ready until the server closes its connection.
    await daemon.until("the refusal is told", async () => {
      const { checks } = (await daemon.health("/readyz")).body;
      return checks.some(({ name, message }) => name === "nats" && message.includes("refused the credentials"));
    });
    await using another = await Publisher.connect(nats, { user: "admin", pass: "a" });
    await another.relate(peer, "NONE");
    await nats.reconfigure(accounts("first"));
    await becomesReady(daemon);
    await whenPeer(daemon, peerId, "the event of between is heard", (seen) => seen?.relation === "NONE", 2_000);
    expect(daemon.count("select count(*) from event_log where stream_sequence is not null and type = 'PeerDesired'")).toBe(2);
  });

  test("denies a subject: this is reported, and no event on another subject is lost", async () => {
    const user = (permissions: string) =>
      `authorization { users: [{ user: u, password: p, permissions: { ${permissions} } }, { user: admin, password: a }] }`;
    await using nats = await NatsServer.start({ config: user("subscribe: { deny: CREATE_RESOURCE }") });
    await using daemon = await DaemonProcess.start({
      config: { nats: { url: nats.url, user: "u", password: "p" } },
      until: "started",
    });
    await daemon.until(
      "the denial is reported",
      async () => (await failingChecks(daemon))[0]?.message.includes("CREATE_RESOURCE") === true,
    );
    expect(await failingChecks(daemon)).toMatchObject([{ name: "nats", message: matching(/not subscribed/) }]);
    await using publisher = await Publisher.connect(nats, { user: "admin", pass: "a" });
    await publisher.remove(peer);
    await whenPeer(daemon, peerId, "the removal is heard", (seen) => seen?.relation === "REMOVED", 2_000);
  });

  test.each(SILENT_SERVERS)("%s at the start: the daemon says so in time, and stops", async (_, listen, why) => {
    await using owner = new AsyncDisposableStack();
    const port = await listen(owner);
    await using daemon = await DaemonProcess.start({ config: { nats: { url: `nats://127.0.0.1:${port}` } }, until: "started" });
    const report = `NATS at 127.0.0.1:${port}: ${why}`;
    await daemon.until(
      "it says so",
      async () => (await failingChecks(daemon)).some(({ message }) => message.includes(report)),
      bound(12_000),
    );
    expect(await failingChecks(daemon)).toMatchObject([{ name: "nats" }]);
    expect((await daemon.health("/livez")).status).toBe(200);
    const told = daemon.logLines().filter(({ msg }) => msg === "NATS connection problem");
    expect(told).toMatchObject([{ reason: report, state: "connecting", nextStep: matching(/\w/) }]);

    const stopwatch = startStopwatch();
    expect(await daemon.stop()).toEqual({ code: 0, signal: null });
    expect(stopwatch.elapsedMs(), `${stopwatch}`).toBeLessThan(STOP_WITHIN_MS);
    expect(daemon.stderr).toBe("");
  });

  test.each(SILENT_SERVERS)("%s: the daemon stops while it waits for the first answer", async (_, listen) => {
    await using owner = new AsyncDisposableStack();
    const port = await listen(owner);
    await using daemon = await DaemonProcess.start({ config: { nats: { url: `nats://127.0.0.1:${port}` } }, until: "started" });
    const stopwatch = startStopwatch();
    expect(await daemon.stop()).toEqual({ code: 0, signal: null });
    expect(stopwatch.elapsedMs(), `${stopwatch}`).toBeLessThan(STOP_WITHIN_MS);
    expect(daemon.count("select count(*) from event_log where type = 'DaemonStopped'")).toBe(1);
  });
});
