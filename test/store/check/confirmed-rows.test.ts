/** Rows that an operator names with `check --restored`. */
import { cpSync, existsSync, readdirSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { RunId } from "../../../src/events/types.ts";
import { confirmedRows } from "../../../src/store/check/confirmed-rows.ts";
import { archiveBefore } from "../support/archiving.ts";
import { append, desired, start } from "../support/events.ts";
import { TemporaryStore, temporaryDirectory } from "../support/temporary-store.ts";

let temporary: TemporaryStore;
beforeEach(() => {
  temporary = new TemporaryStore();
});
afterEach(() => temporary[Symbol.dispose]());

const PLACE = { stream: "S", streamCreated: "2026-01-01T00:00:00Z", streamSequence: 1, lastStreamSequence: 2 } as const;
const NOT_ONE = "not a LogRestored, LogRolledBack or CloneSeen";
const TAKES = "--restored takes the seq of one";

/** Row 1: a start. Row 2: an event. Row 3: a rollback. Row 4: a clone. Row 5: an event. */
function story(): void {
  start(temporary.store, { run: "ours" as RunId });
  append(temporary.store, desired({ name: "a" }));
  temporary.store.appendDelivery([{ type: "LogRolledBack", reason: "acknowledged", ...PLACE }]);
  temporary.store.appendDelivery([{ type: "CloneSeen", reason: "consumer", details: { otherRun: "other" } }]);
  append(temporary.store, desired({ name: "b" }));
}

/** Of this process. */
const openPaths = () =>
  readdirSync("/proc/self/fd").flatMap((descriptor) => {
    try {
      return readlinkSync(`/proc/self/fd/${descriptor}`);
    } catch {
      return [];
    }
  });

const problems = (path: string, ...seqs: readonly number[]) =>
  confirmedRows(path, seqs).findings.map(({ place, problem }) => `${place} ${problem}`);

it("are sound if they record a rollback or a clone, archived or not", async () => {
  story();
  expect(confirmedRows(temporary.directory, [3, 4])).toEqual({ findings: [], claims: [] });
  await archiveBefore(temporary.directory, 5);
  expect(problems(temporary.directory, 3, 4, 2)).toEqual([`event_log row 2 is archived, and was ${NOT_ONE}; ${TAKES}`]);
});

it("are findings if they are other rows, or behind the end of the log", () => {
  story();
  expect(problems(temporary.directory, 2, 5, 6)).toEqual([
    `event_log row 2 is a PeerDesired, ${NOT_ONE}; ${TAKES}`,
    `event_log row 5 is a PeerDesired, ${NOT_ONE}; ${TAKES}`,
    `event_log row 6 is ${NOT_ONE}: the log ends at seq 5; ${TAKES}`,
  ]);
});

it("need a witness if a copy of the database ends before them", () => {
  story();
  temporary.store[Symbol.dispose]();
  using elsewhere = temporaryDirectory();
  const copy = join(elsewhere.path, "copy.db");
  cpSync(temporary.path, copy);
  const { findings, claims } = confirmedRows(copy, [3, 5, 6]);
  expect([findings.map(({ place }) => place), claims.map(({ place }) => place)]).toEqual([
    ["event_log row 5"],
    ["event_log row 6"],
  ]);
});

it.runIf(existsSync("/proc/self/fd"))("of a log without rows are behind its end, and the database is closed afterwards", () => {
  temporary.store[Symbol.dispose]();
  expect(problems(temporary.directory, 1)).toEqual([`event_log row 1 is ${NOT_ONE}: the log ends at seq 0; ${TAKES}`]);
  expect(openPaths().filter((path) => path.startsWith(temporary.directory))).toEqual([]);
});
