/** The listeners with real sockets: their rules, their headers and their bounds. */

import { once } from "node:events";
import { chmodSync, existsSync, lstatSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { connect, createServer, isIP } from "node:net";
import { hostname } from "node:os";
import { join } from "node:path";
import { Hono } from "hono";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type HttpConfig, httpSchema } from "../../src/config/http-settings.ts";
import { daemonClient } from "../../src/http/client.ts";
import { type HttpServer, startHttp, startProbes } from "../../src/http/server.ts";
import { temporaryDirectory } from "../store/support/temporary-store.ts";
import { httpRequest, rawExchange } from "../support/http-request.ts";

const owner = { stack: new AsyncDisposableStack(), directory: "" };
beforeEach(() => {
  owner.stack = new AsyncDisposableStack();
  owner.directory = owner.stack.use(temporaryDirectory()).path;
});
afterEach(() => owner.stack.disposeAsync());

const app = new Hono();
app.onError((_error, c) => c.json({}, 500));
app.get("/v1/self", (c) => c.json({ name: "lyon-1" }));
app.get("/livez", (c) => c.json({ status: "ok" }));
app.get("/metrics", (c) => c.text("up 1\n"));
app.post("/v1/resync", (c) => c.json({ status: "started" }, 202));
app.get("/fails", () => {
  throw new Error("it failed");
});

const settings = (http: string | object): HttpConfig => httpSchema.parse(http);

let refused: string[] = [];
async function serve(http: string | object): Promise<HttpServer> {
  refused = [];
  return owner.stack.use(await startHttp(app, settings(http), (reason) => refused.push(reason)));
}

const TOKEN = "0123456789abcdef0123456789abcdef";

function tokenFile(token: string): string {
  const path = join(owner.directory, `${token.slice(0, 4)}.token`);
  writeFileSync(path, token, { mode: 0o600 });
  return path;
}

const HEADERS = {
  "x-content-type-options": "nosniff",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
  "cache-control": "no-store",
  "referrer-policy": "no-referrer",
  "x-frame-options": "DENY",
  "cross-origin-resource-policy": "same-origin",
};

describe("every answer has the security headers, and none has CORS headers", () => {
  test.each<[string, number, Parameters<typeof httpRequest>[2]]>([
    ["/v1/self", 200, {}],
    ["/v1/self", 200, { method: "HEAD" }],
    ["/metrics", 200, {}],
    ["/nowhere", 404, {}],
    ["/v1/self", 404, { method: "OPTIONS", headers: { origin: "http://evil.example" } }],
    ["/fails", 500, {}],
    ["/v1/self", 421, { headers: { host: "evil.example" } }],
    ["/v1/resync", 403, { method: "POST", headers: { origin: "http://evil.example" } }],
    ["/v1/resync", 202, { method: "POST", headers: { expect: "the-unexpected" } }],
    ["/v1/resync", 413, { method: "POST", body: "x".repeat(70_000) }],
    ["/v1/resync", 413, { method: "POST", headers: { "transfer-encoding": "chunked" }, body: "x".repeat(70_000) }],
    ["/v1/resync", 202, { method: "POST", headers: { "transfer-encoding": "chunked" }, body: "x" }],
    ["/v1/resync", 202, { method: "POST", body: "x".repeat(60_000) }],
    ["/a\\b", 400, {}],
  ])("%s with %d", async (path, status, options) => {
    const { url } = await serve("127.0.0.1:0");
    const answer = await httpRequest(url, path, options);
    expect(answer.status).toBe(status);
    expect(answer.headers).toMatchObject(HEADERS);
    expect(Object.keys(answer.headers).filter((name) => name.startsWith("access-control"))).toEqual([]);
  });

  test.each([
    ["not HTTP", "nonsense\r\n\r\n", 400],
    ["a long header", `GET / HTTP/1.1\r\nHost: localhost\r\nX: ${"x".repeat(20_000)}\r\n\r\n`, 431],
    ["no Host in HTTP/1.1", "GET /v1/self HTTP/1.1\r\nConnection: close\r\n\r\n", 421],
    ["no Host in HTTP/1.0", "GET /v1/self HTTP/1.0\r\n\r\n", 421],
    ["a Host in HTTP/1.0", "GET /v1/self HTTP/1.0\r\nHost: localhost\r\n\r\n", 200],
    ["two Hosts", "GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\nConnection: close\r\n\r\n", 421],
  ])("%s", async (_, bytes, status) => {
    const { url } = await serve("127.0.0.1:0");
    const answer = (await rawExchange(url, bytes)).toLowerCase();
    expect(answer).toMatch(new RegExp(`^http/1\\.1 ${status} `));
    for (const [name, value] of Object.entries(HEADERS)) expect(answer).toContain(`\r\n${name}: ${value.toLowerCase()}\r\n`);
    expect(answer, "in JSON").toMatch(/\r\n\r\n(?:[0-9a-f]+\r\n)?\{.*\}/);
  });
});

