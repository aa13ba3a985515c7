import { writeFileSync } from "node:fs";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { nkeys } from "nats";
import { describe, expect, it } from "vitest";
import { type Random, systemClock, systemRandom } from "../../src/base/clock.ts";
import { Secret } from "../../src/base/setting-file.ts";
import type { NatsConfig } from "../../src/nats/connection/config.ts";
import { type NatsStatus, PersistentConnection } from "../../src/nats/connection/connection.ts";
import { temporaryDirectory } from "../store/support/temporary-store.ts";
import { errorWith, matching } from "../support/matchers.ts";
import { NatsServer } from "../support/nats-server.ts";
import { serversAt } from "../support/nats-servers.ts";
import { startStopwatch } from "../support/pace/pace.ts";
import { RecordingLogger } from "../support/recording-logger.ts";
import { until } from "../support/until.ts";

/** Tries servers in the configured order. */
const inOrder: Random = { ...systemRandom, next: () => 0.5 };

function open(config: Partial<NatsConfig>) {
  const logger = new RecordingLogger();
  const history: NatsStatus[] = [];
  const connection = new PersistentConnection(
    { servers: [], name: "test", ...config },
    { clock: systemClock, random: inOrder, logger, onStatusChange: (status) => history.push(status) },
  );
  return {
    connection,
    logger,
    history,
    connected: () => until(`connected (${connection.status().lastError})`, () => connection.status().state === "connected"),
    [Symbol.asyncDispose]: () => connection[Symbol.asyncDispose](),
  };
}

describe.concurrent("a persistent connection", () => {
  it("starts while NATS is down, reports why, and connects when it comes up", async () => {
    await using server = await NatsServer.start({ stopped: true });
    await using link = open({ servers: serversAt(server.url) });
    expect(link.connection.status()).toMatchObject({
      state: "connecting",
      server: null,
      reconnects: 0,
    });
    await until("a reason", () => link.connection.status().lastError !== null);
    expect(link.connection.status().lastError).toMatch(new RegExp(`127.0.0.1:${server.port}.*ECONNREFUSED`));
    await server.start();
    await link.connected();
    expect(link.connection.status()).toMatchObject({ server: `127.0.0.1:${server.port}`, reconnects: 0, lastError: null });
  });

  it("reconnects after each crash of the server, and gives every listener a new client", async () => {
    await using server = await NatsServer.start();
    await using link = open({ servers: serversAt(server.url) });
    let sessions = 0;
    using _listening = link.connection.onClient(() => {
      sessions += 1;
    });
    await link.connected();
    for (const crash of [1, 2]) {
      await server.kill();
      await until("the loss is noticed", () => link.connection.status().state === "reconnecting");
      expect(link.connection.status()).toMatchObject({ server: null, lastError: matching(/./) });
      await server.start();
      await link.connected();
      expect(link.connection.status()).toMatchObject({ reconnects: crash, lastError: null });
    }
    expect(sessions).toBe(3);
    let late = 0;
    using _late = link.connection.onClient(() => {
      late += 1;
    });
    expect(late).toBe(1);
  });

  it("reports a repeated failure once", async () => {
    await using server = await NatsServer.start({ config: 'authorization { token: "right" }' });
    await using link = open({ servers: serversAt(server.url), token: new Secret("wrong") });
    await until("refused", () => link.connection.status().lastError !== null);
    const { total_connections } = await server.statistics();
    await until("refused twice more", async () => (await server.statistics()).total_connections >= total_connections + 4);
    expect(link.logger.at("warn")).toHaveLength(1);
    expect(link.history).toHaveLength(1);
  });

  it("is not blocked by a server that accepts but stays silent", async () => {
    await using frozen = await NatsServer.start();
    await using healthy = await NatsServer.start();
    await frozen.freeze();
    await using link = open({ servers: serversAt(frozen.url, healthy.url) });
    await link.connected();
    expect(link.connection.status().server).toBe(`127.0.0.1:${healthy.port}`);
  });

  it("leaves no socket open at a silent server", async () => {
    const sockets = new Set<Socket>();
    const silent = createServer((socket) => {
      sockets.add(socket);
      socket.on("error", () => {}).on("close", () => sockets.delete(socket));
    });
    await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
    const { port } = silent.address() as AddressInfo;
    const link = open({ servers: serversAt(`127.0.0.1:${port}`) });
    await until("it has been dialled", () => sockets.size > 0);
    await link.connection[Symbol.asyncDispose]();
    await until("all sockets are closed", () => sockets.size === 0, 1_000);
    silent.close();
  });

  it("closes for good, at once, in any state", async () => {
    await using server = await NatsServer.start();
    const connected = open({ servers: serversAt(server.url) });
    await connected.connected();
    await connected.connection[Symbol.asyncDispose]();
    expect(connected.connection.status()).toMatchObject({ state: "closed", server: null });

    await server.freeze();
    const dialling = open({ servers: serversAt(server.url) });
    const stopwatch = startStopwatch();
    await dialling.connection[Symbol.asyncDispose]();
    expect(dialling.connection.status().state).toBe("closed");
    expect(stopwatch.elapsedMs(), `${stopwatch}`).toBeLessThan(1_000);
  });

  it("reaches the server that works behind a name whose first address has one that hangs", async () => {
    await using server = await NatsServer.start();
    const silent = createServer((socket) => void socket.on("error", () => {}).resume());
    await new Promise<void>((resolve) => silent.listen(server.port, "127.0.0.2", resolve));
    await using owner = new AsyncDisposableStack();
    owner.defer(() => new Promise<void>((resolve) => silent.close(() => resolve())));
    const connection = owner.use(
      new PersistentConnection(
        { servers: serversAt(`nats://nats.example:${server.port}`), name: "test" },
        { clock: systemClock, random: inOrder, logger: new RecordingLogger(), resolve: async () => ["127.0.0.2", "127.0.0.1"] },
      ),
    );
    await until("connected", () => connection.status().state === "connected", 20_000);
    expect(connection.status().server).toBe(`nats.example:${server.port}`);
  });

  it("discovers the other servers of a cluster, and uses them if its own is gone", async () => {
    await using first = await NatsServer.start({ config: 'cluster { name: c, listen: "127.0.0.1:-1" }' });
    await using second = await NatsServer.start({
      config: `cluster { name: c, listen: "127.0.0.1:-1", routes: ["${first.clusterUrl}"] }`,
    });
    await until(
      "the cluster has formed",
      async () => (await first.statistics()).connect_urls?.includes(`127.0.0.1:${second.port}`) ?? false,
    );
    await using link = open({ servers: serversAt(first.url) });
    await link.connected();
    await first.kill();
    await until("the loss is noticed", () => link.connection.status().state !== "connected");
    await link.connected();
    expect(link.connection.status().server).toBe(`127.0.0.1:${second.port}`);
  });
});

