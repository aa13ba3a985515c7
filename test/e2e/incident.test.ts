/**
 * Turns an incident into a test, as docs/FIXTURES.md describes: records a running demo, kills a partner, then exports, redacts and
 * replays the log of a survivor, which leads to the same decisions.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { messageOfLine } from "../../src/fixture/format/message.ts";
import { peerIdOfName } from "../../src/fixture/format/names.ts";
import { parseFixture } from "../../src/fixture/format/parse.ts";
import type { Fixture, MessageLine } from "../../src/fixture/format/schema.ts";
import { unmetExpectations } from "../fixture/replay.ts";
import { rawConnection } from "../store/support/temporary-store.ts";
import { cleanEnv, LAUNCHER } from "../support/daemon-process.ts";
import { type CommandResult, runCommand } from "../support/run-command.ts";
import { until } from "../support/until.ts";

const DEMO_MS = 90_000;
const directory = mkdtempSync(join(tmpdir(), "oc-partnerd-incident-"));
const recorded = join(directory, "night.jsonl");

/** A command that runs until Ctrl-C. */
class Running implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly ended: Promise<number | null>;
  output = "";

  constructor(args: readonly string[]) {
    this.#child = spawn(LAUNCHER, args, {
      cwd: directory,
      env: { ...cleanEnv(), TMPDIR: directory },
      stdio: ["ignore", "pipe", "pipe"],
    });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.setEncoding("utf8").on("data", (chunk: string) => {
        this.output += chunk;
      });
    }
    this.ended = new Promise((resolve) => this.#child.once("close", resolve));
  }

  async says(text: string | RegExp, deadlineMs = 30_000): Promise<void> {
    const said = () => (typeof text === "string" ? this.output.includes(text) : text.test(this.output));
    await until(`it says ${text}`, () => said() || this.#child.exitCode !== null, deadlineMs);
    if (!said()) throw new Error(`it ended, and never said ${text}:\n${this.output}`);
  }

  async interrupt(): Promise<number | null> {
    const child = this.#child;
    child.kill("SIGINT");
    await until("it ends", () => child.exitCode !== null || child.signalCode !== null);
    return this.ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.ended;
  }
}

/** The output of `demo --keep` about a node that keeps running. */
interface Node {
  readonly pid: number;
  readonly nats: string;
  readonly data: string;
}

function nodeOf({ output }: Running, name: string): Node {
  const [, pid, nats, data] = new RegExp(`^ ${name} +(\\d+) +http\\S+ +(nats\\S+) +(\\S+)$`, "m").exec(output) ?? [];
  return { pid: Number(pid), nats: String(nats), data: String(data) };
}

/** Runs a shell command line as a user would; `$oc` is the program. */
function shell(command: string, env: Readonly<Record<string, string>> = {}): Promise<CommandResult> {
  const child = spawn("/bin/sh", ["-c", command], { cwd: directory, env: { ...cleanEnv(), oc: LAUNCHER, ...env } });
  const output = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const)
    child[name].setEncoding("utf8").on("data", (chunk: string) => {
      output[name] += chunk;
    });
  return new Promise((resolve) => child.once("close", (code, signal) => resolve({ code, signal, ...output })));
}

function rowsOf(data: string, query: string, ...parameters: readonly unknown[]): Record<string, unknown>[] {
  using raw = rawConnection(join(data, "oc-partnerd.db"), { readonly: true });
  return raw.database.prepare<unknown[], Record<string, unknown>>(query).all(...parameters);
}

let lyon: Node;
/** PeerIDs, DIDs, names, ids and addresses in the survivor's log. */
let secrets: readonly string[];

