/** The demo as a process of its own, as a user starts it: it plays all steps, verifies them, and cleans up. */
import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { STEPS } from "../../src/demo/steps.ts";
import { askedFor, drawnLines } from "../demo/display/drawing.ts";
import { cleanEnv, LAUNCHER } from "../support/daemon-process.ts";
import { startStopwatch } from "../support/pace/pace.ts";
import { until } from "../support/until.ts";

const MINUTE_MS = 60_000;

/** A demo that writes only to its own directory, which also identifies its processes. */
class RunningDemo implements Disposable {
  readonly directory = mkdtempSync(join(tmpdir(), "oc-partnerd-e2e-"));
  readonly #child;
  output = "";
  readonly ended: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;

  constructor(env: Readonly<Record<string, string>> = {}) {
    const child = spawn(LAUNCHER, ["demo"], {
      cwd: this.directory,
      env: { ...cleanEnv(), TMPDIR: this.directory, ...env },
      stdio: ["ignore", "pipe", "inherit"],
    });
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
      this.output += chunk;
    });
    this.ended = new Promise((resolve) => child.once("close", (code, signal) => resolve({ code, signal })));
    this.#child = child;
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  async says(text: string): Promise<void> {
    await until(`the demo says "${text}"`, () => this.output.includes(text), 30_000);
  }

  /** Command lines of the processes that mention the demo's directory. */
  processes(): readonly string[] {
    return readdirSync("/proc")
      .filter((name) => /^\d+$/.test(name))
      .map(commandLine)
      .filter((line) => line.includes(this.directory));
  }

  get left(): readonly string[] {
    return readdirSync(this.directory);
  }

  [Symbol.dispose](): void {
    this.kill("SIGKILL");
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** Empty if the process has exited. Reads /proc, because minimal systems have no ps. */
function commandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
  } catch {
    return "";
  }
}

test("the demo finishes within a minute, with every step and claim successful, and leaves nothing behind", async () => {
  // A setting of the user's own daemon, which must not affect the demo.
  using demo = new RunningDemo({ OCPARTNERD_P2P_INBOUND: "nobody" });
  const stopwatch = startStopwatch();
  const { code } = await demo.ended;
  expect(code, demo.output).toBe(0);
  expect(stopwatch.elapsedMs(), `${stopwatch}`).toBeLessThan(MINUTE_MS);

  for (const { title } of STEPS) expect(demo.output).toContain(`✓ ${title}`);
  expect(demo.output).toContain("nantes is killed");
  expect(demo.output).toContain("paris is frozen");
  expect(demo.output).toMatch(/^ \d+ .*stream closed after .* s: expired$/m);
  const rows = demo.output.split("\n").map((line) => line.split(/ {2,}/));
  expect(askedFor(rows)).toEqual([
    "desired as PARTNER by oc-api (claims user ada)",
    "blacklisted (relation BLACKLIST) by oc-api (claims user ada)",
  ]);
  expect(askedFor(drawnLines()), "docs/demo.svg").toEqual(askedFor(rows));
  expect(demo.output).toMatch(/^ (\d+) of \1 claims hold$/m);
  expect(demo.output).not.toContain("✗");
  expect(demo.output).not.toContain("\u001b");

  expect(demo.processes()).toEqual([]);
  expect(demo.left).toEqual([]);
});

describe("a demo that does not finish leaves no process behind", () => {
  test("when interrupted, it cleans up and exits with 130", async () => {
    using demo = new RunningDemo();
    await demo.says("✓ three nodes start");
    expect(demo.processes().length).toBeGreaterThanOrEqual(6);
    demo.kill("SIGINT");
    expect(await demo.ended).toEqual({ code: 130, signal: null });
    expect(demo.processes()).toEqual([]);
    expect(demo.left).toEqual([]);
  });

  test("when killed, its daemons and servers exit too", async () => {
    using demo = new RunningDemo();
    await demo.says("✓ three nodes start");
    demo.kill("SIGKILL");
    await demo.ended;
    await until("its processes have ended", () => demo.processes().length === 0, 15_000);
  });

  test("without a nats-server, it says so and exits with 1", async () => {
    using demo = new RunningDemo({ NATS_SERVER: "/nonexistent/nats-server" });
    expect(await demo.ended).toEqual({ code: 1, signal: null });
    expect(demo.output).toContain("✗ three nodes start");
    expect(demo.output).toMatch(/NATS_SERVER: "\/nonexistent\/nats-server" is not an executable file\n next step: /);
    expect(demo.processes()).toEqual([]);
  });
});
