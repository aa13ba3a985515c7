import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { describe, expect, it } from "vitest";
import { systemClock } from "../../src/base/clock.ts";
import { Secret } from "../../src/base/setting-file.ts";
import type { NatsConfig } from "../../src/nats/connection/config.ts";
import type { OneClientOptions } from "../../src/nats/connection/one-client.ts";
import { publishOnce } from "../../src/nats/publish.ts";
import { matching } from "../support/matchers.ts";
import { NatsServer } from "../support/nats-server.ts";
import { serversAt } from "../support/nats-servers.ts";
import { paceMs } from "../support/pace/pace.ts";

const bytes = new TextEncoder().encode("{}");

interface PublishOptions extends Partial<Pick<OneClientOptions, "timeoutMs" | "resolve">> {
  readonly payload?: Uint8Array;
  readonly signal?: AbortSignal;
}

function publish(config: Partial<NatsConfig>, options: PublishOptions = {}) {
  const { payload = bytes, ...rest } = options;
  return publishOnce({ servers: [], name: "test", ...config }, "CREATE_RESOURCE", payload, { clock: systemClock, ...rest });
}

/** Accepts connections and stays silent. */
async function listenSilently(port: number, host: string): Promise<{ connections(): number } & AsyncDisposable> {
  const sockets: Socket[] = [];
  const server = createServer((socket) => void sockets.push(socket.on("error", () => {}).resume())).listen(port, host);
  await once(server, "listening");
  return {
    connections: () => sockets.length,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

/** A loopback port where nothing listens. */
async function closedPort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

describe.concurrent("publishOnce", () => {
  it("uses the first server that answers, and returns its name", async () => {
    await using server = await NatsServer.start();
    expect(await publish({ servers: serversAt(`127.0.0.1:${await closedPort()}`, server.url) })).toBe(`127.0.0.1:${server.port}`);
  });

  it("uses the address that works of a name with several, of which one hangs", async () => {
    await using server = await NatsServer.start();
    await using silent = await listenSilently(server.port, "127.0.0.2");
    const resolve = async () => ["127.0.0.2", "127.0.0.3", "127.0.0.1"];
    const servers = serversAt(`nats://nats.example:${server.port}`);
    const published = await publish({ servers }, { resolve, timeoutMs: paceMs(6_000) });
    expect(published).toBe(`nats.example:${server.port}`);
    expect(silent.connections()).toBeGreaterThan(0);
  });

  it("leaves time for the other servers if the first one hangs", async () => {
    await using server = await NatsServer.start();
    await using frozen = await NatsServer.start();
    await frozen.freeze();
    expect(await publish({ servers: serversAt(frozen.url, server.url) }, { timeoutMs: paceMs(2_000) })).toBe(
      `127.0.0.1:${server.port}`,
    );
  });

  it("fails with exit code 69 if no server answers, naming it", async () => {
    const port = await closedPort();
    await expect(publish({ servers: serversAt(`127.0.0.1:${port}`) })).rejects.toMatchObject({
      code: "nats_unavailable",
      exitCode: 69,
      message: matching(new RegExp(`127.0.0.1:${port}.*ECONNREFUSED`)),
      nextStep: matching(/./),
    });
  });

  it("fails if the server rejects the credentials, and if it denies the subject", async () => {
    await using server = await NatsServer.start({
      config: "authorization { users: [{ user: a, password: b, permissions: { publish: [OTHER] } }] }",
    });
    await expect(publish({ servers: serversAt(server.url), user: "a", password: new Secret("c") })).rejects.toMatchObject({
      code: "nats_unavailable",
      message: matching(/refused the credentials/),
    });
    await expect(publish({ servers: serversAt(server.url), user: "a", password: new Secret("b") })).rejects.toMatchObject({
      code: "nats_unavailable",
      message: matching(/denies the publish "CREATE_RESOURCE"/),
    });
  });

  it("fails before sending a message that is too large for the server", async () => {
    await using server = await NatsServer.start({ config: "max_payload: 100" });
    await expect(publish({ servers: serversAt(server.url) }, { payload: new Uint8Array(101) })).rejects.toMatchObject({
      code: "usage",
      message: matching(/101 bytes.*at most 100/),
    });
  });

  it("stops at its deadline, or when aborted, if the server is silent", async () => {
    await using server = await NatsServer.start();
    await server.freeze();
    await expect(publish({ servers: serversAt(server.url) }, { timeoutMs: 100 })).rejects.toMatchObject({
      code: "nats_unavailable",
      message: matching(/within 100 ms/),
    });
    const abort = new AbortController();
    const publishing = publish({ servers: serversAt(server.url) }, { signal: abort.signal });
    abort.abort(new Error("enough"));
    await expect(publishing).rejects.toThrow("enough");
  });
});
