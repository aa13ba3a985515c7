/** Attacks before a handshake is complete. */
import { connect, type Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { type Attack, repeatedly } from "./attack.ts";

const SILENT_SOCKETS = 3_000;
const IDLE_HTTP_CONNECTIONS = 600;

/** Resolves when the socket has closed or the attack is over. */
async function held(socket: Socket, signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve) => {
    socket.once("close", () => resolve());
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
  socket.destroy();
}

function open(port: number, host: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host });
    socket.on("error", reject);
    socket.once("connect", () => resolve(socket));
  });
}

/** 3,000 connections that say nothing; those that are closed are opened again. */
export const silentSockets: Attack = ({ host, port }, signal) =>
  repeatedly(SILENT_SOCKETS, signal, async () => {
    await held(await open(port, host), signal);
    await delay(200);
  });

/** 600 connections to the HTTP listener; every other one says nothing, and the rest send half of a request's headers. */
export const idleHttpConnections: Attack = ({ host, httpPort }, signal) => {
  let opened = 0;
  return repeatedly(IDLE_HTTP_CONNECTIONS, signal, async () => {
    const socket = await open(httpPort, host);
    if (opened++ % 2 === 0) socket.write("GET /livez HTTP/1.1\r\nHost: localhost\r\nX: ");
    await held(socket, signal);
    await delay(200);
  });
};

/** The beginning of a handshake, a byte every 100 ms. */
export const slowHandshakes: Attack = ({ host, port }, signal) =>
  repeatedly(400, signal, async () => {
    const socket = await open(port, host);
    const bytes = Buffer.from("\x13/multistream/1.0.0\n\x07/noise\n");
    const timer = setInterval(() => {
      for (const byte of bytes.subarray(0, 1)) socket.write(Uint8Array.of(byte));
    }, 100);
    await held(socket, signal);
    clearInterval(timer);
  });

/** Bytes that are no handshake, as fast as possible. */
export const garbage: Attack = ({ host, port }, signal) =>
  repeatedly(32, signal, async () => {
    const socket = await open(port, host);
    socket.write(Buffer.concat([Buffer.from("\x13/multistream/1.0.0\n\x07/noise\n\xff\xff"), new Uint8Array(512 * 1024)]));
    await held(socket, signal);
  });
