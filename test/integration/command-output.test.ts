/** Commands whose output cannot be written, or is not read. */
import { spawn } from "node:child_process";
import { closeSync, openSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { envelopeOf, messageLine } from "../../src/fixture/format/message.ts";
import { formatHeader, formatLine } from "../../src/fixture/format/parse.ts";
import { FIXTURE_VERSION, headerSchema } from "../../src/fixture/format/schema.ts";
import { cleanEnv, DaemonProcess, LAUNCHER } from "../support/daemon-process.ts";
import { NEEDS_ROOT } from "../support/needs-root.ts";
import { startDeadline } from "../support/pace/pace.ts";
import { peerIdOfSeed } from "../support/peer-ids.ts";
import { testPipe } from "../support/pipes.ts";
import { smallDisk } from "../support/small-disk.ts";

const FILE_FAILED = 74;

let daemon: DaemonProcess;
beforeAll(async () => {
  daemon = await DaemonProcess.start({ config: { nats: { url: "nats://127.0.0.1:1" } }, until: "started" });
});
afterAll(() => daemon[Symbol.asyncDispose]());

interface Ended {
  readonly code: number | null;
  readonly stderr: string;
}

/** Runs a command with descriptors of the test's as its output. */
async function runInto(args: readonly string[], stdout: number | "pipe", stderr: number | "pipe" = "pipe"): Promise<Ended> {
  using limit = startDeadline(20_000, `oc-partnerd ${args.join(" ")} did not end`);
  const child = spawn(LAUNCHER, args, {
    env: cleanEnv(),
    stdio: ["ignore", stdout, stderr],
    signal: limit.signal,
    killSignal: "SIGKILL",
  });
  let text = "";
  child.stdout?.resume();
  child.stderr?.setEncoding("utf8").on("data", (chunk: string) => {
    text += chunk;
  });
  return await new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve({ code, stderr: text }));
  });
}

const commands = (): readonly (readonly string[])[] => [
  ["export", "--data", daemon.dataDir],
  ["peers", "--config", daemon.configFile],
  ["peers", "--as-of", "1s", "--data", daemon.dataDir],
  ["check", "--data", daemon.dataDir],
  ["identity", "show", "--data", daemon.dataDir],
  ["archive", "--help"],
  ["--version"],
];

test("on a full disk, a command exits with 74 and one line on standard error", async () => {
  const full = openSync("/dev/full", "w");
  for (const args of commands()) {
    const { code, stderr } = await runInto(args, full);
    expect(code, args.join(" ")).toBe(FILE_FAILED);
    expect(stderr, args.join(" ")).toMatch(/^oc-partnerd: cannot write to standard output: ENOSPC.*\n$/);
  }
  closeSync(full);
});

test("a disk that becomes full in the middle of the output is noticed", NEEDS_ROOT, async (context) => {
  context.skip(process.getuid?.() !== 0, "needs root, to mount a file system");
  using disk = smallDisk(1);
  const [path, reserve, fixture] = [join(disk.path, "out"), join(disk.path, "reserve"), join(daemon.dataDir, "long.jsonl")];
  const peerId = await peerIdOfSeed(1);
  const record = envelopeOf({ peerId, address: null, relation: "NONE", fromApp: "oc-api" });
  const message = messageLine(0, { subject: "CREATE_RESOURCE", bytes: Buffer.from(record) });
  const header = formatHeader(headerSchema.parse({ fixture: "oc-partnerd", version: FIXTURE_VERSION, seed: 1 }));
  writeFileSync(fixture, [header, ...Array.from({ length: 100 }, () => formatLine(message)), ""].join("\n"));
  writeFileSync(reserve, Buffer.alloc(4_096));
  const out = openSync(path, "w");
  disk.fill();
  rmSync(reserve);
  const { code, stderr } = await runInto(["redact", fixture], out);
  expect(code).toBe(FILE_FAILED);
  expect(stderr).toContain("cannot write to standard output: ENOSPC");
  closeSync(out);
  expect(statSync(path).size).toBe(4_096);
});

describe("a reader that is gone", () => {
  test.each([
    ["leaves the exit code of a check that found something", ["--head", "1:00000000"], 1],
    ["leaves the exit code of a check that found nothing", [], 0],
  ])("%s", async (_, flags, code) => {
    using pipe = testPipe();
    pipe.closeReader();
    expect(await runInto(["check", "--data", daemon.dataDir, ...flags], pipe.writer)).toEqual({ code, stderr: "" });
  });

  test("ends an export, quietly", async () => {
    using pipe = testPipe();
    pipe.closeReader();
    expect(await runInto(["export", "--data", daemon.dataDir], pipe.writer)).toEqual({ code: 0, stderr: "" });
  });
});

describe("standard error that cannot be written", () => {
  test("does not change the exit code", async () => {
    const full = openSync("/dev/full", "w");
    expect((await runInto(["check", "--data", "/nowhere"], "pipe", full)).code).not.toBe(0);
    expect((await runInto(["peers", "--nonsense"], "pipe", full)).code).toBe(64);
    expect((await runInto(["run", "--config", "/nowhere.json"], "pipe", full)).code).toBe(78);
    closeSync(full);
  });

  test("does not keep a daemon that failed to start", async () => {
    using pipe = testPipe();
    pipe.fill();
    expect((await runInto(["run", "--config", "/nowhere.json"], "pipe", pipe.writer)).code).toBe(78);
  });
});
