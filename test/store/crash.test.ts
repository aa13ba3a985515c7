import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { describe, expect, it } from "vitest";
import { startStopwatch } from "../support/pace/pace.ts";
import { PEER_A } from "../support/peers.ts";
import { append, desired, observe, opened, start } from "./support/events.ts";
import { rawConnection, TemporaryStore } from "./support/temporary-store.ts";

/** Runs the writer until it has printed `lines` numbers, kills it during its next write, and returns the last number printed. */
async function lastSaidBeforeKill(directory: string, lines: number): Promise<number> {
  const writer = spawn(process.execPath, [join(import.meta.dirname, "support/append-forever.ts"), directory], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const exited = once(writer, "exit");
  let said = 0;
  let count = 0;
  for await (const line of createInterface({ input: writer.stdout })) {
    said = Number(line);
    if (++count === lines) writer.kill("SIGKILL");
  }
  expect(await exited).toEqual([null, "SIGKILL"]);
  return said;
}

describe("a killed writer", () => {
  it("leaves everything that it acknowledged, and no partial batch, every time", async () => {
    using temporary = new TemporaryStore();
    let before = temporary.store.head().seq;
    for (const lines of [1, 7, 40]) {
      temporary.store[Symbol.dispose]();
      const said = await lastSaidBeforeKill(temporary.directory, lines);
      const store = temporary.reopen();
      const { seq } = store.head();
      expect(said).toBeGreaterThan(before);
      expect(seq).toBeGreaterThanOrEqual(said);
      expect(store.verifyProjections()).toEqual([]);
      expect(temporary.read("select count(*) as rows from event_log")).toEqual([{ rows: seq }]);
      expect(temporary.read("select count(*) as rows from event_log where type = 'PeerDesired'")[0]?.["rows"]).toSatisfy(
        (rows) => Number(rows) % 10 === 0,
      );
      expect(temporary.read("pragma integrity_check")).toEqual([{ integrity_check: "ok" }]);
      expect(start(store).orphans).toBeGreaterThan(0);
      before = store.head().seq;
    }
  });
});

describe("a reader", () => {
  it("sees one consistent state, and blocks neither writes nor closing", () => {
    using temporary = new TemporaryStore();
    append(temporary.store, desired());
    using reader = rawConnection(temporary.path, { readonly: true });
    const rows = reader.database.prepare("select count(*) from peer_history").pluck();
    reader.database.exec("begin");
    expect(rows.get()).toBe(1);
    observe(temporary.store, opened(PEER_A));
    expect(rows.get()).toBe(1);
    const stopwatch = startStopwatch();
    temporary.store[Symbol.dispose]();
    expect(stopwatch.elapsedMs(), `${stopwatch}`).toBeLessThan(1_000);
    reader.database.exec("commit");
    expect(rows.get()).toBe(2);
  });

  it("may be another store on the same file, whose appends continue the sequence", () => {
    using temporary = new TemporaryStore();
    append(temporary.store, desired());
    temporary.write(
      "insert into event_log (seq, type, at_ms, reason, message, chain_hash) values (2, 'EventRejected', 0, 'not_json', 'by hand', '')",
    );
    expect(observe(temporary.store, opened(PEER_A))).toMatchObject({ seq: 3 });
    expect(temporary.store.verifyProjections()).toEqual([]);
  });
});