describe.concurrent("authentication", () => {
  const user = (nkeys as NkeyFactory).createUser();
  const seed = new TextDecoder().decode(user.getSeed());
  const byPassword = 'authorization { user: "anna", password: "s3cret" }';
  const byToken = 'authorization { token: "t0ken" }';
  const byNkey = `authorization { users: [{ nkey: "${user.getPublicKey()}" }] }`;

  it.each([
    ["user and password", byPassword, { user: "anna", password: new Secret("s3cret") }, ""],
    ["user and password in the URL", byPassword, {}, "anna:s3cret@"],
    ["token", byToken, { token: new Secret("t0ken") }, ""],
    ["token in the URL", byToken, {}, "t0ken@"],
  ])("by %s", async (_, config, credentials, userInfo) => {
    await using server = await NatsServer.start({ config });
    await using link = open({ servers: serversAt(server.url.replace("//", `//${userInfo}`)), ...credentials });
    await link.connected();
    expect(link.connection.status().server).toBe(`127.0.0.1:${server.port}`);
  });

  it("by nkey", async () => {
    await using server = await NatsServer.start({ config: byNkey });
    using directory = temporaryDirectory();
    const nkeyFile = join(directory.path, "user.nk");
    writeFileSync(nkeyFile, `${seed}\n`);
    await using link = open({ servers: serversAt(server.url), nkeyFile });
    await link.connected();
  });

  it("recovers when wrong credentials are corrected, and never shows them", async () => {
    await using server = await NatsServer.start({ config: 'authorization { user: "anna", password: "other" }' });
    await using link = open({ servers: serversAt(`nats://anna:s3cret@127.0.0.1:${server.port}`) });
    await until("refused", () => link.connection.status().lastError !== null);
    expect(link.connection.status()).toMatchObject({ state: "connecting", lastError: matching(/refused the credentials/) });
    server.configure(byPassword);
    server.reload();
    await link.connected();

    server.configure('authorization { user: "anna", password: "changed" }');
    server.reload();
    await until("thrown out", () => link.connection.status().state === "reconnecting");
    await until("refused", () => link.connection.status().lastError?.includes("refused the credentials") ?? false);
    server.configure(byPassword);
    await server.restart();
    await link.connected();
    expect(JSON.stringify([link.history, link.logger.lines])).not.toMatch(/s3cret/);
  });

  it("rejects impossible configuration at once", () => {
    expect(() => open({ servers: serversAt("nats://127.0.0.1"), credsFile: "/nowhere" })).toThrow(
      errorWith("config_invalid", /nats.credsFile/),
    );
    expect(() => open({ servers: serversAt("nats://127.0.0.1"), tls: { caFile: "/nowhere" } })).toThrow(
      errorWith("config_invalid", /nats.tls.caFile/),
    );
    expect(() => open({ servers: serversAt("http://127.0.0.1") })).toThrow(errorWith("config_invalid", /nats.url/));
  });
});

interface NkeyFactory {
  createUser(): { getSeed(): Uint8Array; getPublicKey(): string };
}