describe("on loopback", () => {
  test("no token is needed, and Host and origin are checked", async () => {
    const { url } = await serve("127.0.0.1:0");
    const { port } = new URL(url);
    const codes = async (headers: Record<string, string>) =>
      (await httpRequest(url, "/v1/resync", { method: "POST", headers })).code;
    expect(await codes({})).toBeUndefined();
    expect(await codes({ host: `localhost:${port}`, origin: `http://localhost:${port}`, "sec-fetch-site": "same-origin" })).toBe(
      undefined,
    );
    expect(await codes({ host: "rebound.example" })).toBe("host_unknown");
    expect(await codes({ origin: "http://evil.example" })).toBe("origin_refused");
    expect(await codes({ "sec-fetch-site": "cross-site" })).toBe("origin_refused");
    expect(refused).toEqual(["host", "origin", "origin"]);
  });

  test("a program that uses fetch is not taken for a browser", async () => {
    const { url } = await serve("127.0.0.1:0");
    expect((await fetch(`${url}/v1/resync`, { method: "POST" })).status).toBe(202);
  });

  test("an allowed name is accepted", async () => {
    const { url } = await serve({ listen: "127.0.0.1:0", allowedHosts: ["partnerd.example"] });
    expect((await httpRequest(url, "/v1/self", { headers: { host: "Partnerd.Example:443" } })).status).toBe(200);
    expect((await httpRequest(url, "/v1/self", { headers: { host: "x.partnerd.example" } })).status).toBe(421);
  });

  test("a configured token is needed too, except for health and metrics", async () => {
    const { url } = await serve({ listen: "localhost:0", readTokenFile: tokenFile(TOKEN) });
    const statuses = await Promise.all(
      ["/v1/self", "/livez", "/metrics"].map(async (path) => (await httpRequest(url, path)).status),
    );
    expect(statuses).toEqual([401, 200, 200]);
    expect((await httpRequest(url, "/v1/self", { headers: { authorization: `Bearer ${TOKEN}` } })).status).toBe(200);
  });
});

describe("on all interfaces", () => {
  test("a token is needed, for metrics too, and the machine's name is ours", async () => {
    const { url } = await serve({ listen: "0.0.0.0:0", readTokenFile: tokenFile(TOKEN) });
    const local = url.replace("0.0.0.0", "127.0.0.1");
    const statuses = await Promise.all(
      ["/v1/self", "/livez", "/metrics"].map(async (path) => (await httpRequest(local, path)).status),
    );
    expect(statuses).toEqual([401, 200, 401]);
    const headers = { authorization: `Bearer ${TOKEN}` };
    for (const host of [hostname(), "127.0.0.1", "localhost:1", "0.0.0.0"])
      expect((await httpRequest(local, "/metrics", { headers: { ...headers, host } })).status).toBe(200);
    expect((await httpRequest(local, "/metrics", { headers: { ...headers, host: "192.0.2.1" } })).status).toBe(421);
  });

  test.each(["0.0.0.0:0", "[::]:0"])("%s is refused without a token, with the ways out", async (http) => {
    await expect(serve(http)).rejects.toMatchObject({
      code: "config_invalid",
      message: expect.stringMatching(
        /^http\.listen: ".*" can be reached .*http\.readTokenFile .*127\.0\.0\.1:4012.*unix:\//,
      ) as string,
    });
  });

  test("an unusable token file is refused", async () => {
    const file = tokenFile(TOKEN);
    chmodSync(file, 0o644);
    await expect(serve({ listen: "0.0.0.0:0", readTokenFile: file })).rejects.toMatchObject({ code: "config_invalid" });
  });
});

test("an unknown host name is refused with the setting", async () => {
  await expect(serve("no-such-host.invalid:0")).rejects.toMatchObject({
    code: "listen_failed",
    message: expect.stringContaining("http no-such-host.invalid:0") as string,
  });
});

