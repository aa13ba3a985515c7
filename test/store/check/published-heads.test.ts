/** `check` of a log whose daemon has published heads: they agree, rows were changed or cut off, rows are archived, copies. */
import { cpSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { checkArchives } from "../../../src/store/archive/archive-check.ts";
import { checkDatabase } from "../../../src/store/check/check.ts";
import type { KnownHead } from "../../../src/store/check/head-check.ts";
import { claimSentenceOf, sentenceOf } from "../../../src/store/model/finding.ts";
import { appendMany, archiveBefore } from "../support/archiving.ts";
import { start } from "../support/events.ts";
import { TemporaryStore, temporaryDirectory } from "../support/temporary-store.ts";

let log: TemporaryStore;
/** The heads that were published so far. */
let heads: KnownHead[];

beforeEach(() => {
  log = new TemporaryStore();
  heads = [];
  start(log.store);
  grow(4);
});
afterEach(() => log[Symbol.dispose]());

/** Appends `steps` times ten rows, and publishes a head after each. */
function grow(steps: number): void {
  for (let step = 0; step < steps; step++) {
    appendMany(log.store, 10);
    const { seq, chainHash } = log.store.head();
    heads.push({ from: `HEADS ${seq}`, seq, hashPrefix: chainHash });
  }
}

const seqOf = (index: number) => heads.at(index)?.seq ?? 0;
const wrong = ({ from, seq }: KnownHead): KnownHead => ({ from, seq, hashPrefix: "f".repeat(64) });

function check(path = log.directory, published: readonly KnownHead[] = heads) {
  const { findings, witnesses } = checkDatabase({ path, series: { from: "HEADS", heads: published } });
  const ofRows = witnesses.filter(({ claim }) => !claim.includes("no recorded settings"));
  return { findings: findings.map(sentenceOf), claims: ofRows.map(claimSentenceOf) };
}

it("that agree are no finding, and the newest proves all rows up to it", () => {
  expect(check()).toEqual({ findings: [], claims: [] });
  appendMany(log.store, 1);
  const { findings, claims } = check();
  expect(findings).toEqual([]);
  expect(claims).toEqual([
    `event_log row ${seqOf(-1) + 1}: newer than the newest published head that agrees with the log; a running daemon publishes one within a minute: check again then, or give one with --head SEQ:HASH`,
  ]);
});

it("prove the rows up to the newest that agrees, and none if all contradict the log", () => {
  const [newest, ...older] = heads.toReversed();
  if (newest === undefined) throw new Error("no head");
  const { claims } = check(log.directory, [wrong(newest), ...older]);
  expect(claims).toEqual([expect.stringMatching(`^event_log rows ${seqOf(-2) + 1} to ${seqOf(-1)}: newer than the newest`)]);
  expect(check(log.directory, heads.map(wrong)).claims).toEqual([
    "event_log: no published head agrees with it; give one with --head SEQ:HASH",
  ]);
});

it("are not asked for again if they were compared", () => {
  const witnessOf = (options: object) =>
    checkDatabase({ path: log.directory, ...options })
      .witnesses.map(claimSentenceOf)
      .join("\n");
  expect(witnessOf({ series: { from: "HEADS", heads: [] } })).toMatch(/; give a published head with --head SEQ:HASH$/m);
  expect(witnessOf({})).toContain("with --nats");
  const [first] = heads;
  expect(witnessOf({ heads: [first] })).toMatch(/newer than .*; give one with --nats or --head SEQ:HASH$/m);
});

it("that do not are named: the first ones, how many, and which agree around them", () => {
  grow(4);
  const changed = heads.map((head, index) => (index >= 2 && index < 7 ? wrong(head) : head));
  const { findings } = check(log.directory, changed.toReversed());
  expect(findings).toHaveLength(4);
  expect(findings[0]).toMatch(new RegExp(`^event_log row ${seqOf(2)}: chain_hash is \\w+, HEADS ${seqOf(2)} names f+: this row`));
  expect(findings[3]).toBe(
    `HEADS: 5 of 8 published heads contradict the log; the last one before them that agrees has seq ${seqOf(1)}; the next one that agrees has seq ${seqOf(7)}`,
  );
});

it("that are beyond its end say that rows are gone, but not from a copy", () => {
  using copy = temporaryDirectory();
  log.store[Symbol.dispose]();
  cpSync(log.directory, copy.path, { recursive: true });
  cpSync(log.path, join(copy.path, "backup.db"));
  log.reopen();
  const before = seqOf(-1);
  grow(2);
  const now = seqOf(-1);
  const { findings } = check(copy.path);
  expect(findings[0]).toBe(
    `event_log rows ${before + 1} to ${seqOf(-2)}: gone: HEADS ${seqOf(-2)} names seq ${seqOf(-2)}, the log ends at seq ${before}`,
  );
  const ofCopy = check(join(copy.path, "backup.db"));
  expect(ofCopy.findings).toEqual([]);
  expect(ofCopy.claims.join("\n")).toContain(`event_log rows ${before + 1} to ${now}: in a published head, but not in this copy`);
});

it("of archived rows are compared with the archive file, and with the anchors", async () => {
  await archiveBefore(log.directory, seqOf(0) + 1);
  await archiveBefore(log.directory, seqOf(2) + 5);
  const files = async (published = heads) => {
    const checked = await checkArchives({ path: log.directory, heads: published });
    return checked.flatMap(({ findings }) => findings.map(sentenceOf));
  };
  expect(check().findings).toEqual([]);
  expect(await files()).toEqual([]);
  const changed = heads.map((head, index) => (index <= 1 ? wrong(head) : head));
  // The first is the last row of an archive, so its anchor knows the hash; the second is only in the file.
  expect(check(log.directory, changed).findings[0]).toMatch(new RegExp(`^event_log row ${seqOf(0)}: chain_hash is`));
  expect((await files(changed)).join("\n")).toMatch(new RegExp(`the chain_hash of event_log row ${seqOf(1)} is \\w+, HEADS`));
});
