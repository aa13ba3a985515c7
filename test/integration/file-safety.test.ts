/** The files that commands write are for their user alone, and the files that they read cannot make them hang. */
import { execFileSync, spawnSync } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { chmodSync, chownSync, mkdirSync, readdirSync, renameSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { toldStory } from "../store/support/story.ts";
import { temporaryDirectory } from "../store/support/temporary-store.ts";
import { cleanEnv, DaemonProcess, LAUNCHER } from "../support/daemon-process.ts";
import { NEEDS_ROOT } from "../support/needs-root.ts";
import { expectFailure, runCommand } from "../support/run-command.ts";

const NATS = { OCPARTNERD_NATS_URL: "nats://127.0.0.1:9" };
const PORTS = ["--listen", "/ip4/127.0.0.1/tcp/0", "--http", "127.0.0.1:0"];

function directoryOfThisTest(): string {
  const temporary = temporaryDirectory();
  onTestFinished(() => temporary[Symbol.dispose]());
  return temporary.path;
}

function pipeIn(directory: string): string {
  const path = join(directory, "pipe");
  execFileSync("mkfifo", ["-m", "600", path]);
  return path;
}

/** Ed25519 in PEM, mode 0600. */
function writeKey(file: string): void {
  const { privateKey } = generateKeyPairSync("ed25519");
  writeFileSync(file, privateKey.export({ type: "pkcs8", format: "pem" }), { mode: 0o600 });
}

test("every file that a command writes has mode 0600, whatever the umask", async () => {
  using story = toldStory();
  story.store[Symbol.dispose]();
  const out = directoryOfThisTest();
  const data = ["--data", story.directory];
  const commands = (identity: string) => [
    ["export", ...data, "--out", join(out, "night.jsonl")],
    ["redact", join(out, "night.jsonl"), "--out", join(out, "redacted.jsonl")],
    ["shrink", join(out, "night.jsonl"), "--line", '"oslo-1 failed: timeout"', "--out", join(out, "small.jsonl")],
    ["backup", ...data, "--to", join(out, "backup.db")],
    ["archive", ...data, "--before", "9"],
    ["archive", ...data, "--before", "12", "--to", join(out, "archive")],
    ["unarchive", ...data, "--to", join(out, "whole.db")],
    ["record", "--nats", "nats://127.0.0.1:9", "--for", "1s", "--out", join(out, "recorded.jsonl")],
    ["identity", "import", "--data", out, identity],
    ["identity", "export", "--data", out, "--out", join(out, "exported.key")],
  ];
  const key = join(directoryOfThisTest(), "seed");
  writeKey(key);
  const before = process.umask(0);
  onTestFinished(() => void process.umask(before));
  for (const words of commands(key)) {
    const result = await runCommand(words);
    if (words[0] !== "shrink" && words[0] !== "record") expect(result, result.stderr).toMatchObject({ code: 0 });
  }
  const written = [out, join(out, "archive"), join(story.directory, "archive")].flatMap((directory) =>
    readdirSync(directory, { withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(directory, entry.name)),
  );
  expect(written.length).toBeGreaterThanOrEqual(8);
  for (const file of written) expect(`${file} ${(statSync(file).mode & 0o777).toString(8)}`).toBe(`${file} 600`);
});

describe.concurrent("a FIFO that no program writes to is refused at once", () => {
  test.each([
    ["--config", {}],
    ["OCPARTNERD_NATS_TOKEN_FILE", {}],
    ["OCPARTNERD_NATS_URL_FILE", {}],
    ["OCPARTNERD_NATS_CREDS_FILE", {}],
    ["OCPARTNERD_P2P_PSK_FILE", {}],
    ["OCPARTNERD_IDENTITY_FILE", {}],
  ])("as %s", async (name) => {
    using directory = temporaryDirectory();
    const pipe = pipeIn(directory.path);
    const flags = ["--data", join(directory.path, "data"), ...PORTS, ...(name === "--config" ? [name, pipe] : [])];
    const url = name === "OCPARTNERD_NATS_URL_FILE" ? {} : NATS;
    const result = await runCommand(["run", ...flags], { env: { ...url, ...(name !== "--config" && { [name]: pipe }) } });
    expectFailure(result, 78, [pipe, "a FIFO, not a regular file"]);
  });

  test.each([
    ["unarchive", (pipe: string, to: string) => ["unarchive", pipe, "--to", to]],
    ["check", (pipe: string) => ["check", "--data", pipe]],
    ["restore", (pipe: string, to: string) => ["restore", "--from", pipe, "--data", to]],
    ["identity import", (pipe: string, to: string) => ["identity", "import", pipe, "--data", to]],
  ])("by %s", async (_, words) => {
    using directory = temporaryDirectory();
    const pipe = pipeIn(directory.path);
    const result = await runCommand(words(pipe, join(directory.path, "to")));
    expect(result.stderr).toContain("not a regular file");
    expect(result.code).toBeGreaterThan(0);
  });
});

describe.concurrent("a data directory", () => {
  test("whose database is a symbolic link is refused", async () => {
    using directory = temporaryDirectory();
    await using daemon = await DaemonProcess.start({ config: { nats: { url: "nats://127.0.0.1:9" } }, until: "started" });
    await daemon.stop();
    renameSync(daemon.databaseFile, join(directory.path, "elsewhere.db"));
    symlinkSync(join(directory.path, "elsewhere.db"), daemon.databaseFile);
    const result = await runCommand(["run", "--config", daemon.configFile]);
    expectFailure(result, 78, [`${daemon.databaseFile} is a symbolic link`, `into ${daemon.dataDir}`]);
  });

  test("that others can write to is warned about, once", async () => {
    using directory = temporaryDirectory();
    const data = join(directory.path, "data");
    mkdirSync(data);
    chmodSync(data, 0o777);
    await using daemon = await DaemonProcess.start({ config: { data, nats: { url: "nats://127.0.0.1:9" } }, until: "started" });
    const warnings = daemon.logLines().filter(({ msg }) => msg === "unsafe surroundings");
    expect(warnings.filter(({ reason }) => String(reason).includes("mode 0777"))).toMatchObject([
      { level: "warn", data, nextStep: `chmod go-w ${data}` },
    ]);
    expect(warnings.filter(({ reason }) => String(reason).includes("root"))).toHaveLength(process.geteuid?.() === 0 ? 1 : 0);
  });

  test.runIf(process.geteuid?.() === 0)(
    "with a database or key of another user is refused, unless we are root",
    NEEDS_ROOT,
    () => {
      using story = toldStory();
      story.store[Symbol.dispose]();
      const [us, other] = [1_000, 1_001];
      const run = () =>
        spawnSync(LAUNCHER, ["run", "--data", story.directory, ...PORTS], {
          uid: us,
          gid: us,
          env: { ...cleanEnv(), ...NATS },
          cwd: "/",
          encoding: "utf8",
          timeout: 30_000,
        });
      const files = () => readdirSync(story.directory).map((name) => join(story.directory, name));
      for (const file of [story.directory, ...files()]) chownSync(file, us, us);
      chmodSync(join(story.directory, "oc-partnerd.db"), 0o666);
      chownSync(join(story.directory, "oc-partnerd.db"), other, us);
      const first = run();
      expect(first.stderr).toContain(
        `oc-partnerd.db belongs to user ${other}, who can change it, and this process runs as user ${us}`,
      );
      expect(first.status).toBe(78);
      chownSync(join(story.directory, "oc-partnerd.db"), us, us);
      writeKey(join(story.directory, "identity.key"));
      chmodSync(join(story.directory, "identity.key"), 0o640);
      chownSync(join(story.directory, "identity.key"), other, us);
      const second = run();
      expect(second.stderr).toContain(`identity.key belongs to user ${other}, and this process runs as user ${us}`);
      expect(second.status).toBe(78);
    },
  );
});
