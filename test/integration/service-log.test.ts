/** The service log never makes the daemon wait, however its lines are read. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, existsSync, openSync, readFileSync, renameSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { temporaryDirectory } from "../store/support/temporary-store.ts";
import { type ConfigFile, cleanEnv, DaemonProcess, LAUNCHER } from "../support/daemon-process.ts";
import { databaseFaults } from "../support/database-check.ts";
import { CREATE } from "../support/messages.ts";
import { NatsServer } from "../support/nats-server.ts";
import { bound, paceMs, startStopwatch } from "../support/pace/pace.ts";
import { testPipe } from "../support/pipes.ts";
import { Publisher } from "../support/publisher.ts";
import { listenSilently } from "../support/tcp-listener.ts";

/** Kubernetes may kill a native sidecar two seconds after SIGTERM. */
const STOP_WITHIN_MS = paceMs(bound(2_000));
/** How long a reader that is stuck may take for the last lines, less the precision of a clock. */
const LAST_LINES_MS = 490;
const DROPPED = "oc_partnerd_service_log_dropped_total";
const FORMATS = ["json", "human"] as const;

/** No NATS server answers, so that the daemon logs a failure now and then. */
const quiet = (format: (typeof FORMATS)[number]): ConfigFile => ({
  nats: { url: "nats://127.0.0.1:1" },
  log: { level: "debug", format },
});

async function expectQuickStop(daemon: DaemonProcess): Promise<void> {
  const stopwatch = startStopwatch();
  expect(await daemon.stop()).toEqual({ code: 0, signal: null });
  expect(stopwatch.elapsedMs(), `${stopwatch}`).toBeLessThan(STOP_WITHIN_MS);
  expect(daemon.stderr).toBe("");
  expect(daemon.sql("select type from event_log order by seq desc limit 1")).toEqual([{ type: "DaemonStopped" }]);
  expect(databaseFaults(daemon)).toEqual([]);
}

describe.each(FORMATS)("in the format %s", (format) => {
  test("on a full disk, the daemon serves and stops", async () => {
    const full = openSync("/dev/full", "w");
    await using daemon = await DaemonProcess.start({ config: quiet(format), stdout: full, until: "started" });
    closeSync(full);
    expect((await daemon.health("/livez")).status).toBe(200);
    await expectQuickStop(daemon);
  });

  test("with a reader that is stuck, the daemon serves and stops; one that reads again gets the lines", async () => {
    using pipe = testPipe();
    pipe.fill();
    await using daemon = await DaemonProcess.start({ config: quiet(format), stdout: pipe.writer, until: "started" });
    expect((await daemon.health("/livez")).status).toBe(200);
    pipe.read();
    await daemon.until("the lines arrive", () => pipe.read().includes("oc-partnerd is running"));
    pipe.fill();
    const exitedMs = daemon.exited.then(() => Date.now());
    await expectQuickStop(daemon);
    // It gave the reader time for the last lines.
    const stoppedMs = daemon.count("select at_ms from event_log where type = 'DaemonStopped'");
    expect((await exitedMs) - stoppedMs).toBeGreaterThanOrEqual(LAST_LINES_MS);
  });

  test("without a reader, the daemon keeps running and counts the lines; a new reader is told how many it missed", async () => {
    using pipe = testPipe();
    await using daemon = await DaemonProcess.start({ config: quiet(format), stdout: pipe.writer, until: "started" });
    pipe.closeReader();
    const gone = `${DROPPED}{reason="reader_gone"}`;
    // It logs that it has read its files again.
    daemon.send("SIGHUP");
    await daemon.until("a line is dropped", async () => ((await daemon.metric(gone)) ?? 0) > 0);
    pipe.reopenReader();
    await daemon.until("a line says how many", () => pipe.read().includes("service log lines were dropped"));
    pipe.closeReader();
    await expectQuickStop(daemon);
  });

  test("the last line is written at the exit, also if the reader is slow", async () => {
    using pipe = testPipe();
    await using daemon = await DaemonProcess.start({ config: quiet(format), stdout: pipe.writer, until: "started" });
    pipe.read();
    pipe.fill();
    daemon.send("SIGTERM");
    await daemon.until("it no longer listens", () =>
      daemon.fetch("/livez").then(
        () => false,
        () => true,
      ),
    );
    let text = pipe.read();
    expect(await daemon.exited).toEqual({ code: 0, signal: null });
    text += pipe.read();
    expect(text.trimEnd().split("\n").at(-1)).toContain("stopped");
  });
});

