/** Full listeners, with real sockets: a connection that waits for its client yields, so /livez is always answered. */
import { once } from "node:events";
import { connect, Socket } from "node:net";
import { text } from "node:stream/consumers";
import { Hono } from "hono";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { httpSchema } from "../../src/config/http-settings.ts";
import { HttpConnections } from "../../src/http/connections.ts";
import { startHttp, startProbes } from "../../src/http/server.ts";
import { httpRequest } from "../support/http-request.ts";
import { until } from "../support/until.ts";

const LIMIT = 256;
const ATTACKERS = 300;

const owner = { stack: new AsyncDisposableStack() };
beforeEach(() => {
  owner.stack = new AsyncDisposableStack();
  slow.asked = 0;
  slow.answer = Promise.withResolvers();
});
afterEach(() => owner.stack.disposeAsync());

const slow = { asked: 0, answer: Promise.withResolvers<void>() };
const app = new Hono();
app.get("/livez", (c) => c.json({ status: "ok" }));
app.get("/slow", async (c) => {
  slow.asked += 1;
  await slow.answer.promise;
  return c.text("done");
});

const LISTENERS = {
  "http.listen": () => startHttp(app, httpSchema.parse("127.0.0.1:0"), () => {}),
  "http.probes": () => startProbes(app, { host: "127.0.0.1", port: 0 }),
};

async function listen(name: keyof typeof LISTENERS): Promise<{ readonly url: string; readonly port: number }> {
  const { url } = owner.stack.use(await LISTENERS[name]());
  return { url, port: Number(new URL(url).port) };
}

interface Opened {
  readonly bytes?: string;
  /** The address that it comes from. */
  readonly from?: string;
}

async function open(port: number, { bytes = "", from = "127.0.0.1" }: Opened = {}): Promise<Socket> {
  const socket = connect({ port, host: "127.0.0.1", localAddress: from }).on("error", () => {});
  owner.stack.defer(() => void socket.destroy());
  await once(socket, "connect");
  if (bytes !== "") socket.write(bytes);
  return socket;
}

function openMany(port: number, opened: Opened = {}): Promise<readonly Socket[]> {
  return Promise.all(Array.from({ length: ATTACKERS }, () => open(port, opened)));
}

/** Opens each connection that closes again, until the test is over. Returns how many it had to open again. */
function keepOpen(port: number, sockets: readonly Socket[], opened: Opened): () => number {
  let [reopened, isOver] = [0, false];
  owner.stack.defer(() => {
    isOver = true;
  });
  const reopen = async () => {
    if (isOver) return;
    const socket = await open(port, opened);
    reopened += 1;
    socket.resume().once("close", () => void reopen().catch(() => {}));
  };
  for (const socket of sockets) {
    if (socket.resume().closed) void reopen();
    else socket.once("close", () => void reopen().catch(() => {}));
  }
  return () => reopened;
}

const SLOW = "GET /slow HTTP/1.0\r\nHost: localhost\r\n\r\n";
const POST = "POST /livez HTTP/1.1\r\nHost: localhost\r\n";

describe.each(["http.listen", "http.probes"] as const)("%s answers /livez beside 300 connections", (name) => {
  test.each([
    ["that are idle", ""],
    ["with half-sent headers", "GET /livez HTTP/1.1\r\nHost: localhost\r\nX: "],
    ["with half-sent bodies", `${POST}Content-Length: 10\r\n\r\nhalf`],
    ["with half-sent chunks", `${POST}Transfer-Encoding: chunked\r\n\r\n5\r\nhalf`],
  ])("%s, and again while they are renewed", async (_, bytes) => {
    const { url, port } = await listen(name);
    const sockets = await openMany(port, { bytes });
    expect((await httpRequest(url, "/livez")).status).toBe(200);
    const reopened = keepOpen(port, sockets, { bytes });
    await until("connections are renewed", () => reopened() > ATTACKERS);
    for (let count = 0; count < 10; count++) expect((await httpRequest(url, "/livez")).status).toBe(200);
  });
});

