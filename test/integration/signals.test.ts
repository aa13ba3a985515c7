/** Which signal does what to `oc-partnerd run`, also before it has started and as process 1 of a container. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { constants } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { temporaryDirectory } from "../store/support/temporary-store.ts";
import { cleanEnv, DaemonProcess, type Exit, LAUNCHER } from "../support/daemon-process.ts";
import { bound, paceMs, startStopwatch } from "../support/pace/pace.ts";
import { until } from "../support/until.ts";

const STOP_WITHIN_MS = paceMs(bound(2_000));
const NO_NATS = { url: "nats://127.0.0.1:1" };
const [OLD_TOKEN, NEW_TOKEN] = ["a".repeat(40), "b".repeat(40)];

const stopRow = "select type from event_log order by seq desc limit 1";

test("SIGUSR1 opens no debugger, SIGUSR2 does nothing, and SIGTERM still drains", async () => {
  await using daemon = await DaemonProcess.start({ config: { nats: NO_NATS }, until: "started" });
  const sockets = () => listening(daemon.pid);
  const before = sockets();
  for (const signal of ["SIGUSR1", "SIGUSR2"] as const) daemon.send(signal);
  daemon.send("SIGHUP");
  await daemon.until("a later signal is handled", () => daemon.logLines().some(({ msg }) => msg === "token files read again"));
  expect(sockets()).toEqual(before);
  expect(daemon.stderr).toBe("");
  expect(await daemon.stop()).toEqual({ code: 0, signal: null });
  expect(daemon.sql(stopRow)).toEqual([{ type: "DaemonStopped" }]);
});

test("SIGHUP reads the token files again, and keeps the tokens if a file is unusable", async () => {
  using directory = temporaryDirectory();
  const writeTokenFile = join(directory.path, "token");
  writeFileSync(writeTokenFile, OLD_TOKEN, { mode: 0o600 });
  await using daemon = await DaemonProcess.start({ config: { nats: NO_NATS }, until: "nothing" });
  await daemon.kill();
  const config = JSON.parse(readFileSync(daemon.configFile, "utf8")) as { http: string };
  writeFileSync(daemon.configFile, JSON.stringify({ ...config, http: { listen: config.http, writeTokenFile } }));
  await daemon.start("started");
  const answers = async (token: string) => {
    const response = await fetch(`${daemon.httpUrl}/v1/self`, { headers: { authorization: `Bearer ${token}` } });
    await response.arrayBuffer();
    return response.status;
  };
  const reload = async (contents: string, says: string) => {
    writeFileSync(writeTokenFile, contents);
    const seen = daemon.logLines().length;
    daemon.send("SIGHUP");
    await daemon.until(says, () =>
      daemon
        .logLines()
        .slice(seen)
        .some(({ msg }) => msg.startsWith(says)),
    );
  };
  expect(await answers(OLD_TOKEN)).toBe(200);
  await reload(NEW_TOKEN, "token files read again");
  expect([await answers(OLD_TOKEN), await answers(NEW_TOKEN)]).toEqual([401, 200]);
  await reload("short", "cannot read the token files");
  expect(await answers(NEW_TOKEN)).toBe(200);
  expect(daemon.output).not.toContain(NEW_TOKEN);
});

test("SIGHUP drains if the terminal goes away", async () => {
  await using daemon = await DaemonProcess.start({ config: { nats: NO_NATS }, until: "nothing" });
  await daemon.kill();
  const command = `exec ${LAUNCHER} run --config ${daemon.configFile}`;
  const terminal = spawn("script", ["--quiet", "--command", command, "/dev/null"], {
    env: cleanEnv(),
    stdio: ["pipe", "pipe", "ignore"],
  });
  terminal.stdout.resume();
  await daemon.until("it runs on the terminal", async () => {
    try {
      return (await daemon.fetch("/startupz")).ok;
    } catch {
      return false; // Not listening yet.
    }
  });
  terminal.kill("SIGKILL");
  await daemon.until("the daemon has stopped in an orderly way", () => daemon.sql(stopRow)[0]?.["type"] === "DaemonStopped");
  await daemon.until("it has exited", async () => !(await isServing(daemon)));
});

describe("SIGTERM while it starts", () => {
  test.each([0, 100, 200, 400, 800])("after %s ms ends it", async (afterMs) => {
    await using daemon = await DaemonProcess.start({ config: { nats: NO_NATS }, until: "nothing" });
    // Not a wait for a condition: the moment is the point of the test.
    await new Promise((resolve) => setTimeout(resolve, afterMs));
    const stopwatch = startStopwatch();
    const exit = await daemon.stop();
    expect(stopwatch.elapsedMs(), `${stopwatch}`).toBeLessThan(STOP_WITHIN_MS);
    // Before Node runs, the signal has its default action.
    expect([
      { code: 0, signal: null },
      { code: null, signal: "SIGTERM" },
    ]).toContainEqual(exit);
  });
});

const mayUnshare = spawnSync("unshare", ["--map-root-user", "--pid", "--fork", "--mount-proc", "true"]).status === 0;

describe.skipIf(!mayUnshare)("as process 1", () => {
  /** A daemon that is process 1 of its own namespace. */
  async function startAsInit(
    daemon: DaemonProcess,
  ): Promise<{ readonly pid: number; readonly exited: Promise<Exit> } & Disposable> {
    const options = ["--map-root-user", "--pid", "--fork", "--mount-proc", "--kill-child"];
    const unshare = spawn("unshare", [...options, LAUNCHER, "run", "--config", daemon.configFile], {
      env: cleanEnv(),
      stdio: "ignore",
    });
    const exited = new Promise<Exit>((resolve) => unshare.once("exit", (code, signal) => resolve({ code, signal })));
    const pid = await until("process 1 runs the launcher and catches signals", () => launcherIn(unshare));
    return { pid, exited, [Symbol.dispose]: () => void unshare.kill("SIGKILL") };
  }

  const prepared = async () => {
    const daemon = await DaemonProcess.start({ config: { nats: NO_NATS }, until: "nothing" });
    await daemon.kill();
    return daemon;
  };

  test.each([0, 50, 100, 200, 400, 800])("a SIGTERM after %s ms is not lost", async (afterMs) => {
    await using daemon = await prepared();
    using init = await startAsInit(daemon);
    await new Promise((resolve) => setTimeout(resolve, afterMs));
    const stopwatch = startStopwatch();
    process.kill(init.pid, "SIGTERM");
    const { code } = await init.exited;
    expect(stopwatch.elapsedMs(), `${stopwatch}`).toBeLessThan(STOP_WITHIN_MS);
    expect([0, 143]).toContain(code);
  });

  test.each(["SIGTERM", "SIGINT"] as const)("%s drains the daemon, whose exit code is passed on", async (signal) => {
    await using daemon = await prepared();
    using init = await startAsInit(daemon);
    await daemon.until("it serves", () => isServing(daemon));
    process.kill(init.pid, "SIGUSR1");
    process.kill(init.pid, signal);
    expect(await init.exited).toEqual({ code: 0, signal: null });
    expect(daemon.sql(stopRow)).toEqual([{ type: "DaemonStopped" }]);
  });

  test("a closed standard input does not keep the launcher from starting Node", () => {
    const isolated = "exec unshare --map-root-user --pid --fork --mount-proc --kill-child";
    const { status, stderr } = spawnSync("sh", ["-c", `${isolated} "$0" --version <&-`, LAUNCHER], { encoding: "utf8" });
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  });

  test("orphans of other processes are reaped", async () => {
    await using daemon = await prepared();
    using init = await startAsInit(daemon);
    await daemon.until("it serves", () => isServing(daemon));
    const [daemonPid] = childrenOf(init.pid);
    // In its namespace: a process whose parent exits first. It must not inherit a pipe, for whose end spawnSync would wait.
    const inside = ["--target", String(init.pid), "--user", "--pid", "--preserve-credentials"];
    spawnSync("nsenter", [...inside, "sh", "-c", "(sleep 1000 &) ; exit 0"], { stdio: "ignore" });
    const orphan = await until("the orphan is a child of process 1", () => childrenOf(init.pid).find((pid) => pid !== daemonPid));
    process.kill(orphan, "SIGKILL");
    await until("it is reaped", () => !childrenOf(init.pid).includes(orphan));
    expect(childrenOf(init.pid)).toEqual([daemonPid]);
    process.kill(init.pid, "SIGTERM");
    expect(await init.exited).toEqual({ code: 0, signal: null });
  });
});

