/** A real daemon: no answer to another site's page, no change without the right origin, and off loopback none without a token. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, existsSync, lstatSync, writeFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { endsWithParent } from "../../src/base/ends-with-parent.ts";
import { temporaryDirectory } from "../store/support/temporary-store.ts";
import { type ConfigFile, DaemonProcess, LAUNCHER } from "../support/daemon-process.ts";
import { httpRequest } from "../support/http-request.ts";
import { bound } from "../support/pace/pace.ts";
import { expectFailure, runCommand } from "../support/run-command.ts";
import { until } from "../support/until.ts";

/** Nothing listens there: the daemon serves HTTP all the same. */
const NATS = { url: "nats://127.0.0.1:9" };
const READ = "read-0123456789abcdef0123456789abcdef";
const WRITE = "write-0123456789abcdef0123456789abcdef";

interface Served {
  readonly daemon: DaemonProcess;
  /** As logged, with an address that can be connected to. */
  readonly url: string;
  readonly probes: string;
}

async function serving(owner: AsyncDisposableStack, http: ConfigFile["http"]): Promise<Served> {
  const daemon = owner.use(await DaemonProcess.start({ config: { nats: NATS, http }, until: "nothing" }));
  const line = await daemon.until("it runs", () => daemon.logLines().find(({ msg }) => msg === "oc-partnerd is running"), 30_000);
  const reachable = (url: unknown) => String(url).replace("0.0.0.0", "127.0.0.1");
  return { daemon, url: reachable(line["url"]), probes: reachable(line["probes"]) };
}

function tokenFiles(directory: string): { readonly readTokenFile: string; readonly writeTokenFile: string } {
  const [readTokenFile, writeTokenFile] = [join(directory, "read.token"), join(directory, "write.token")];
  writeFileSync(readTokenFile, `${READ}\n`, { mode: 0o600 });
  writeFileSync(writeTokenFile, `${WRITE}\n`, { mode: 0o600 });
  return { readTokenFile, writeTokenFile };
}

const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

describe.concurrent("on loopback", () => {
  test("a page of another site can neither read by DNS rebinding nor change anything", async () => {
    await using owner = new AsyncDisposableStack();
    const { daemon, url } = await serving(owner, "127.0.0.1:0");
    const post = (headers: Record<string, string>) => httpRequest(url, "/v1/resync", { method: "POST", headers });

    const rebound = await httpRequest(url, "/v1/peers", { headers: { host: `evil.example:${new URL(url).port}` } });
    expect(rebound).toMatchObject({ status: 421, code: "host_unknown", headers: { "x-content-type-options": "nosniff" } });
    expect(await post({ host: "evil.example", origin: "http://evil.example", "sec-fetch-site": "same-origin" })).toMatchObject({
      status: 421,
    });
    expect(await post({ origin: "http://evil.example" })).toMatchObject({ status: 403, code: "origin_refused" });
    expect(await post({ origin: "null", "sec-fetch-site": "cross-site" })).toMatchObject({ status: 403 });
    expect(await post({ "sec-fetch-site": "same-site" })).toMatchObject({ status: 403 });
    // Refused later, by the view: there is no broker stream.
    expect(await post({ origin: url, "sec-fetch-site": "same-origin" })).toMatchObject({ status: 409, code: "stream_missing" });
    expect(await post({})).toMatchObject({ status: 409 });

    const { body } = await httpRequest(url, "/metrics");
    expect(body).toContain('oc_partnerd_http_refused_total{reason="host"} 2\n');
    expect(body).toContain('oc_partnerd_http_refused_total{reason="origin"} 3\n');
    expect((await runCommand(["peers", "--http", new URL(url).host])).code).toBe(0);
    expect(daemon.stderr).toBe("");
  });

  test("connections that send nothing, or send slowly, end within 12 s and do not disturb the probes", async () => {
    await using owner = new AsyncDisposableStack();
    const { url, probes } = await serving(owner, { listen: "127.0.0.1:0", probes: "127.0.0.1:0" });
    const sockets: Socket[] = [];
    owner.defer(() => {
      for (const socket of sockets) socket.destroy();
    });
    for (let count = 0; count < 300; count++) {
      const socket = connect(Number(new URL(url).port), "127.0.0.1").on("error", () => {});
      sockets.push(socket);
      await once(socket, "connect");
      if (count % 2 === 0) socket.write("GET /livez HTTP/1.1\r\nHost: localhost\r\nX: ");
      socket.resume();
    }
    const drip = () => {
      for (const socket of sockets) if (socket.writable) socket.write("x");
    };
    expect((await httpRequest(probes, "/livez")).status).toBe(200);
    await until(
      "all are closed",
      () => {
        drip();
        return sockets.every(({ closed }) => closed);
      },
      bound(12_000),
    );
    expect((await httpRequest(url, "/livez")).status).toBe(200);
  });
});

