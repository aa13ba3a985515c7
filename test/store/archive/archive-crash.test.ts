/** An interrupted archiving run, and one beside a daemon that writes: the log stays sound at all times, and nothing is lost. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { describe, expect, it } from "vitest";
import { readVerified } from "../../../src/store/archive/file/verify-archive.ts";
import { stateBehind } from "../../../src/store/fold/archived-state.ts";
import { FROM_ZERO } from "../../../src/store/fold/replay.ts";
import { repetitions } from "../../support/campaign.ts";
import { until } from "../../support/until.ts";
import { appendMany, archiveBefore, filesIn, findingsIn, Twin } from "../support/archiving.ts";
import { append, desired } from "../support/events.ts";
import { TemporaryStore } from "../support/temporary-store.ts";

const ROWS = 3_600;
const BEFORE = 3_501;
const FILE = `oc-partnerd-events-1-${BEFORE - 1}.jsonl.gz`;

async function killedAt(data: string, step: string, rows: number): Promise<void> {
  const script = join(import.meta.dirname, "../support/archive-until.ts");
  const child = spawn(process.execPath, [script, data, String(BEFORE), step, String(rows)], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  expect(await once(child, "exit")).toEqual([null, "SIGKILL"]);
}

describe("a killed archiving run", () => {
  it.each([
    { when: "while it writes the file", step: "writing", rows: 2_000, stays: ROWS, anchors: 0, files: [`${FILE}.partial`] },
    {
      when: "while it reads the file back",
      step: "reading back",
      rows: 2_000,
      stays: ROWS,
      anchors: 0,
      files: [`${FILE}.partial`],
    },
    { when: "between the file and the anchor", step: "written", rows: 0, stays: ROWS, anchors: 0, files: [FILE] },
    { when: "between the anchor and the first row", step: "anchored", rows: 0, stays: ROWS + 1, anchors: 1, files: [FILE] },
    { when: "while it deletes rows", step: "removing", rows: 2_000, stays: ROWS + 1 - 2_000, anchors: 1, files: [FILE] },
  ])("$when leaves a sound log, and the next run completes it", async ({ step, rows, stays, anchors, files }) => {
    using temporary = new TemporaryStore();
    appendMany(temporary.store, ROWS);
    const [before] = temporary.read("select group_concat(peer_id || relation || name || desired_seq) as peers from desired_peer");
    temporary.store[Symbol.dispose]();
    await killedAt(temporary.directory, step, rows);

    expect(temporary.read("select count(*) as rows from event_log")).toEqual([{ rows: stays }]);
    expect(temporary.read("select count(*) as rows from archives")).toEqual([{ rows: anchors }]);
    expect(filesIn(join(temporary.directory, "archive"))).toEqual(files);
    expect(findingsIn(temporary.directory)).toEqual([]);
    // The views are the same, however far the deletion got.
    expect(temporary.read("select count(distinct seq) as told from peer_history where type = 'PeerDesired'")).toEqual([
      { told: anchors === 0 ? ROWS : ROWS - BEFORE + 1 },
    ]);

    await archiveBefore(temporary.directory, anchors === 0 ? BEFORE : ROWS);
    expect(temporary.read("select min(seq) as first from event_log")).toEqual([{ first: anchors === 0 ? BEFORE : ROWS }]);
    expect(filesIn(join(temporary.directory, "archive"))).not.toContainEqual(expect.stringContaining("partial"));
    expect(findingsIn(temporary.directory)).toEqual([]);
    const store = temporary.reopen();
    expect(store.verifyProjections()).toEqual([]);
    expect(temporary.read("select group_concat(peer_id || relation || name || desired_seq) as peers from desired_peer")).toEqual([
      before,
    ]);
  });

  it("leaves rows that the next start deletes", async () => {
    using temporary = new TemporaryStore();
    appendMany(temporary.store, ROWS);
    temporary.store[Symbol.dispose]();
    await killedAt(temporary.directory, "removing", 1_000);
    expect(temporary.read("select min(seq) as first from event_log")).toEqual([{ first: 1_001 }]);
    const store = temporary.reopen();
    expect(temporary.read("select min(seq) as first from event_log")).toEqual([{ first: BEFORE }]);
    expect(append(store, desired()).seq).toBe(ROWS + 2);
    expect(findingsIn(temporary.directory)).toEqual([]);
  });

  it("does not affect readers: a copy made in between is a sound log", async () => {
    using temporary = new TemporaryStore();
    appendMany(temporary.store, ROWS);
    temporary.store[Symbol.dispose]();
    await killedAt(temporary.directory, "removing", 1_000);
    using twin = new Twin(temporary);
    expect(findingsIn(twin.directory)).toEqual([]);
    expect(twin.store.verifyProjections()).toEqual([]);
  });
});

/** SQLite's locks have no queue, so beside a writer that never pauses, an archiver may fail to get the lock within its 5 s. */
const REST_MS = "5";

describe("archiving beside a daemon that writes", () => {
  it("loses no event of either, in run after run", async () => {
    using temporary = new TemporaryStore();
    temporary.store[Symbol.dispose]();
    const program = join(import.meta.dirname, "../support/append-forever.ts");
    const writer = spawn(process.execPath, [program, temporary.directory, REST_MS], { stdio: ["ignore", "pipe", "inherit"] });
    const exited = once(writer, "exit");
    let said = 0;
    createInterface({ input: writer.stdout }).on("line", (line) => {
      said = Number(line);
    });
    const files: string[] = [];
    try {
      for (let run = 1; run <= repetitions(2, 8); run++) {
        // The writer is far busier than any daemon, so only few rows are archived; otherwise both would take very long.
        const before = 700 * run;
        await until(`seq ${before}`, () => said > before, 60_000);
        const { path, anchor } = await archiveBefore(temporary.directory, before);
        files.push(path);
        expect(said).toBeGreaterThanOrEqual(anchor.lastSeq);
        // A check at the same time finds nothing either.
        if (run === 2) expect(findingsIn(temporary.directory)).toEqual([]);
      }
    } finally {
      writer.kill("SIGKILL");
    }
    expect(await exited).toEqual([null, "SIGKILL"]);
    expect(findingsIn(temporary.directory)).toEqual([]);
    const store = temporary.reopen();
    expect(store.verifyProjections()).toEqual([]);
    let [seq, start] = [0, FROM_ZERO];
    for (const path of files) {
      const { header, state } = await readVerified(path, start);
      seq += header.lastSeq - header.firstSeq + 1;
      expect(header.lastSeq).toBe(seq);
      start = { seq, chainHash: header.lastChainHash, ...stateBehind(state) };
    }
    const head = store.head().seq;
    expect(head).toBeGreaterThanOrEqual(said);
    expect(temporary.read("select min(seq) as first, max(seq) as last, count(*) as rows from event_log")).toEqual([
      { first: seq + 1, last: head, rows: head - seq },
    ]);
    expect(
      temporary.read("select count(*) as rows from event_log where type = 'LogArchived'")[0]?.["rows"],
    ).toBeGreaterThanOrEqual(1);
  });
});
