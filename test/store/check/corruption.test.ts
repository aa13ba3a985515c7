/** Two hundred ways to damage a database, from fixed seeds: `check` finds each, and says where it is. */
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { seededRandom } from "../../../src/sim/time/random.ts";
import { type CheckReport, checkDatabase } from "../../../src/store/check/check.ts";
import { sentenceOf } from "../../../src/store/model/finding.ts";
import { repetitions, seedsFrom } from "../../support/campaign.ts";
import {
  type Corrupt,
  cutTail,
  deleteRow,
  editRow,
  flipByte,
  flipWalByte,
  isAboutRow,
  truncateWal,
} from "../../support/corruptions.ts";
import { behindTheGuards, makeFit } from "../../support/forger.ts";
import { PEER_A } from "../../support/peers.ts";
import { observeOpened } from "../support/events.ts";
import { appendLongLog } from "../support/long-log.ts";
import { TemporaryStore, temporaryDirectory } from "../support/temporary-store.ts";

const FILES = ["oc-partnerd.db", "oc-partnerd.db-wal", "oc-partnerd.head"];

/** Databases that a daemon left: stopped cleanly, and killed with commits that are only in the write-ahead log. */
const left = temporaryDirectory();
const [closed, killed] = [join(left.path, "closed"), join(left.path, "killed")];
let lastSeq = { closed: 0, killed: 0 };

beforeAll(() => {
  using temporary = new TemporaryStore();
  appendLongLog(temporary.store, temporary.clock, 60);
  const closedSeq = temporary.store.head().seq;
  temporary.store[Symbol.dispose]();
  copyFiles(temporary.directory, closed);
  const store = temporary.reopen();
  appendLongLog(store, temporary.clock, 8);
  observeOpened(store, PEER_A);
  copyFiles(temporary.directory, killed);
  lastSeq = { closed: closedSeq, killed: store.head().seq };
});

afterAll(() => left[Symbol.dispose]());

function copyFiles(from: string, to: string): void {
  mkdirSync(to, { recursive: true });
  for (const name of FILES) if (existsSync(join(from, name))) copyFileSync(join(from, name), join(to, name));
}

function sentences({ findings }: CheckReport): string {
  return findings.length === 0 ? "nothing was found" : findings.map(sentenceOf).join("\n");
}

/** Damages one copy per seed. */
function expectFound(from: string, seeds: readonly number[], corrupt: Corrupt): void {
  for (const seed of seeds) {
    using directory = temporaryDirectory();
    copyFiles(from, directory.path);
    const { what, isNamedBy } = corrupt(directory.path, seededRandom(seed));
    const report = checkDatabase({ path: directory.path });
    expect.soft(report.findings.some(isNamedBy), `seed ${seed}: ${what}\n${sentences(report)}`).toBe(true);
  }
}

/** All two hundred run in `npm run campaign -- corruption`; `npm test` runs some of each kind. */
const [FLIPPED, EDITED_ROWS, DELETED, CUT, CUT_WAL, FLIPPED_WAL] = [
  repetitions(3, 25),
  repetitions(5, 40),
  repetitions(3, 20),
  repetitions(3, 20),
  repetitions(2, 10),
  repetitions(2, 10),
];

describe("a log with every kind of row", () => {
  it("is sound, whether its daemon was stopped or killed", () => {
    for (const directory of [closed, killed]) {
      using copy = temporaryDirectory();
      copyFiles(directory, copy.path);
      expect(sentences(checkDatabase({ path: copy.path }))).toBe("nothing was found");
    }
    expect(lastSeq.closed).toBeGreaterThan(300);
    expect(readFileSync(join(killed, "oc-partnerd.db-wal")).length).toBeGreaterThan(100_000);
  });
});

describe("check finds and locates", () => {
  it.each([0, 1, 2, 3])(`a flipped byte (${FLIPPED} seeds, part %d)`, (part) =>
    expectFound(closed, seedsFrom(1_000 + FLIPPED * part, FLIPPED), flipByte),
  );
  it(`a row edited by SQL (${EDITED_ROWS} seeds)`, () => expectFound(closed, seedsFrom(2_000, EDITED_ROWS), editRow));
  it(`a row deleted by SQL (${DELETED} seeds)`, () => expectFound(closed, seedsFrom(3_000, DELETED), deleteRow));
  it(`a truncated tail, with everything else recomputed (${CUT} seeds)`, () =>
    expectFound(closed, seedsFrom(4_000, CUT), cutTail));
  it(`a truncated write-ahead log (${CUT_WAL} seeds)`, () =>
    expectFound(killed, seedsFrom(5_000, CUT_WAL), truncateWal(lastSeq.killed)));
  it(`a flipped byte in the write-ahead log (${FLIPPED_WAL} seeds)`, () =>
    expectFound(killed, seedsFrom(6_000, FLIPPED_WAL), flipWalByte(lastSeq.killed)));
});

describe("editing a row and recomputing everything after it", () => {
  const EDITED = 40;

  function forged(): ReturnType<typeof temporaryDirectory> {
    const copy = temporaryDirectory();
    copyFiles(closed, copy.path);
    const database = new Database(join(copy.path, "oc-partnerd.db"));
    behindTheGuards(database, () => {
      database.prepare("update event_log set at_ms = at_ms + 1 where seq = ?").run(EDITED);
      makeFit(database, EDITED);
    });
    database.close();
    return copy;
  }

  function hashAt(directory: string, seq: number): string {
    const database = new Database(join(directory, "oc-partnerd.db"), { readonly: true });
    const hash = database.prepare<[number], string>("select chain_hash from event_log where seq = ?").pluck().get(seq) ?? "";
    database.close();
    return hash;
  }

  it("is detected by the head file", () => {
    using copy = forged();
    const { findings } = checkDatabase({ path: copy.path });
    expect(findings).toHaveLength(1);
    expect(findings.every(isAboutRow(lastSeq.closed))).toBe(true);
  });

  it("is detected by a published head after the row, even by a prefix of its hash, if the head file was recomputed too", () => {
    using copy = forged();
    const head = { seq: lastSeq.closed, chainHash: hashAt(copy.path, lastSeq.closed), atMs: null };
    writeFileSync(join(copy.path, "oc-partnerd.head"), `${JSON.stringify(head).padEnd(159)}\n`);
    expect(checkDatabase({ path: copy.path }).findings).toEqual([]);
    for (const seq of [EDITED, EDITED + 100, lastSeq.closed]) {
      const heads = [{ from: "--head", seq, hashPrefix: hashAt(closed, seq).slice(0, 8) }];
      const { findings } = checkDatabase({ path: copy.path, heads });
      expect(findings.map(({ place }) => place)).toEqual([`event_log row ${seq}`]);
    }
    // A head from before the row cannot detect it.
    const before = [{ from: "--head", seq: EDITED - 1, hashPrefix: hashAt(closed, EDITED - 1) }];
    expect(checkDatabase({ path: copy.path, heads: before }).findings).toEqual([]);
  });
});