test("lines that a stuck reader leaves no room for are counted, and reported where they are missing once it reads again", async () => {
  /** Each is a line of about 500 bytes: together twice as many as the buffer holds. */
  const messages = 4_000;
  const unusable = JSON.stringify({ FromApp: "x".repeat(250), Datatype: "PEER", Payload: 1 });
  await using nats = await NatsServer.start();
  await using publisher = await Publisher.connect(nats);
  using pipe = testPipe();
  pipe.fill();
  const config = { nats: { url: nats.url, mode: "core" }, log: { format: "json" } } as const;
  await using daemon = await DaemonProcess.start({ config, stdout: pipe.writer });
  await Promise.all(Array.from({ length: messages }, () => publisher.publish(CREATE, unusable)));
  const rejected = 'oc_partnerd_events_received_total{result="rejected"}';
  await daemon.until("all are in the event log", async () => (await daemon.metric(rejected)) === messages, 10_000);
  const dropped = await daemon.metric(`${DROPPED}{reason="buffer_full"}`);
  expect(dropped).toBeGreaterThan(0);
  expect((await daemon.health("/readyz")).status).toBe(200);

  let text = "";
  const complete = (part: string) => part.split("\n").filter((line) => line.startsWith("{") && line.endsWith("}"));
  await daemon.until("a line says how many", () => {
    text += pipe.read();
    return complete(text).some((line) => line.includes("service log lines were dropped"));
  });
  const lines = complete(text).map((line) => JSON.parse(line) as { readonly msg: string; readonly lines?: number });
  expect(lines.filter(({ msg }) => msg.includes("dropped"))).toMatchObject([{ level: "error", lines: dropped }]);
  expect(lines.filter(({ msg }) => msg.startsWith("rejected an unusable event"))).toHaveLength(messages - (dropped ?? 0));
  expect(await daemon.metric(`${DROPPED}{reason="buffer_full"}`)).toBe(dropped);
  await expectQuickStop(daemon);
});

test("SIGHUP opens a log file again by its name, and appends to it", async () => {
  using directory = temporaryDirectory();
  const path = join(directory.path, "service.log");
  const file = openSync(path, "a");
  await using daemon = await DaemonProcess.start({ config: quiet("json"), stdout: file, until: "started" });
  closeSync(file);
  renameSync(path, `${path}.1`);
  daemon.send("SIGHUP");
  await daemon.until("the new file has a line", () => {
    try {
      return readFileSync(path, "utf8").includes("reopened the service log");
    } catch {
      return false; // Not there yet.
    }
  });
  await expectQuickStop(daemon);
  expect(readFileSync(`${path}.1`, "utf8")).toContain("oc-partnerd is running");
  expect(readFileSync(path, "utf8")).toContain('"msg":"stopped"');
});

describe("on a terminal", () => {
  /** Runs `daemon` on a terminal; what it prints there arrives on the output of the process. */
  async function onTerminal(daemon: DaemonProcess) {
    const command = `exec ${LAUNCHER} run --config ${daemon.configFile}`;
    const script = spawn("script", ["--quiet", "--command", command, "/dev/null"], { env: cleanEnv(), stdio: "pipe" });
    const shown = { text: "" };
    script.stdout.setEncoding("utf8").on("data", (chunk: string) => {
      shown.text += chunk;
    });
    const closed = once(script, "close");
    await daemon.until("it runs on the terminal", () => shown.text.includes("oc-partnerd is running"));
    const pid = Number(readFileSync(`/proc/${script.pid}/task/${script.pid}/children`, "utf8"));
    return { script, shown, closed, pid, [Symbol.dispose]: () => void script.kill("SIGKILL") };
  }

  async function prepared(): Promise<DaemonProcess> {
    const daemon = await DaemonProcess.start({ config: quiet("human"), until: "nothing" });
    await daemon.kill();
    return daemon;
  }

  test("the last line is there after the exit", async () => {
    await using daemon = await prepared();
    using terminal = await onTerminal(daemon);
    process.kill(terminal.pid, "SIGTERM");
    await terminal.closed;
    expect(terminal.shown.text.trimEnd().split("\n").at(-1)).toMatch(/ stopped$/);
  });

  test("Ctrl-S stops the output and not the daemon", async () => {
    await using daemon = await prepared();
    using terminal = await onTerminal(daemon);
    terminal.script.stdin.write("\u0013");
    expect((await daemon.health("/livez")).status).toBe(200);
    process.kill(terminal.pid, "SIGTERM");
    await daemon.until("it has stopped", () => !existsSync(`/proc/${terminal.pid}`));
    expect(daemon.sql("select type from event_log order by seq desc limit 1")).toEqual([{ type: "DaemonStopped" }]);
  });
});

test("what the NATS client prints about a server that it does not understand is a line like all others", async () => {
  await using owner = new AsyncDisposableStack();
  const port = await listenSilently(
    owner,
    'INFO {"server_id":"x","version":"2.10.0","proto":1,"headers":true}\r\nPONG\r\nHELLO\r\n',
  );
  await using daemon = await DaemonProcess.start({
    config: { nats: { url: `nats://127.0.0.1:${port}`, mode: "core" } },
    until: "started",
  });
  const printed = "a library wrote to the console";
  await daemon.until("the client has printed", () => daemon.output.includes("reader closed"));
  await daemon.until("it is a line of the log", () => daemon.logLines().some(({ msg }) => msg === printed));
});