describe.concurrent("on all interfaces", () => {
  test("the API needs a token of the right scope, health needs none, and probes serve health and metrics only", async () => {
    await using owner = new AsyncDisposableStack();
    const directory = owner.use(temporaryDirectory()).path;
    const { readTokenFile, writeTokenFile } = tokenFiles(directory);
    const http = { listen: "0.0.0.0:0", probes: "0.0.0.0:0", readTokenFile, writeTokenFile };
    const { daemon, url, probes } = await serving(owner, http);
    const status = async (base: string, path: string, options: Parameters<typeof httpRequest>[2] = {}) =>
      (await httpRequest(base, path, options)).status;

    const reads = ["/", "/v1/self", "/v1/peers", "/v1/delivery", "/metrics", "/nowhere"];
    for (const path of reads) expect([path, await status(url, path)]).toEqual([path, 401]);
    for (const path of ["/startupz", "/livez"]) expect([path, await status(url, path)]).toEqual([path, 200]);
    expect(await status(url, "/v1/peers", { headers: bearer(READ) })).toBe(200);
    expect(await status(url, "/v1/peers", { headers: bearer(WRITE) })).toBe(200);
    expect(await status(url, "/v1/peers", { headers: bearer(`${READ}x`) })).toBe(401);
    const post = (headers: Record<string, string>) => status(url, "/v1/resync", { method: "POST", headers });
    expect(await post({})).toBe(401);
    expect(await post(bearer(READ))).toBe(403);
    expect(await post({ ...bearer(WRITE), origin: "http://evil.example" })).toBe(403);
    expect(await post(bearer(WRITE))).toBe(409);

    const host = { host: "10.244.0.7:4013" };
    for (const path of ["/startupz", "/livez", "/metrics"]) expect(await status(probes, path, { headers: host })).toBe(200);
    expect(await status(probes, "/readyz", { headers: host }), "NATS is not connected").toBe(503);
    for (const path of ["/", "/v1/self", "/v1/peers", "/v1/delivery"])
      expect(await status(probes, path, { headers: bearer(WRITE) })).toBe(404);
    expect(await status(probes, "/v1/resync", { method: "POST", headers: bearer(WRITE) })).toBe(404);

    const at = ["--http", new URL(url).host];
    expectFailure(await runCommand(["status", ...at]), 69, ["a token is needed", "--token-file", "http.readTokenFile"]);
    expectFailure(await runCommand(["peers", ...at, "--token-file", join(directory, "missing")]), 78, ["--token-file", "ENOENT"]);
    expect((await runCommand(["peers", ...at, "--token-file", readTokenFile])).code).toBe(0);
    const configured = { env: { OCPARTNERD_HTTP_READ_TOKEN_FILE: readTokenFile } };
    expectFailure(await runCommand(["resync", ...at], configured), 69, ["http.writeTokenFile"]);
    const both = { env: { ...configured.env, OCPARTNERD_HTTP_WRITE_TOKEN_FILE: writeTokenFile } };
    expectFailure(await runCommand(["resync", ...at], both), 69, ["JetStream stream"]);
    expect((await runCommand(["peers", ...at], both)).code).toBe(0);
    expect(JSON.stringify(daemon.logLines()) + daemon.stderr).not.toMatch(/0123456789abcdef/);
    expect(JSON.stringify(daemon.sql("select * from event_log"))).not.toContain(READ);
  });

  test.each([
    ["--http", "0.0.0.0:0"],
    ["--http", "[::]:0"],
  ])("%s %s without a token is refused, with the ways out and all other problems", async (...flags) => {
    using directory = temporaryDirectory();
    const env = { OCPARTNERD_NATS_URL: NATS.url, OCPARTNERD_P2P_INBOUND: "all" };
    const result = await runCommand(["run", "--data", join(directory.path, "data"), ...flags], { env, cwd: directory.path });
    expectFailure(result, 78, [
      "2 problems",
      `"${flags[1]}"`,
      "http.readTokenFile",
      "http.writeTokenFile",
      "127.0.0.1:4012",
      "unix:/",
    ]);
  });

  test("a token file that others can read is refused", async () => {
    using directory = temporaryDirectory();
    const { readTokenFile } = tokenFiles(directory.path);
    chmodSync(readTokenFile, 0o644);
    const env = { OCPARTNERD_NATS_URL: NATS.url, OCPARTNERD_HTTP_READ_TOKEN_FILE: readTokenFile };
    const flags = ["--data", join(directory.path, "data"), "--listen", "/ip4/127.0.0.1/tcp/0", "--http", "0.0.0.0:0"];
    const result = await runCommand(["run", ...flags], { env, cwd: directory.path });
    expectFailure(result, 78, ["http.readTokenFile", readTokenFile, "0644", "0600"]);
    expect(result.stderr).not.toContain(READ);
  });
});

describe.concurrent("a Unix socket", () => {
  test("has mode 0600 under umask 000, serves the commands, and is replaced after a crash", async () => {
    using directory = temporaryDirectory();
    const socket = join(directory.path, "http.sock");
    const flags = ["--data", join(directory.path, "data"), "--listen", "/ip4/127.0.0.1/tcp/0", "--http", `unix:${socket}`];
    const env = { ...process.env, OCPARTNERD_NATS_URL: NATS.url };
    const start = () => {
      const [command, args] = endsWithParent("/bin/sh", ["-c", 'umask 000; exec "$0" "$@"', LAUNCHER, "run", ...flags]);
      return spawn(command, args, { cwd: directory.path, env, stdio: ["pipe", "ignore", "inherit"] });
    };
    const answers = () =>
      httpRequest(`unix:${socket}`, "/startupz").then(
        ({ status }) => status === 200,
        () => false,
      );
    for (const signal of ["SIGKILL", "SIGTERM"] as const) {
      const daemon = start();
      const ended = once(daemon, "exit");
      try {
        await until("it answers", answers, 30_000);
        expect(lstatSync(socket).mode & 0o777).toBe(0o600);
        const { code, stdout } = await runCommand(["peers", "--http", `unix:${socket}`]);
        expect({ code, stdout }).toMatchObject({ code: 0, stdout: expect.stringContaining("No peers yet") as string });
        expectFailure(await runCommand(["run", "--data", join(directory.path, "other"), ...flags.slice(2)], { env: {} }), 69, [
          `another process listens on unix:${socket}`,
          "--http",
        ]);
      } finally {
        daemon.kill(signal);
        await ended;
        daemon.stdin.destroy();
      }
      expect(existsSync(socket)).toBe(signal === "SIGKILL");
    }
  });
});
