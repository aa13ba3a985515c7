/** A daemon that runs out of file descriptors says so, keeps its streams, and still answers health checks. */
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { afterEach, beforeEach, expect, test } from "vitest";
import { DaemonProcess } from "../support/daemon-process.ts";
import { NatsServer } from "../support/nats-server.ts";

let owner: AsyncDisposableStack;

beforeEach(() => {
  owner = new AsyncDisposableStack();
});

afterEach(() => owner.disposeAsync());

test("fewer connections than configured are allowed if the limit of open files is low", async () => {
  const nats = owner.use(await NatsServer.start());
  const daemon = owner.use(await DaemonProcess.start({ config: { nats: { url: nats.url } }, openFiles: 1_024 }));
  expect(daemon.logLines()).toContainEqual(
    expect.objectContaining({
      level: "warn",
      msg: "the limit of open files allows fewer connections than p2p.maxConnections",
      descriptors: 1_024,
      connections: 704,
    }),
  );
  const { body } = await daemon.health("/readyz");
  expect(body.checks).toContainEqual({ name: "connections", ok: true, message: "0 of 704 in use, 0 of them by strangers" });
});

test("health checks are answered when no descriptor is left", async () => {
  const nats = owner.use(await NatsServer.start());
  const daemon = owner.use(await DaemonProcess.start({ config: { nats: { url: nats.url } } }));
  const limit = (files: number) => spawnSync("prlimit", ["--pid", String(daemon.pid), `--nofile=${files}:`]).status;
  const used = new Set(readdirSync(`/proc/${daemon.pid}/fd`).map(Number));
  const lowestFree =
    Array.from(used.keys(), (descriptor) => descriptor + 1)
      .filter((next) => !used.has(next))
      .sort((a, b) => a - b)[0] ?? 0;
  // A new file gets the lowest free number. Files that are open already stay open, whatever their number.
  expect(limit(lowestFree)).toBe(0);

  await daemon.until("the log says so", () => daemon.logLines().find(({ msg }) => msg === "out of file descriptors"));
  const { status, body } = await daemon.health("/readyz");
  expect(status).toBe(503);
  expect(body.checks.find(({ name }) => name === "connections")).toMatchObject({ ok: false });
  expect((await daemon.health("/livez")).status).toBe(200);

  expect(limit(1_000)).toBe(0);
  await daemon.until("the log says that it is over", () =>
    daemon.logLines().find(({ msg }) => msg === "file descriptors are available again"),
  );
  expect((await daemon.health("/readyz")).status).toBe(200);
});
