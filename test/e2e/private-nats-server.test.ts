/** A machine without NATS: the daemon starts its own server, and stops it however the daemon itself ends. */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { natsAnswers } from "../../src/nats/connection/tls-first.ts";
import { findNatsServer } from "../../src/nats/server/find-nats-server.ts";
import { temporaryDirectory } from "../store/support/temporary-store.ts";
import { DaemonProcess } from "../support/daemon-process.ts";
import { matching } from "../support/matchers.ts";
import { startStopwatch } from "../support/pace/pace.ts";
import { until } from "../support/until.ts";

/** Pids of the processes with `argument` in their command line. */
function processesWith(argument: string): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((pid) => {
      try {
        return readFileSync(join("/proc", pid, "cmdline"), "utf8").includes(argument);
      } catch {
        return false; // The process has exited.
      }
    })
    .map(Number);
}

test("a private nats-server is started, reported and used, and is gone after kill -9", async (context) => {
  context.skip(await natsAnswers("127.0.0.1", 4222, 1_000), "a NATS server listens on 127.0.0.1:4222");
  await using daemon = await DaemonProcess.start();
  const store = join(daemon.dataDir, "nats");
  const started = daemon.logLines().find(({ msg }) => msg.includes("started a private one"));
  expect(started).toMatchObject({ level: "info", url: matching(/^nats:\/\/127\.0\.0\.1:\d+$/), storeDir: store });
  const port = Number(new URL(String(started?.["url"])).port);
  expect(port).not.toBe(4222);
  expect(processesWith(store)).toContain(started?.["pid"]);
  expect((await daemon.health("/readyz")).body.checks).toContainEqual({
    name: "nats",
    ok: true,
    message: matching(new RegExp(`connected to 127\\.0\\.0\\.1:${port} .* at_least_once from stream OC_RESOURCES, 0 behind`)),
  });

  await daemon.kill();
  await until("the private server is gone", () => processesWith(store).length === 0);
  expect(await natsAnswers("127.0.0.1", port, 1_000)).toBe(false);

  await daemon.start();
  expect(processesWith(store)).not.toEqual([]);
  expect(await daemon.stop()).toEqual({ code: 0, signal: null });
  await until("the private server is gone again", () => processesWith(store).length === 0);
});

/** A nats-server that waits for permission to start. */
function hesitantNatsServer(): { readonly path: string; go(): void } & Disposable {
  const directory = temporaryDirectory();
  const signal = join(directory.path, "go");
  const path = join(directory.path, "nats-server");
  const wait = `until [ -e "${signal}" ]; do sleep 0.02; done`;
  writeFileSync(path, `#!/bin/sh\n${wait}\nexec "${findNatsServer(process.env)}" "$@"\n`, { mode: 0o700 });
  return { path, go: () => writeFileSync(signal, ""), [Symbol.dispose]: () => directory[Symbol.dispose]() };
}

test("while its private nats-server starts, the daemon reports that it is starting", async (context) => {
  context.skip(await natsAnswers("127.0.0.1", 4222, 1_000), "a NATS server listens on 127.0.0.1:4222");
  using hesitant = hesitantNatsServer();
  await using daemon = await DaemonProcess.start({ env: { NATS_SERVER: hesitant.path }, until: "nothing" });
  const startup = () => daemon.health("/startupz").catch(() => undefined);
  const early = await until("the API answers", startup);
  expect(early).toEqual({
    status: 503,
    body: { status: "failing", checks: [{ name: "start", ok: false, message: "in progress" }] },
  });
  expect((await daemon.health("/readyz")).body.checks).toContainEqual({
    name: "nats",
    ok: false,
    message: "looking for a server",
  });
  expect((await daemon.health("/livez")).status).toBe(200);
  hesitant.go();
  await until("the start is complete", async () => (await startup())?.status === 200);
});

test("a signal while the private nats-server starts stops both", async (context) => {
  context.skip(await natsAnswers("127.0.0.1", 4222, 1_000), "a NATS server listens on 127.0.0.1:4222");
  using hesitant = hesitantNatsServer();
  await using daemon = await DaemonProcess.start({ env: { NATS_SERVER: hesitant.path }, until: "nothing" });
  await until("the API answers", () => daemon.health("/startupz").catch(() => undefined));
  const stopwatch = startStopwatch();
  expect(await daemon.stop()).toEqual({ code: 0, signal: null });
  expect(stopwatch.elapsedMs(), `${stopwatch}`).toBeLessThan(2_000);
  await until("the private server is gone", () => processesWith(join(daemon.dataDir, "nats")).length === 0);
});