describe("a Unix socket", () => {
  const socket = () => join(owner.directory, "http.sock");
  const inDirectory = () => readdirSync(owner.directory);

  test("serves its owner only, whatever the umask, under any Host, and is removed at the end", async () => {
    const server = await serve(`unix:${socket()}`);
    expect(server.url).toBe(`unix:${socket()}`);
    expect(lstatSync(socket()).mode & 0o777).toBe(0o600);
    expect(inDirectory()).toEqual(["http.sock"]);
    const answer = await httpRequest(server.url, "/v1/self", { headers: { host: "evil.example" } });
    expect(answer).toMatchObject({ status: 200, headers: HEADERS });
    expect(
      (await httpRequest(server.url, "/v1/resync", { method: "POST", headers: { origin: "http://evil.example" } })).code,
    ).toBe("origin_refused");
    expect((await rawOnSocket(socket(), "GET /v1/self HTTP/1.0\r\n\r\n")).split("\r\n")[0]).toBe("HTTP/1.1 200 OK");
    await server[Symbol.asyncDispose]();
    expect(inDirectory()).toEqual([]);
  });

  test("that a dead daemon left is replaced", async () => {
    await leaveSocket(socket());
    const server = await serve(socket());
    expect((await httpRequest(server.url, "/v1/self")).status).toBe(200);
    expect(inDirectory()).toEqual(["http.sock"]);
  });

  test("that is in use is an error, and stays", async () => {
    const first = await serve(socket());
    await expect(serve(socket())).rejects.toMatchObject({
      code: "port_taken",
      message: `http.listen: another process listens on unix:${socket()}`,
    });
    expect((await httpRequest(first.url, "/v1/self")).status).toBe(200);
    expect(inDirectory()).toEqual(["http.sock"]);
  });

  test("never replaces another file", async () => {
    writeFileSync(socket(), "precious");
    await expect(serve(socket())).rejects.toMatchObject({
      code: "listen_failed",
      message: expect.stringContaining("that is not a socket") as string,
    });
    expect(readFileSync(socket(), "utf8")).toBe("precious");
    expect(inDirectory()).toEqual(["http.sock"]);
  });

  test("does not follow a symbolic link, not even to a dead socket", async () => {
    await leaveSocket(join(owner.directory, "real.sock"));
    symlinkSync(join(owner.directory, "real.sock"), socket());
    await expect(serve(socket())).rejects.toMatchObject({ message: expect.stringContaining("it is a symbolic link") as string });
    expect(inDirectory()).toEqual(["http.sock", "real.sock"]);
  });

  test("needs a directory that exists", async () => {
    await expect(serve(join(owner.directory, "none/http.sock"))).rejects.toMatchObject({
      code: "listen_failed",
      message: expect.stringMatching(/^http\.listen: cannot listen on unix:.*none\/http\.sock: ENOENT/) as string,
    });
  });

  test("of a later daemon is not removed by an earlier one", async () => {
    const first = await serve(socket());
    writeFileSync(join(owner.directory, "other"), "");
    const { renameSync } = await import("node:fs");
    renameSync(join(owner.directory, "other"), socket());
    await first[Symbol.asyncDispose]();
    expect(existsSync(socket())).toBe(true);
  });
});

test("a listener configured by name tells which IP address it is bound to, for the dial policy", async () => {
  const { url, bound } = await serve("localhost:0");
  expect(url).toMatch(/^http:\/\/localhost:\d+$/);
  expect(["127.0.0.1", "::1"]).toContain(bound?.host);
  expect(bound?.port).toBe(Number(new URL(url).port));
  const probes = owner.stack.use(await startProbes(app, { host: "localhost", port: 0 }));
  expect(isIP(probes.bound?.host ?? "")).not.toBe(0);
});

test("the listener for probes serves anyone, under any Host", async () => {
  const server = owner.stack.use(await startProbes(app, { host: "0.0.0.0", port: 0 }));
  const url = server.url.replace("0.0.0.0", "127.0.0.1");
  for (const host of ["10.244.0.7:4013", "a_b", "evil.example", "%%%"])
    expect(await httpRequest(url, "/livez", { headers: { host } })).toMatchObject({ status: 200, headers: HEADERS });
  expect((await rawExchange(url, "GET /livez HTTP/1.0\r\n\r\n")).split("\r\n")[0]).toBe("HTTP/1.1 200 OK");
});

describe("the client", () => {
  test("reaches a Unix socket, with a token", async () => {
    const path = join(owner.directory, "http.sock");
    await serve({ listen: path, writeTokenFile: tokenFile(TOKEN) });
    expect(await daemonClient({ path }, TOKEN).self()).toEqual({ name: "lyon-1" });
    await daemonClient({ path }, TOKEN).resync();
    await expect(daemonClient({ path }).self()).rejects.toMatchObject({
      code: "daemon_denied",
      message: expect.stringMatching(
        /^the daemon at unix:.* refuses the request: a token is needed; .* http\.writeTokenFile$/,
      ) as string,
      nextStep: expect.stringMatching(/--token-file FILE.*http\.readTokenFile/) as string,
    });
  });

  test("reports an answer that is not JSON", async () => {
    const other = createServer((socket) => socket.end("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"));
    other.listen(0, "127.0.0.1");
    await once(other, "listening");
    owner.stack.defer(() => void other.close());
    const { port } = other.address() as { readonly port: number };
    await expect(daemonClient({ host: "127.0.0.1", port }).self()).rejects.toMatchObject({ code: "daemon_unreachable" });
  });
});

/** A socket that no process listens on any more, as after SIGKILL. */
async function leaveSocket(path: string): Promise<void> {
  const { spawnSync } = await import("node:child_process");
  const program = `require("node:net").createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, "SIGKILL"))`;
  spawnSync(process.execPath, ["-e", program]);
  expect(lstatSync(path).isSocket()).toBe(true);
}

async function rawOnSocket(path: string, bytes: string): Promise<string> {
  const socket = connect(path);
  socket.write(bytes);
  let received = "";
  for await (const chunk of socket) received += String(chunk);
  return received;
}
