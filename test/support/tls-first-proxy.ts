/** A proxy that completes TLS before it relays a NATS server's greeting, as nats-server does with `handshake_first: true`. */
import { type AddressInfo, connect } from "node:net";
import { createServer, type TlsOptions } from "node:tls";

/** Listens on 127.0.0.1 and relays to `targetPort` there. The greeting says that TLS is required. */
export async function startTlsFirstProxy(
  targetPort: number,
  options: TlsOptions,
): Promise<{ readonly port: number } & AsyncDisposable> {
  const open = new Set<{ destroy(): void }>();
  const server = createServer(options, (near) => {
    const far = connect(targetPort, "127.0.0.1");
    far.once("data", (chunk) => {
      near.write(chunk.toString("latin1").replace("INFO {", 'INFO {"tls_required":true,'), "latin1");
      far.pipe(near);
    });
    near.pipe(far);
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const)
      open.add(one.on("error", () => {}).on("close", () => other.destroy()));
  });
  server.on("connection", (socket) => open.add(socket)).on("tlsClientError", () => {});
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    [Symbol.asyncDispose]: () => {
      for (const socket of open) socket.destroy();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}
