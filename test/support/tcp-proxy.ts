/** A TCP proxy in front of a port, which can silence or cut its connections. */
import type { AddressInfo, Socket } from "node:net";
import { connect, createServer } from "node:net";

export interface TcpProxy extends AsyncDisposable {
  readonly port: number;
  /** Holds back all traffic in both directions without losing any. */
  pause(): void;
  resume(): void;
  /** Silences all current connections for good, closes included, like a router that has forgotten them. New ones are relayed. */
  forget(): void;
  /** Breaks every connection. New ones are relayed. */
  drop(): void;
}

/** Listens on 127.0.0.1 and relays to `targetPort` there, each way with this latency. */
export async function startTcpProxy(targetPort: number, latencyMs = 0): Promise<TcpProxy> {
  const sockets = new Set<Socket>();
  const forgotten = new Set<Socket>();
  let paused = false;
  const track = (socket: Socket): void => {
    sockets.add(socket);
    if (paused) socket.pause();
    socket.on("error", () => socket.destroy());
    socket.on("close", () => sockets.delete(socket));
  };
  const relay = (from: Socket, to: Socket): void => {
    from.on("data", (chunk) => {
      if (latencyMs === 0) to.write(chunk);
      else setTimeout(() => to.write(chunk), latencyMs);
    });
    from.on("close", () => {
      if (!forgotten.has(from)) to.destroy();
    });
  };
  const server = createServer((near) => {
    const far = connect(targetPort, "127.0.0.1");
    track(near);
    track(far);
    relay(near, far);
    relay(far, near);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const drop = () => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    port: (server.address() as AddressInfo).port,
    pause: () => {
      paused = true;
      for (const socket of sockets) socket.pause();
    },
    resume: () => {
      paused = false;
      for (const socket of sockets) socket.resume();
    },
    forget: () => {
      for (const socket of sockets) forgotten.add(socket.pause());
    },
    drop,
    [Symbol.asyncDispose]: async () => {
      drop();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
