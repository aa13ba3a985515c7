import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { describe, expect, it } from "vitest";
import { systemClock } from "../../../src/base/clock.ts";
import { expectGreeting } from "../../../src/nats/connection/discover.ts";
import { natsAnswers } from "../../../src/nats/connection/tls-first.ts";
import { matching } from "../../support/matchers.ts";
import { until } from "../../support/until.ts";

/** A server on loopback that runs `onConnection`; counts the open sockets. */
async function listen(onConnection: (socket: Socket) => void) {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {}).on("close", () => sockets.delete(socket));
    onConnection(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    address: { host: "127.0.0.1", port },
    sockets,
    [Symbol.asyncDispose]: () => {
      for (const socket of sockets) socket.destroy();
      return new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

describe("natsAnswers", () => {
  it("is true for a server that sends a greeting, even byte by byte", async () => {
    await using server = await listen((socket) => {
      socket.setNoDelay(true);
      socket.write("IN");
      setImmediate(() => socket.write('FO {"server_id":"x"}\r\n'));
    });
    expect(await natsAnswers(server.address.host, server.address.port, 5_000)).toBe(true);
  });

  it("is false if another protocol answers", async () => {
    await using server = await listen((socket) => socket.write("SSH-2.0-OpenSSH\r\n"));
    expect(await natsAnswers(server.address.host, server.address.port, 5_000)).toBe(false);
  });

  it("is false if nothing listens, or the listener hangs up", async () => {
    await using server = await listen((socket) => socket.end());
    expect(await natsAnswers(server.address.host, server.address.port, 5_000)).toBe(false);
    await server[Symbol.asyncDispose]();
    expect(await natsAnswers(server.address.host, server.address.port, 5_000)).toBe(false);
  });
});

describe("expectGreeting", () => {
  it("gives up on a silent server in time, names it, and leaves no socket open", async () => {
    await using server = await listen(() => {});
    await expect(expectGreeting(server.address, 50, systemClock)).rejects.toMatchObject({
      code: "nats_unavailable",
      message: matching(new RegExp(`127.0.0.1:${server.address.port}: no greeting within 50 ms`)),
    });
    await until("the socket is closed", () => server.sockets.size === 0);
  });

  it("ends at once when aborted, before or during the wait", async () => {
    await using server = await listen(() => {});
    const abort = new AbortController();
    const waiting = expectGreeting(server.address, 60_000, systemClock, abort.signal);
    await until("connected", () => server.sockets.size === 1);
    abort.abort(new Error("enough"));
    await expect(waiting).rejects.toThrow("enough");
    await expect(expectGreeting(server.address, 60_000, systemClock, abort.signal)).rejects.toThrow("enough");
    await until("the socket is closed", () => server.sockets.size === 0);
  });
});
