/** `oc-partnerd run` when it cannot start: one clear message, the right exit code, and nothing left behind. */
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { systemClock } from "../../src/base/clock.ts";
import { natsAnswers } from "../../src/nats/connection/tls-first.ts";
import { openStore } from "../../src/store/store.ts";
import { append, desired } from "../store/support/events.ts";
import { rawConnection, temporaryDirectory } from "../store/support/temporary-store.ts";
import { DaemonProcess } from "../support/daemon-process.ts";
import { PEER_A } from "../support/peers.ts";
import { type CommandResult, expectFailure, runCommand } from "../support/run-command.ts";

/** Nothing listens there. The daemon waits patiently for NATS, so that only the fault under test makes it fail. */
const NATS = "nats://127.0.0.1:9";

/** Starts `run` with everything in `directory` and on free ports, unless `flags` and `env` say otherwise. */
function run(directory: string, flags: readonly string[] = [], env: Record<string, string> = {}): Promise<CommandResult> {
  const usual = ["--data", join(directory, "data"), "--listen", "/ip4/127.0.0.1/tcp/0", "--http", "127.0.0.1:0"];
  return runCommand(["run", ...usual.filter((_, index) => !flags.includes(usual[index - (index % 2)] ?? "")), ...flags], {
    env: { OCPARTNERD_NATS_URL: NATS, ...env },
    cwd: directory,
  });
}

async function occupyPort(): Promise<{ readonly port: number } & AsyncDisposable> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return { port, [Symbol.asyncDispose]: () => new Promise((resolve) => server.close(() => resolve())) };
}

function dataDirectory(directory: string): string {
  const data = join(directory, "data");
  mkdirSync(data, { mode: 0o700 });
  return data;
}

describe.concurrent("the data directory", () => {
  test("cannot be created", async () => {
    using directory = temporaryDirectory();
    const file = join(directory.path, "a-file");
    writeFileSync(file, "");
    expectFailure(await run(directory.path, ["--data", join(file, "data")]), 74, [
      "data directory",
      join(file, "data"),
      "--data",
    ]);
  });

  test("belongs to a running daemon, whose log stays unchanged", async () => {
    using directory = temporaryDirectory();
    await using daemon = await DaemonProcess.start({ config: { nats: { url: NATS } }, until: "started" });
    const rows = () => daemon.count("select count(*) from event_log");
    const before = rows();
    expectFailure(await run(directory.path, ["--data", daemon.dataDir]), 69, [daemon.dataDir, "another oc-partnerd", "--data"]);
    expect(rows()).toBe(before);
    expect((await daemon.health("/livez")).status).toBe(200);
  });

  test("holds a key that other users can read", async () => {
    using directory = temporaryDirectory();
    const key = join(dataDirectory(directory.path), "identity.key");
    writeFileSync(key, "");
    chmodSync(key, 0o644);
    expectFailure(await run(directory.path), 78, [key, "0644", `chmod 600 ${key}`]);
  });

  test("holds an invalid key", async () => {
    using directory = temporaryDirectory();
    const key = join(dataDirectory(directory.path), "identity.key");
    writeFileSync(key, "not a key", { mode: 0o600 });
    expectFailure(await run(directory.path), 78, [key, "backup"]);
  });

  test("holds a database of a newer oc-partnerd, which stays unchanged", async () => {
    using directory = temporaryDirectory();
    const data = dataDirectory(directory.path);
    openStore({ directory: data, clock: systemClock })[Symbol.dispose]();
    using raw = rawConnection(join(data, "oc-partnerd.db"));
    const versionOf = () => Number(raw.database.prepare("select count(*) from __drizzle_migrations").pluck().get());
    const known = versionOf();
    raw.database.exec("insert into __drizzle_migrations (hash, created_at) values ('of-the-future', 4102444800000)");
    const versions = [`schema version ${known + 1}`, `schema version ${known}`];
    expectFailure(await run(directory.path), 78, ["oc-partnerd.db", ...versions, "--data"]);
    expect(versionOf()).toBe(known + 1);
  });

  test("holds a log in which a revoked peer was made a partner without an event; nothing is written", async () => {
    using directory = temporaryDirectory();
    const data = dataDirectory(directory.path);
    const store = openStore({ directory: data, clock: systemClock });
    append(store, desired({ peerId: PEER_A, relation: "NONE", standing: "revoked" }));
    store[Symbol.dispose]();
    using raw = rawConnection(join(data, "oc-partnerd.db"));
    raw.database.exec("update desired_peer set standing = 'partner'");
    const refused = [`desired_peer ${PEER_A}`, 'standing is "partner", the replay gives "revoked"', "restore --from-jetstream"];
    expectFailure(await run(directory.path), 74, refused);
    expectFailure(await runCommand(["reinterpret", "--data", data]), 74, refused);
    expect(raw.database.prepare("select count(*) from event_log").pluck().get()).toBe(1);
  });

  test("holds a file that is not a database", async () => {
    using directory = temporaryDirectory();
    writeFileSync(
      join(dataDirectory(directory.path), "oc-partnerd.db"),
      "This is not SQLite, whatever its name says.\n".repeat(50),
    );
    expectFailure(await run(directory.path), 74, ["oc-partnerd.db", "not a database", "backup"]);
  });
});