function childrenOf(pid: number): readonly number[] {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8");
  return text
    .split(" ")
    .filter((word) => word !== "")
    .map(Number);
}

/** The pid of process 1, once it runs the launcher and catches SIGTERM, which the kernel would discard before. */
function launcherIn(unshare: ChildProcess): number | undefined {
  if (unshare.exitCode !== null) throw new Error(`unshare exited with ${unshare.exitCode}`);
  const pid = childrenOf(unshare.pid ?? -1)[0];
  if (pid === undefined) return undefined;
  const [program = ""] = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
  return program === "/bin/sh" && catches(pid, constants.signals.SIGTERM) ? pid : undefined;
}

function catches(pid: number, signal: number): boolean {
  const [, mask = "0"] = /^SigCgt:\s+([0-9a-f]+)$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
  return ((BigInt(`0x${mask}`) >> BigInt(signal - 1)) & 1n) === 1n;
}

async function isServing(daemon: DaemonProcess): Promise<boolean> {
  try {
    const response = await daemon.fetch("/startupz");
    await response.arrayBuffer();
    return response.ok;
  } catch {
    return false; // Not listening.
  }
}

/** The inodes of the listening TCP sockets of process `pid`. */
function listening(pid: number): readonly string[] {
  const rows = ["tcp", "tcp6"].flatMap((name) => readFileSync(`/proc/${pid}/net/${name}`, "utf8").trim().split("\n").slice(1));
  const inodes = new Set(
    rows
      .map((row) => row.trim().split(/\s+/))
      .filter(([, , , state]) => state === "0A")
      .map((row) => row[9] ?? ""),
  );
  return readdirSync(`/proc/${pid}/fd`)
    .map((descriptor) => {
      try {
        return readFileSync(`/proc/${pid}/fdinfo/${descriptor}`, "utf8");
      } catch {
        return ""; // Closed in the meantime.
      }
    })
    .flatMap((info) => /^ino:\s+(\d+)$/m.exec(info)?.[1] ?? [])
    .filter((inode) => inodes.has(inode))
    .sort();
}
