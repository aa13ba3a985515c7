/** TCP ports on loopback with no libp2p behind them. */
import { createServer, type Socket } from "node:net";

/** A port that accepts connections, sends `greeting`, and is silent from then on. */
export async function listenSilently(owner: AsyncDisposableStack, greeting = ""): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket.on("error", () => {}));
    socket.resume();
    if (greeting !== "") socket.write(greeting);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  owner.defer(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  return (server.address() as { port: number }).port;
}

/** A port that was just released and so refuses connections. */
export async function closedPort(): Promise<number> {
  await using owner = new AsyncDisposableStack();
  return await listenSilently(owner);
}
