/** Checks that every kind of deadline in the tests fails if the event never happens. */
import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { temporaryDirectory } from "../../store/support/temporary-store.ts";
import type { DaemonProcess } from "../daemon-process.ts";
import { timeoutSignal } from "../partner-host.ts";
import { whenPeer } from "../peer-watch.ts";
import { runCommand } from "../run-command.ts";
import { until } from "../until.ts";
import { bound, paceMs, startDeadline, startStopwatch } from "./pace.ts";

const never = () => false as const;

describe("until", () => {
  it("fails at its deadline, and says what was awaited and for how long", async () => {
    await expect(until("the end of the world", never, 30)).rejects.toThrow(
      /^not within \d+ ms: the end of the world \(\d+ ms of machine time, \d+ ms on the wall\)$/,
    );
  });

  it("fails at a bound, which is not scaled by the machine's slowness", async () => {
    expect(paceMs(bound(30))).toBe(30);
    expect(paceMs(30)).toBeGreaterThanOrEqual(30);
    await expect(until("the end of the world", never, bound(30))).rejects.toThrow(/^not within 30 ms/);
  });

  it("checks once more after its deadline, for events during a starved wait", async () => {
    let looks = 0;
    const slowly = async () => {
      looks += 1;
      await delay(60);
      return looks === 2 && "there";
    };
    expect(await until("it", slowly, bound(1))).toBe("there");
  });

  it("passes on errors thrown by a check", async () => {
    const look = () => {
      throw new Error("it broke");
    };
    await expect(until("it", look)).rejects.toThrow("it broke");
  });
});

describe("a deadline", () => {
  it("aborts with the missing event as its reason, unless it was disposed", async () => {
    const limit = startDeadline(20, "no answer");
    await until("it is over", () => limit.signal.aborted);
    expect(String(limit.signal.reason)).toMatch(/not within \d+ ms: no answer$/);
    const disposed = startDeadline(20, "no answer");
    disposed[Symbol.dispose]();
    const stopwatch = startStopwatch();
    await until("its time has passed", () => stopwatch.elapsedMs() > 2 * paceMs(20));
    expect(disposed.signal.aborted).toBe(false);
  });

  it("of a peer's operation is a timeout", async () => {
    const signal = timeoutSignal(20);
    await until("it is over", () => signal.aborted);
    expect(signal.reason).toMatchObject({ code: "timeout" });
  });
});

describe("waiting for a daemon", () => {
  it("fails for a peer that never becomes as expected, and shows its last state", async () => {
    const daemon = { until, peer: async () => ({ phase: "backoff" }) } as unknown as DaemonProcess;
    await expect(whenPeer(daemon, "a peer", "it is established", never, 30)).rejects.toThrow(
      /^last seen: \{"phase":"backoff"\}\nError: not within \d+ ms: it is established/,
    );
  });

  it("kills a command that does not end", async () => {
    using directory = temporaryDirectory();
    const flags = [
      "--data",
      directory.path,
      "--listen",
      "/ip4/127.0.0.1/tcp/0",
      "--http",
      "127.0.0.1:0",
      "--nats",
      "nats://127.0.0.1:9",
    ];
    await expect(runCommand(["run", ...flags], { timeoutMs: 20 })).rejects.toThrow(
      /^not within \d+ ms: oc-partnerd run .* did not end$/,
    );
  });
});
