/** Fixtures with real parts: a recorded broker, the exported log of a running daemon, and user errors. */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { endsWithParent } from "../../src/base/ends-with-parent.ts";
import { messageOfLine } from "../../src/fixture/format/message.ts";
import { peerIdOfName } from "../../src/fixture/format/names.ts";
import { parseFixture } from "../../src/fixture/format/parse.ts";
import type { Fixture, MessageLine } from "../../src/fixture/format/schema.ts";
import type { PeerView } from "../../src/views/api.ts";
import { unmetExpectations } from "../fixture/replay.ts";
import { cleanEnv, type Exit, LAUNCHER } from "../support/daemon-process.ts";
import { databaseFaults } from "../support/database-check.ts";
import { CREATE, REMOVE } from "../support/messages.ts";
import { NatsServer } from "../support/nats-server.ts";
import { type Participant, startParticipants } from "../support/participant.ts";
import { hasInbound, isEstablished, whenPeer } from "../support/peer-watch.ts";
import { Publisher } from "../support/publisher.ts";
import { type CommandResult, expectFailure, runCommand } from "../support/run-command.ts";
import { until } from "../support/until.ts";

const HEADER = '{"fixture":"oc-partnerd","version":1}';
const NOBODY = "nats://127.0.0.1:9";

const directory = mkdtempSync(join(tmpdir(), "oc-partnerd-fixtures-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

let files = 0;
const newFile = () => join(directory, `${++files}.jsonl`);

function written(text: string | Uint8Array): string {
  const file = newFile();
  writeFileSync(file, text);
  return file;
}

const parsed = (text: string): Fixture => parseFixture(text, "output");
const parsedFile = (file: string): Fixture => parseFixture(readFileSync(file, "utf8"), file);

/** A running `oc-partnerd record` process. */
class Recorder implements AsyncDisposable {
  readonly file: string;
  readonly exited: Promise<Exit>;
  readonly #child: ChildProcess;
  stderr = "";

  constructor(nats: string, args: readonly string[] = [], file = newFile()) {
    this.file = file;
    const child = spawn(...endsWithParent(LAUNCHER, ["record", "--nats", nats, "--out", file, ...args]), {
      cwd: directory,
      env: cleanEnv(),
      stdio: ["pipe", "ignore", "pipe"],
    });
    this.#child = child;
    child.stdin.on("error", () => {});
    child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
      this.stderr += chunk;
    });
    this.exited = new Promise((resolve) => {
      child.once("exit", () => child.stdin.destroy());
      child.once("close", (code, signal) => resolve({ code, signal }));
    });
  }

  says(text: string | RegExp): Promise<unknown> {
    return until(
      `the recorder says ${text}`,
      () => (typeof text === "string" ? this.stderr.includes(text) : text.test(this.stderr)),
      30_000,
    ).catch((error: unknown) => {
      throw new Error(`${String(error)}\n${this.stderr}`, { cause: error });
    });
  }

  subscribed(): Promise<unknown> {
    return this.says("subscribed to NATS");
  }

  send(signal: NodeJS.Signals): Promise<Exit> {
    this.#child.kill(signal);
    return this.exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.send("SIGKILL");
  }
}