test("all 256 places can be used, and the oldest connection yields first", async () => {
  const { url, port } = await listen("http.listen");
  const sockets: Socket[] = [];
  for (let count = 0; count < LIMIT; count++) sockets.push(await open(port));
  const closed = () => sockets.map(({ readableEnded, destroyed }) => readableEnded || destroyed);
  for (const socket of sockets) socket.resume();
  sockets[7]?.end("GET /livez HTTP/1.0\r\nHost: localhost\r\n\r\n");
  await until("that one is answered", () => closed()[7]);
  await httpRequest(url, "/livez");
  expect(closed().filter(Boolean)).toHaveLength(1);
  const another = [await open(port), await open(port), await open(port)];
  expect(another).toHaveLength(3);
  await until("the first two have yielded", () => closed()[0] === true && closed()[1] === true);
  expect(closed().filter(Boolean)).toHaveLength(3);
});

test("a connection that is being answered stays", async () => {
  const { url, port } = await listen("http.listen");
  const answered = await open(port, { bytes: SLOW });
  await until("its request has arrived", () => slow.asked === 1);
  await openMany(port);
  expect((await httpRequest(url, "/livez")).status).toBe(200);
  slow.answer.resolve();
  expect(await text(answered)).toMatch(/^HTTP\/1\.1 200 .*done$/s);
});

test("the oldest yields if all are being answered, as when no client reads its answer", async () => {
  const { url, port } = await listen("http.probes");
  const sockets: Socket[] = [];
  for (let count = 0; count < LIMIT; count++) sockets.push(await open(port, { bytes: SLOW }));
  await until("all requests have arrived", () => slow.asked === LIMIT);
  expect((await httpRequest(url, "/livez")).status).toBe(200);
  slow.answer.resolve();
  const answers = await Promise.all(sockets.map((socket) => text(socket)));
  expect(answers.filter((answer) => answer.endsWith("done"))).toHaveLength(LIMIT - 1);
  expect(answers[0]).toBe("");
});

test("a connection that sends a request before the last answer is closed, and only its first request is served", async () => {
  const { url, port } = await listen("http.probes");
  const piping = await open(port, { bytes: "GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(1_000) });
  await once(piping.resume(), "close");
  expect(slow.asked).toBe(1);
  expect((await httpRequest(url, "/livez")).status).toBe(200);
});

test("a connection may send one request after the other", async () => {
  const { port } = await listen("http.listen");
  const kept = await open(port);
  let received = "";
  kept.on("data", (chunk: Buffer) => (received += chunk.toString()));
  for (let count = 1; count <= 3; count++) {
    kept.write("GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n");
    await until("it is answered", () => received.split('{"status":"ok"}').length > count);
  }
});

test("an address cannot displace the connections of others", async () => {
  const { port } = await listen("http.probes");
  const other = await open(port, { from: "127.0.0.2" });
  await openMany(port, { bytes: SLOW });
  await openMany(port);
  other.write("GET /livez HTTP/1.0\r\n\r\n");
  expect(await text(other)).toMatch(/^HTTP\/1\.1 200 /);
});

test.each<[string, first: string, others: (index: number) => string, yields: number]>([
  ["the addresses of a /64 count as one", "2001:db8:2::1", (index) => `2001:db8:1::${index.toString(16)}`, 1],
  ["each /64 counts for itself", "2001:db8:0:ff::1", (index) => `2001:db8:0:${index}::1`, 0],
  [
    "IPv4 in both spellings counts as one",
    "192.0.2.1",
    (index) => ["", "192.0.2.2", "::ffff:192.0.2.2"][index] ?? "192.0.2.3",
    1,
  ],
])("%s", (_, first, others, yields) => {
  const connections = new HttpConnections(4);
  const sockets = [first, others(1), others(2), others(3), "198.51.100.1"].map((remoteAddress) => {
    const socket = new Socket();
    Object.defineProperty(socket, "remoteAddress", { value: remoteAddress });
    return socket;
  });
  for (const socket of sockets) connections.add(socket);
  expect(sockets.map(({ destroyed }) => destroyed)).toEqual(sockets.map((_socket, index) => index === yields));
});
