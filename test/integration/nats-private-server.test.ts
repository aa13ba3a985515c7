import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { systemClock } from "../../src/base/clock.ts";
import { natsAnswers } from "../../src/nats/connection/tls-first.ts";
import { startPrivateServer } from "../../src/nats/server/private-server.ts";
import { temporaryDirectory } from "../store/support/temporary-store.ts";
import { errorWith } from "../support/matchers.ts";
import { RecordingLogger } from "../support/recording-logger.ts";
import { until } from "../support/until.ts";

function start(dataDir: string, env: Record<string, string | undefined> = process.env) {
  const logger = new RecordingLogger();
  return { logger, starting: startPrivateServer({ dataDir, env, clock: systemClock, logger }) };
}

const answers = (url: string) => natsAnswers(new URL(url).hostname, Number(new URL(url).port), 1_000);

function isRunning(pid: number): boolean {
  try {
    // A zombie has exited, but its parent never reaps it in a container without init.
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}

/** A parent process, like the daemon: starts a private server, prints its address, and stays alive. */
async function startInAnotherProcess(dataDir: string): Promise<{ parent: ChildProcess; url: string; pid: number }> {
  const module = new URL("../../src/nats/server/private-server.ts", import.meta.url);
  const clock = new URL("../../src/base/clock.ts", import.meta.url);
  const script = `
    import { startPrivateServer } from ${JSON.stringify(module.href)};
    import { systemClock as clock } from ${JSON.stringify(clock.href)};
    const logger = { info() {}, warn() {}, error() {} };
    const server = await startPrivateServer({ dataDir: ${JSON.stringify(dataDir)}, env: process.env, clock, logger });
    console.log(JSON.stringify({ url: server.url, pid: server.pid }));`;
  const parent = spawn(process.execPath, ["--input-type=module", "-e", script], { stdio: ["ignore", "pipe", "inherit"] });
  const [line] = (await once(parent.stdout, "data")) as [Buffer];
  return { parent, ...(JSON.parse(line.toString()) as { url: string; pid: number }) };
}

describe.concurrent("the private NATS server", () => {
  it("listens on loopback, stores data under the data directory, logs this, and stops when disposed", async () => {
    using directory = temporaryDirectory();
    const { logger, starting } = start(directory.path);
    const server = await starting;
    expect(server.url).toMatch(/^nats:\/\/127\.0\.0\.1:\d+$/);
    expect(await answers(server.url)).toBe(true);
    expect(statSync(join(directory.path, "nats", "jetstream")).isDirectory()).toBe(true);
    expect(logger.at("info")[0]).toMatchObject({
      fields: { url: server.url },
      message: expect.stringContaining("private") as string,
    });
    await server[Symbol.asyncDispose]();
    expect(isRunning(server.pid)).toBe(false);
  });

  it("is restarted on the same port when it dies", async () => {
    using directory = temporaryDirectory();
    const { starting } = start(directory.path);
    await using server = await starting;
    const { url, pid } = server;
    process.kill(pid, "SIGKILL");
    await until("another process", () => server.pid !== pid && answers(url), 10_000);
    expect(server.url).toBe(url);
  });

  it.each(["SIGKILL", "SIGTERM"] as const)("exits with a parent that dies by %s", async (signal) => {
    using directory = temporaryDirectory();
    const { parent, url, pid } = await startInAnotherProcess(directory.path);
    expect(await answers(url)).toBe(true);
    expect(isRunning(pid)).toBe(true);
    parent.kill(signal);
    await until("nats-server has ended", () => !isRunning(pid), 10_000);
    expect(await answers(url)).toBe(false);
  });

  it("exits with its parent even if it hangs", async () => {
    using directory = temporaryDirectory();
    const { parent, pid } = await startInAnotherProcess(directory.path);
    process.kill(pid, "SIGSTOP");
    parent.kill("SIGKILL");
    await until("nats-server has ended", () => !isRunning(pid), 15_000);
  });

  it("fails with the server's own error if it does not start", async () => {
    using directory = temporaryDirectory();
    const program = join(directory.path, "nats-server");
    writeFileSync(program, "#!/bin/sh\necho 'no such luck' >&2\nexit 1\n", { mode: 0o755 });
    await expect(start(directory.path, { NATS_SERVER: program }).starting).rejects.toThrow(
      errorWith("nats_unavailable", /did not start: it exited\nno such luck/),
    );
  });

  it("fails if it may not write, or the program is missing", async () => {
    using directory = temporaryDirectory();
    const file = join(directory.path, "file");
    writeFileSync(file, "");
    await expect(start(file).starting).rejects.toThrow(errorWith("data_dir_unwritable", /file/));
    await expect(start(directory.path, { NATS_SERVER: "/nowhere" }).starting).rejects.toThrow(
      errorWith("nats_server_missing", /"\/nowhere"/),
    );
  });
});