describe.concurrent("an address", () => {
  test("has an HTTP port that is in use", async () => {
    using directory = temporaryDirectory();
    await using taken = await occupyPort();
    const result = await run(directory.path, ["--http", `127.0.0.1:${taken.port}`]);
    expectFailure(result, 69, [`http 127.0.0.1:${taken.port}`, "in use", "--http"]);
  });

  test("has a libp2p port that is in use", async () => {
    using directory = temporaryDirectory();
    await using taken = await occupyPort();
    const result = await run(directory.path, ["--listen", `/ip4/127.0.0.1/tcp/${taken.port}`]);
    expectFailure(result, 69, [`/ip4/127.0.0.1/tcp/${taken.port}`, "taken", "--listen"]);
  });

  test("to listen on does not belong to this machine", async () => {
    using directory = temporaryDirectory();
    const result = await run(directory.path, ["--listen", "/ip4/192.0.2.1/tcp/4011"]);
    expectFailure(result, 69, ["/ip4/192.0.2.1/tcp/4011", "--listen"]);
  });

  test.each(["/ip4/127.0.0.1/tcp/x", "127.0.0.1:4011", "/ip4/127.0.0.1/udp/4011/quic-v1"])(
    "%s is nothing to listen on",
    async (address) => {
      using directory = temporaryDirectory();
      expectFailure(await run(directory.path, ["--listen", address]), 78, [
        "listen",
        "flag --listen",
        address,
        "/ip4/0.0.0.0/tcp/4011",
      ]);
    },
  );
});

describe.concurrent("a setting", () => {
  test("is unknown in a file", async () => {
    using directory = temporaryDirectory();
    const file = join(directory.path, "settings.json");
    writeFileSync(file, JSON.stringify({ p2p: { inbund: "partners" } }));
    expectFailure(await run(directory.path, ["--config", file]), 78, ["p2p.inbund", file, 'did you mean "p2p.inbound"?']);
  });

  test("is unknown in the environment", async () => {
    using directory = temporaryDirectory();
    const result = await run(directory.path, [], { OCPARTNERD_NATS_ULR: NATS });
    expectFailure(result, 78, ["environment OCPARTNERD_NATS_ULR", "did you mean OCPARTNERD_NATS_URL?"]);
  });

  test("is wrong in three places, which are all reported", async () => {
    using directory = temporaryDirectory();
    writeFileSync(join(directory.path, "partnerd.json"), JSON.stringify({ log: { level: "loud" } }));
    const result = await run(directory.path, ["--http", "4012"], { OCPARTNERD_P2P_MAX_CONNECTIONS: "many" });
    expectFailure(result, 78, [
      "3 problems",
      'log.level (file ./partnerd.json): "loud"',
      'p2p.maxConnections (environment OCPARTNERD_P2P_MAX_CONNECTIONS): "many"',
      'http (flag --http): "4012" is not HOST:PORT',
    ]);
  });

  test("file is not JSON", async () => {
    using directory = temporaryDirectory();
    writeFileSync(join(directory.path, "partnerd.json"), '{"name": lyon-1}');
    expectFailure(await run(directory.path), 78, ["file ./partnerd.json", "not valid JSON"]);
  });

  test("file does not exist", async () => {
    using directory = temporaryDirectory();
    expectFailure(await run(directory.path, ["--config", "missing.json"]), 78, ["file missing.json", "cannot read it"]);
  });

  test("names a swarm key that does not exist", async () => {
    using directory = temporaryDirectory();
    const result = await run(directory.path, [], { OCPARTNERD_P2P_PSK_FILE: "missing.key" });
    expectFailure(result, 78, ["p2p.pskFile", "missing.key"]);
  });

  test("names an invalid swarm key", async () => {
    using directory = temporaryDirectory();
    writeFileSync(join(directory.path, "swarm.key"), "secret\n");
    const result = await run(directory.path, [], { OCPARTNERD_P2P_PSK_FILE: "swarm.key" });
    expectFailure(result, 78, ["swarm.key", "/key/swarm/psk/1.0.0/"]);
    expect(result.stderr).not.toContain("secret");
  });

  test("names NATS credentials that do not exist", async () => {
    using directory = temporaryDirectory();
    const result = await run(directory.path, [], { OCPARTNERD_NATS_CREDS_FILE: "missing.creds" });
    expectFailure(result, 78, ["missing.creds"]);
  });

  test("is not a NATS URL", async () => {
    using directory = temporaryDirectory();
    expectFailure(await run(directory.path, ["--nats", "http://127.0.0.1:4222"]), 78, ["http"]);
  });
});

test("no NATS server is configured, running or installed", async (context) => {
  context.skip(await natsAnswers("127.0.0.1", 4222, 1_000), "a NATS server listens on 127.0.0.1:4222");
  using directory = temporaryDirectory();
  const flags = ["run", "--data", join(directory.path, "data"), "--listen", "/ip4/127.0.0.1/tcp/0", "--http", "127.0.0.1:0"];
  const result = await runCommand(flags, { env: { NATS_SERVER: "/nowhere/nats-server" }, cwd: directory.path });
  expectFailure(result, 69, ["/nowhere/nats-server", "NATS_SERVER"]);
});