beforeAll(async () => {
  await using demo = new Running(["demo", "--keep"]);
  await demo.says("The nodes keep running until Ctrl-C", DEMO_MS);
  await demo.says("replay --expect");
  lyon = nodeOf(demo, "lyon");
  const paris = nodeOf(demo, "paris");
  const [known] = rowsOf(lyon.data, "select peer_id, address from desired_peers where name = 'paris'");
  const [peerId, address] = [String(known?.["peer_id"]), String(known?.["address"])];

  await using recorder = new Running(["record", "--nats", lyon.nats, "--out", recorded]);
  await recorder.says("subscribed to NATS");
  // The demo blacklists it at its end.
  expect(await runCommand(["publish", address, "--name", "paris", "--nats", lyon.nats])).toMatchObject({ code: 0 });
  const standing = "select count(*) as streams from session_periods where peer_id = ? and valid_to_at is null";
  await until("the streams are open", () => rowsOf(lyon.data, standing, peerId)[0]?.["streams"] === 2, 30_000);
  const stranger = ["publish", peerIdOfName("stranger"), "--name", "stranger", "--relation", "NONE", "--nats", lyon.nats];
  expect(await runCommand(stranger)).toMatchObject({ code: 0 });
  await until("the log has it", () => rowsOf(lyon.data, "select 1 from desired_peers where name = 'stranger'").length === 1);

  const [before] = rowsOf(lyon.data, "select max(seq) as seq from event_log");
  expect(await shell(`kill -9 ${paris.pid}`)).toMatchObject({ code: 0 });
  const since = "select distinct type from event_log where peer_id = ? and seq > ? order by type";
  await until(
    "the survivor's log shows it",
    () =>
      rowsOf(lyon.data, since, peerId, before?.["seq"])
        .map(({ type }) => type)
        .join() === "OpenFailed,StreamClosed",
    30_000,
  );
  await demo.says("The daemon of paris has exited: SIGKILL");
  expect(await recorder.interrupt()).toBe(0);
  expect(recorder.output).toContain(`recorded 2 messages to ${recorded}`);
  expect(await demo.interrupt(), demo.output).toBe(0);

  const columns = "select peer_id, name, did, address, resource_id from desired_peers";
  const told = rowsOf(lyon.data, columns).flatMap((row) => Object.values(row));
  const addresses = told.flatMap((value) => /\/(?:tcp\/\d+)/.exec(String(value)) ?? []);
  secrets = [...new Set([...told, ...addresses, "127.0.0.1", "lyon", "nantes"].filter((value) => value !== null).map(String))];
});

afterAll(() => rmSync(directory, { recursive: true, force: true }));

const pipeline = '"$oc" export --data "$data" | "$oc" redact | "$oc" replay --expect';

async function exported(): Promise<Fixture> {
  return parseFixture((await shell('"$oc" export --data "$data"', { data: lyon.data })).stdout, "export");
}

const expectations = ({ lines }: Fixture) => lines.filter((line) => "expect" in line).length;

test("export | redact | replay --expect leads to the same decisions", async () => {
  const { code, stdout, stderr } = await shell(pipeline, { data: lyon.data });
  expect({ code, stdout }, stderr).toEqual({ code: 0, stdout: "" });
  const count = expectations(await exported());
  expect(count).toBeGreaterThan(15);
  expect(stderr).toMatch(new RegExp(`^ok: \\d+ s simulated, .*, ${count} expectations held, `));
});

test("a replay with any random waits leads to them", async () => {
  expect(await unmetExpectations(await exported())).toEqual([]);
});

test.each([
  ["is missing", (lines: readonly string[], at: number) => lines.toSpliced(at, 1)],
  [
    "is another",
    (lines: readonly string[], at: number) =>
      lines.with(at, (lines[at] ?? "").replace(/"reason":"\w+"/, '"reason":"protocol_unsupported"')),
  ],
])("an expectation that %s is reported, and exits with 1", async (_, change) => {
  const text = (await shell('"$oc" export --data "$data"', { data: lyon.data })).stdout.trimEnd().split("\n");
  const at = text.findLastIndex((line) => line.includes('"expect":"OpenFailed"'));
  const file = join(directory, "changed.jsonl");
  writeFileSync(file, change(text, at).join("\n"));
  const { code, stdout, stderr } = await runCommand(["replay", file, "--expect"]);
  expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
  expect(stderr).toMatch(
    /expected-log: outbound event \d+ of \w+ is OpenFailed connection_refused, expected (none|OpenFailed protocol_unsupported)\n/,
  );
  expect(stderr).toMatch(/^FAILED: .* expectations did not all hold/m);
});

test("nothing in the redacted fixture reveals identities", async () => {
  const { code, stdout } = await shell('"$oc" export --data "$data" | "$oc" redact', { data: lyon.data });
  expect(code).toBe(0);
  expect(secrets.length).toBeGreaterThan(8);
  const decoded = parseFixture(stdout, "redacted").lines.flatMap((line) =>
    "message" in line
      ? (/"payload":"([\w+/=]+)"/.exec(line.text ?? "")?.slice(1) ?? []).map((text) => Buffer.from(text, "base64").toString())
      : [],
  );
  expect(decoded.join()).toContain('"peer_id"');
  const all = [stdout, ...decoded].join("\n");
  expect(secrets.filter((secret) => all.includes(secret))).toEqual([]);
});

test("the recording has the published bytes, exactly as in the log, and replays", async () => {
  const { lines } = parseFixture(readFileSync(recorded, "utf8"), recorded);
  const published = lines.map((line) => Buffer.from(messageOfLine(line as MessageLine, null).bytes).toString());
  expect(published).toHaveLength(2);
  const kept = rowsOf(lyon.data, "select payload from event_log where payload is not null order by seq desc limit 2");
  expect(published).toEqual(kept.map(({ payload }) => String(payload)).reverse());
  const { code, stdout } = await runCommand(["replay", recorded]);
  expect(code).toBe(0);
  expect(stdout).toContain("PeerDesired PARTNER (changed)");
  expect(stdout).toContain("StreamOpened outbound");
});