/** Runs a shell pipeline as a user would; `$oc` is the program. */
function shell(command: string): Promise<CommandResult> {
  const child = spawn("/bin/sh", ["-c", command], {
    cwd: directory,
    env: { ...cleanEnv(), oc: LAUNCHER },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const output = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const)
    child[name].setEncoding("utf8").on("data", (chunk: string) => {
      output[name] += chunk;
    });
  return new Promise((resolve) => child.once("close", (code, signal) => resolve({ code, signal, ...output })));
}

describe("record", () => {
  const owner = new AsyncDisposableStack();
  let nats: NatsServer;
  let publisher: Publisher;
  beforeAll(async () => {
    nats = owner.use(await NatsServer.start());
    publisher = owner.use(await Publisher.connect(nats));
  });
  afterAll(() => owner.disposeAsync());

  test.each(["SIGINT", "SIGTERM"] as const)("writes every message as it arrives, until %s", async (signal) => {
    await using recorder = new Recorder(nats.url);
    await recorder.subscribed();
    const sent: [string, Uint8Array][] = [
      [CREATE, Buffer.from('{"FromApp":"oc-api"}')],
      [REMOVE, Buffer.from([0xff, 0, 0x7b])],
      [CREATE, Buffer.from("")],
      [CREATE, Buffer.alloc(1_000_000, "\u0001")],
    ];
    for (const [subject, bytes] of sent) await publisher.publish(subject, bytes);
    await publisher.publish("ANOTHER_SUBJECT", "not of interest");
    await until("all is in the file", () => parsedFile(recorder.file).lines.length === sent.length);

    expect(await recorder.send(signal)).toEqual({ code: 0, signal: null });
    expect(recorder.stderr).toContain(`recording ${CREATE} and ${REMOVE} to ${recorder.file}; press Ctrl-C to stop\n`);
    expect(recorder.stderr).toContain(`connected to NATS at 127.0.0.1:${nats.port}\n`);
    expect(recorder.stderr).toContain(`recorded 4 messages to ${recorder.file}\n`);
    const { header, lines } = parsedFile(recorder.file);
    expect(header.note).toMatch(/^recorded by oc-partnerd .* since \d{4}-.*Z: CREATE_RESOURCE, REMOVE_RESOURCE$/);
    expect(lines.map((line) => messageOfLine(line as MessageLine, null))).toEqual(
      sent.map(([subject, bytes]) => ({ subject, bytes: Buffer.from(bytes) })),
    );
  });

  test("when killed in mid-stream, leaves a valid fixture of everything up to then, in order", async () => {
    await using recorder = new Recorder(nats.url);
    await recorder.subscribed();
    let sent = 0;
    let isOver = false;
    const publishing = (async () => {
      // Long enough that a kill can interrupt a write within a line.
      while (!isOver) await publisher.publish(CREATE, `${sent++} ${"x".repeat(30_000)}`);
    })();
    await until("many are in the file", () => parsedFile(recorder.file).lines.length > 50);
    expect(await recorder.send("SIGKILL")).toEqual({ code: null, signal: "SIGKILL" });
    isOver = true;
    await publishing;
    const { lines } = parsedFile(recorder.file);
    expect(lines.length).toBeGreaterThan(50);
    expect(lines.map((line) => Number.parseInt("text" in line ? (line.text ?? "") : "", 10))).toEqual(
      lines.map((_, index) => index),
    );
  });

  test("stops by itself after --for", async () => {
    await using recorder = new Recorder(nats.url, ["--for", "300ms"]);
    expect(await recorder.exited).toEqual({ code: 0, signal: null });
    expect(recorder.stderr).toContain("recorded 0 messages");
    expect(parsedFile(recorder.file).lines).toEqual([]);
  });

  test("reports that the broker is down, and records when it comes up and when it comes back", async () => {
    await using late = await NatsServer.start({ stopped: true });
    await using recorder = new Recorder(late.url);
    await recorder.says(/not connected to NATS: .*ECONNREFUSED.*; retrying/);
    await late.start();
    await recorder.subscribed();
    const publish = async (text: string) => {
      await using publisher = await Publisher.connect(late);
      await publisher.publish(CREATE, text);
    };
    await publish("first");
    await until("it is recorded", () => parsedFile(recorder.file).lines.length === 1);
    await late.restart();
    await until("it is back", () => recorder.stderr.split("subscribed to NATS").length === 3);
    await publish("second");
    await until("that is recorded too", () => parsedFile(recorder.file).lines.length === 2);
    expect(await recorder.send("SIGINT")).toEqual({ code: 0, signal: null });
  });

  test("uses the time in the file name by default", async () => {
    const cwd = join(directory, "here");
    mkdirSync(cwd);
    const { code, stderr } = await runCommand(["record", "--nats", nats.url, "--for", "200 ms"], { cwd });
    expect(code).toBe(0);
    const [file = ""] = readdirSync(cwd);
    expect(file).toMatch(/^recorded-\d{4}-\d\d-\d\dT\d\d-\d\d-\d\dZ\.jsonl$/);
    expect(stderr).toContain(file);
  });

  test("never overwrites a file", async () => {
    const file = written("dear");
    expectFailure(await runCommand(["record", "--nats", nats.url, "--out", file]), 74, [file, "already exists", "--out"]);
    expect(readFileSync(file, "utf8")).toBe("dear");
  });

  test.each([
    ["a file that cannot be created", ["--out", "/not/there.jsonl"], 74, ["/not/there.jsonl", "ENOENT"]],
    ["an invalid duration", ["--for", "soon"], 64, ['--for is "soon"', "90s"]],
    ["a duration of zero", ["--for", "0s"], 64, ['--for is "0s"']],
    ["an invalid server", ["--nats", "http://127.0.0.1"], 78, ["http://127.0.0.1"]],
  ])("%s", async (_, args, code, mentions) => {
    const before = readdirSync(directory);
    expectFailure(await runCommand(["record", "--nats", NOBODY, ...args], { cwd: directory }), code, mentions);
    expect(readdirSync(directory)).toEqual(before);
  });
});

describe("export of a daemon's log", () => {
  const owner = new AsyncDisposableStack();
  let a: Participant;
  let b: Participant;

  beforeAll(async () => {
    [a, b] = await startParticipants(owner, ["a", "b"]);
    await a.publisher.relate(b, "PARTNER");
    await whenPeer(a.daemon, b.peerId, "the outbound stream is open", isEstablished, 10_000);
    await b.publisher.relate(a, "PARTNER");
    await whenPeer(a.daemon, b.peerId, "the inbound stream is open", hasInbound, 10_000);
    await a.publisher.publish(CREATE, "no JSON");
    await a.daemon.until("it is in the log", () => a.daemon.count("select count(*) from rejected_events") === 1);
  });
  afterAll(() => owner.disposeAsync());

  const exported = async (...args: string[]): Promise<Fixture> => {
    const { code, stdout, stderr } = await runCommand(["export", "--data", a.daemon.dataDir, ...args]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    return parsed(stdout);
  };
  const kinds = ({ lines }: Fixture) =>
    lines.map((line) =>
      "message" in line
        ? "message"
        : "expect" in line
          ? line.expect
          : "does" in line
            ? line.does
            : "listens" in line
              ? "listens"
              : "answers" in line
                ? "answers"
                : "other",
    );
  test("works while the daemon runs, and changes nothing", async () => {
    const fixture = await exported();
    expect(kinds(fixture).toSorted()).toEqual(["StreamOpened", "StreamOpened", "listens", "message", "message", "open"]);
    expect(await unmetExpectations(fixture)).toEqual([]);
    expect((await a.daemon.health("/readyz")).status).toBe(200);
    expect(a.daemon.count("select count(*) from event_log where type <> 'PeerLearned'")).toBe(6);
  });

  test("exports a part by seq, by time or by peer, to a file", async () => {
    const file = newFile();
    expect(await runCommand(["export", "--data", a.daemon.databaseFile, "--to", "3", "--out", file])).toMatchObject({
      code: 0,
      stdout: "",
    });
    // The attempt leaves no row, because the log no longer has the peer by then.
    expect(kinds(parsedFile(file))).toEqual(["listens", "answers", "message"]);
    const at = String(
      a.daemon.sql("select h.at from peer_history h join event_log e using (seq) where e.direction = 'inbound'")[0]?.["at"],
    );
    expect(kinds(await exported("--from", at)).filter((kind) => kind === "message")).toHaveLength(1);
    expect(kinds(await exported("--to", at)).filter((kind) => kind === "message")).toHaveLength(1);
    expect(kinds(await exported("--peer", b.peerId)).filter((kind) => kind === "message")).toHaveLength(1);
  });

  test("can be redacted in a pipeline, and replays the same", async () => {
    const { code, stdout, stderr } = await shell(`"$oc" export --data '${a.daemon.dataDir}' | "$oc" redact`);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    const fixture = parsed(stdout);
    expect(kinds(fixture)).toEqual(kinds(await exported()));
    expect(await unmetExpectations(fixture)).toEqual([]);
    for (const secret of [b.peerId, b.address, "127.0.0.1", "resource-of", "no JSON"]) expect(stdout).not.toContain(secret);
  });

  test("exits quietly if nothing reads its output", async () => {
    // The reader is gone long before the first line is written.
    const { stderr } = await shell(`{ "$oc" export --data '${a.daemon.dataDir}'; echo "code $?" >&2; } | true`);
    expect(stderr).toBe("code 0\n");
  });

  /** A replay waits differently, by up to 2.5 s, before it opens again. The next kill must not come sooner. */
  const LONGEST_WAIT_MS = 2_500;

  async function bothStand(): Promise<void> {
    const both = (peer: PeerView | undefined) =>
      isEstablished(peer) && hasInbound(peer) && Date.now() - Date.parse(peer?.since ?? "") > LONGEST_WAIT_MS;
    await whenPeer(a.daemon, b.peerId, "both streams have been open for a while", both, 30_000);
  }

  test("includes a partner that was killed and came back, and the daemon's own exit", async () => {
    await b.daemon.kill();
    await a.daemon.until(
      "it is unreachable",
      () => a.daemon.count("select count(*) from event_log where type = 'OpenFailed'") === 1,
      20_000,
    );
    await b.daemon.start();
    await bothStand();
    await a.daemon.kill();
    await a.daemon.start();
    await bothStand();
    await a.daemon.stop();

    const fixture = await exported("--peer", b.peerId);
    const outbound = fixture.lines.flatMap((line) =>
      "expect" in line && !("direction" in line && line.direction === "inbound") ? [line] : [],
    );
    expect(outbound).toMatchObject([
      { expect: "StreamOpened" },
      { expect: "StreamClosed" },
      { expect: "OpenFailed", reason: "connection_refused" },
      { expect: "StreamOpened" },
      { expect: "StreamClosed", reason: "daemon_restart" },
      { expect: "StreamOpened" },
      { expect: "StreamClosed", reason: "shutdown" },
    ]);
    expect(fixture.lines.flatMap((line) => ("daemon" in line ? [line.daemon] : []))).toEqual(["crash", "restart"]);
    expect(await unmetExpectations(fixture)).toEqual([]);
    expect(databaseFaults(a.daemon)).toEqual([]);
  });

  test.each([
    ["an invalid time", ["--from", "yesterday"], ['--from is "yesterday"', "2026-01-01T12:00:00Z"]],
    ["an invalid seq", ["--to", "0"], ['--to is "0"']],
    ["a day that does not exist", ["--to", "2026-13-01"], ['--to is "2026-13-01"']],
    ["an empty window", ["--from", "2", "--to", "1"], ["no event between --from and --to", "seq 1 ("]],
    ["a window in the future", ["--from", "2999-01-01"], ["no event between --from and --to"]],
    ["an invalid peer", ["--peer", "lyon-1"], ['--peer is "lyon-1"', "oc-partnerd peers"]],
    ["an unknown peer", ["--peer", peerIdOfName("nobody")], [peerIdOfName("nobody"), "no event about"]],
    ["an excess argument", ["night.jsonl"], []],
  ])("%s is exit code 64", async (_, args, mentions) => {
    const result = await runCommand(["export", "--data", a.daemon.dataDir, ...args]);
    expect(result).toMatchObject({ code: 64, stdout: "" });
    for (const mention of mentions) expect(result.stderr).toContain(mention);
  });

  test("an existing file is exit code 74, and is kept", async () => {
    const file = written("dear");
    expectFailure(await runCommand(["export", "--data", a.daemon.dataDir, "--out", file]), 74, [file, "already exists"]);
    expect(readFileSync(file, "utf8")).toBe("dear");
  });
});

describe("export without a log", () => {
  test("is exit code 74, and creates nothing", async () => {
    const nowhere = join(directory, "nowhere");
    expectFailure(await runCommand(["export", "--data", nowhere]), 74, [nowhere, "there is no database", "--data"]);
    expect(existsSync(nowhere)).toBe(false);
    const file = written("some text that is long enough to be no database of anybody, whatever is read of it first".repeat(2));
    expectFailure(await runCommand(["export", "--data", file]), 74, [file]);
  });
});

describe("redact", () => {
  test("reads standard input and writes to a file", async () => {
    const [file, out] = [written(`${HEADER}\n{"atMs":0,"publish":"paris"}\n`), newFile()];
    const expected = `${HEADER.replace("}", ',"note":"redacted: names, ids and addresses are pseudonyms"}')}\n{"atMs":0,"publish":"peer-1"}\n`;
    for (const args of ["", "-"])
      expect(await shell(`"$oc" redact ${args} < ${file}`)).toEqual({ code: 0, signal: null, stdout: expected, stderr: "" });
    expect(await runCommand(["redact", file, "--out", out])).toMatchObject({ code: 0, stdout: "", stderr: "" });
    expect(readFileSync(out, "utf8")).toBe(expected);
  });

  test.each([
    [
      "an unknown field",
      `${HEADER}\n{"atMs":0,"publish":"paris","relaton":"NONE"}`,
      [":2: unknown field", '"relaton"', "did you mean relation?"],
    ],
    ["an unsupported version", '{"fixture":"oc-partnerd","version":2}', [":1: version is 2, expected 1"]],
    [
      "times that go backwards",
      `${HEADER}\n\n{"atMs":9,"disk":"full"}\n{"atMs":8,"disk":"healthy"}`,
      [":4: atMs is 8, expected 9 or more, the time of line 3"],
    ],
    ["invalid JSON", `${HEADER}\n{"atMs":`, [":2: the line is not JSON", "expected a JSON object"]],
    ["no header", '{"atMs":0,"disk":"full"}', [":1: no header, expected"]],
    ["an empty file", "", [" is empty, expected a fixture"]],
    ["only comments", "# nothing\n", [":1: no line at all, expected the header"]],
    ["bytes that are not text", Buffer.from([...Buffer.from(`${HEADER}\n`), 0xff]), [":2: the line is not UTF-8", "base64"]],
  ])("%s is exit code 78, with the line, what was found and what was expected", async (_, text, mentions) => {
    const [file, out] = [written(text), newFile()];
    expectFailure(await runCommand(["redact", file, "--out", out]), 78, [
      `oc-partnerd: ${file}${mentions[0]}`,
      ...mentions,
      "docs/FIXTURES.md",
    ]);
    expect(existsSync(out)).toBe(false);
  });

  test("a fixture over 256 MiB is exit code 78, before it is read", async () => {
    const file = written(HEADER);
    // Also more than a string can hold.
    truncateSync(file, 600 * 1_048_576);
    expectFailure(await runCommand(["redact", file]), 78, [file, "larger than the limit of 256 MiB", "export --peer"]);
  });

  test.each([
    ["no such file", "/not/there.jsonl", "ENOENT"],
    ["a directory", "/", "EISDIR"],
  ])("%s is exit code 74", async (_, file, why) => {
    expectFailure(await runCommand(["redact", file]), 74, [`cannot read ${file}: ${why}`, "standard input"]);
  });
});

describe("replay", () => {
  const LYON = `${HEADER}\n{"atMs":0,"publish":"lyon"}\n{"atMs":5000,"expect":"phase","peer":"lyon","phase":"established"}\n`;

  test("reads a file or standard input, and prints what --expect compares", async () => {
    const [file, golden] = [written(LYON), newFile()];
    const { code, stdout, stderr } = await runCommand(["replay", file]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^ {5}0\.000 s {2}daemon +\* starts\n(?:.*\n)*.* lyon +#3 StreamOpened outbound\n$/);
    expect(stderr).toMatch(/^ok: 65 s simulated, 1 peer, 6 lines, 1 expectation held, trace [0-9a-f]{12}\n$/);
    for (const command of [`"$oc" replay < ${file}`, `cat ${file} | "$oc" replay -`])
      expect(await shell(command)).toEqual({ code: 0, signal: null, stdout, stderr });
    expect(await shell(`"$oc" replay ${file} > ${golden} && "$oc" replay ${file} --expect ${golden}`)).toMatchObject({ code: 0 });
    expect(await shell(`"$oc" replay --expect < ${file}`)).toMatchObject({ code: 0, stdout: "" });
    writeFileSync(golden, stdout.replace("StreamOpened", "StreamClosed"));
    expect(await shell(`"$oc" replay ${file} --expect ${golden}`)).toMatchObject({ code: 1, stdout: "" });
  });

  test("with --speed takes its time, and finishes", async () => {
    const startedMs = performance.now();
    const { code, stderr } = await runCommand(["replay", written(LYON), "--speed", "20", "--until", "20s"]);
    expect({ code, stderr }).toMatchObject({ code: 0, stderr: expect.stringMatching(/^ok: 20 s simulated/) as string });
    expect(performance.now() - startedMs).toBeGreaterThan(1_000);
  });

  test("exits quietly if nothing reads its output", async () => {
    expect(await shell(`"$oc" replay ${written(LYON)} 2>/dev/null | true`)).toMatchObject({ code: 0, stderr: "" });
  });

  test.each([
    ["an invalid speed", ["--speed", "fast"], 64, ["--speed", "expected a number above 0"]],
    ["an invalid time", ["--until", "soon"], 64, ['--until is "soon"']],
    ["a missing trace", ["--expect", "/not/there"], 74, ["cannot read /not/there: ENOENT"]],
  ])("%s", async (_, args, code, mentions) => {
    const { stdout, stderr, ...ended } = await runCommand(["replay", written(LYON), ...args]);
    expect({ ...ended, stdout }).toEqual({ code, signal: null, stdout: "" });
    for (const mention of mentions) expect(stderr).toContain(mention);
  });

  test("an invalid fixture is exit code 78, and names the line", async () => {
    expectFailure(await runCommand(["replay", written(`${HEADER}\n{"atMs":0,"publsh":"lyon"}`)]), 78, [
      ":2: ",
      "did you mean publish?",
    ]);
  });
});

describe("shrink", () => {
  const CROWD = `${HEADER}\n{"atMs":0,"publish":"paris"}\n{"atMs":0,"publish":"lyon"}\n{"atMs":9000,"peer":"paris","does":"reset"}\n`;

  test("writes the smallest fixture to standard output or to a new file", async () => {
    const [file, out] = [written(CROWD), newFile()];
    const small = `${HEADER}\n{"atMs":0,"publish":"lyon"}\n`;
    const { code, stdout, stderr } = await shell(`"$oc" shrink --line "lyon open" < ${file}`);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "reduced 4 lines to 2\n" });
    expect(parsed(stdout).lines).toEqual(parsed(small).lines);
    expect(await runCommand(["shrink", file, "--line", "lyon open", "--out", out])).toMatchObject({ code: 0, stdout: "" });
    expect(readFileSync(out, "utf8")).toBe(stdout);
    expectFailure(await runCommand(["shrink", file, "--line", "lyon open", "--out", out]), 74, [out, "already exists"]);
  });

  test("is exit code 1 if there is nothing to shrink, and 64 for an invalid number of runs", async () => {
    expectFailure(await runCommand(["shrink", written(CROWD)]), 1, ["has no failure", "--line TEXT"]);
    expect(await runCommand(["shrink", written(CROWD), "--max-runs", "0"])).toMatchObject({ code: 64 });
  });
});

test.each(["record", "export", "redact", "replay", "shrink"])("%s --help has examples", async (command) => {
  const { code, stdout, stderr } = await runCommand([command, "--help"]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(stdout).toMatch(new RegExp(`\\nExamples:\\n(?:.*\\n)*? {2}.*oc-partnerd ${command}`));
});
