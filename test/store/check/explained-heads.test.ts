/** Published heads of rows that an older copy of the log took away. */
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { RunId } from "../../../src/events/types.ts";
import { checkArchives } from "../../../src/store/archive/archive-check.ts";
import { checkDatabase } from "../../../src/store/check/check.ts";
import { type HeadOfRun, withExplanations } from "../../../src/store/check/explained-heads.ts";
import { backUp } from "../../../src/store/recovery/backup.ts";
import { restoreBackup } from "../../../src/store/recovery/restore.ts";
import { archiveBefore } from "../support/archiving.ts";
import { append, desired, start } from "../support/events.ts";
import { rawConnection, TemporaryStore, temporaryDirectory } from "../support/temporary-store.ts";

let temporary: TemporaryStore;
beforeEach(() => {
  temporary = new TemporaryStore();
});
afterEach(() => temporary[Symbol.dispose]());

const begin = (run: string) => void start(temporary.store, { run: run as RunId });
const grow = (...names: readonly string[]) => {
  for (const name of names) append(temporary.store, desired({ name }));
};
const rollBack = () => {
  const evidence = { reason: "published_head", stream: "HEADS", streamCreated: "2026-01-01T00:00:00Z" } as const;
  temporary.store.appendDelivery([{ type: "LogRolledBack", ...evidence, streamSequence: 3, lastStreamSequence: 3 }]);
};
const seqNow = () => temporary.store.head().seq;

type Published = Omit<HeadOfRun, "sequence">;

/** As the log names it now, and as another log named it. */
const sound = (run: string): Published => {
  const { seq, chainHash } = temporary.store.head();
  return { from: "heads", seq, hashPrefix: chainHash ?? "", run };
};
const lost = (seq: number, run: string): Published => ({ from: "heads", seq, hashPrefix: "0000", run });

/** Of heads in the order of their publication. */
async function check(published: readonly Published[], confirmed: readonly number[] = []) {
  using raw = rawConnection(temporary.path, { readonly: true });
  const heads = withExplanations(
    raw.database,
    published.map((head, index) => ({ ...head, sequence: index + 1 })),
  );
  const { findings, witnesses } = checkDatabase({ path: temporary.directory, series: { from: "heads", heads, confirmed } });
  const ofArchives = heads.filter(({ explainedBy }) => explainedBy === undefined);
  const archives = await checkArchives({ path: temporary.directory, heads: ofArchives });
  return {
    contradicting: [...findings, ...archives.flatMap((archive) => archive.findings)].map(({ place }) => place),
    claims: witnesses.filter(({ claim }) => /older copy|clone/.test(claim)),
  };
}

/** A run whose log loses the two rows after `kept` to a backup. Returns the seq of the LogRestored. */
async function restoredLog(): Promise<number> {
  begin("old");
  grow("kept");
  await restoreWithout("lost", "lost, too");
  const restored = seqNow();
  begin("new");
  return restored;
}

async function restoreWithout(...names: readonly string[]): Promise<void> {
  using elsewhere = temporaryDirectory();
  const backup = join(elsewhere.path, "backup.db");
  await backUp({ from: temporary.directory, to: backup, force: false, nowMs: 0 });
  grow(...names);
  temporary.store[Symbol.dispose]();
  await restoreBackup({ directory: temporary.directory, from: backup, nowMs: 0 });
  temporary.reopen();
}

it("are explained by a restore that the operator confirms, also once its row is archived", async () => {
  begin("old");
  grow("kept");
  const before = sound("old");
  await restoreWithout("lost", "lost, too");
  const restored = seqNow();
  begin("new");
  grow("a", "b", "c");
  const published = [before, lost(restored, "old"), lost(restored + 2, "old"), sound("new")];
  expect(await check(published)).toEqual({ contradicting: [`event_log row ${restored}`], claims: [] });
  const { contradicting, claims } = await check(published, [restored]);
  expect(contradicting).toEqual([]);
  expect(claims.map(({ place }) => place)).toEqual([`event_log row ${restored}`]);
  expect(claims[0]?.claim).toContain(`LogRestored at seq ${restored}, so 2 published heads up to seq ${restored + 2} no longer`);
  await archiveBefore(temporary.directory, restored + 2);
  expect(await check(published, [restored])).toMatchObject({
    contradicting: [],
    claims: [{ place: `event_log row ${restored}` }],
  });
});

it("are explained by a rollback that the operator confirms, from the first start on that could not notice it", async () => {
  begin("old");
  grow("kept");
  const before = sound("old");
  const first = seqNow() + 1;
  begin("without a broker");
  grow("written on the copy");
  begin("noticed it");
  rollBack();
  const rolledBack = seqNow();
  const published = [before, lost(first, "lost"), lost(first + 1, "old"), sound("noticed it")];
  expect(await check(published)).toEqual({ contradicting: [`event_log row ${first}`], claims: [] });
  expect(await check(published, [rolledBack])).toMatchObject({
    contradicting: [],
    claims: [{ place: `event_log row ${first}` }],
  });
});

it("are never passed over because only an archive file could tell", async () => {
  const restored = await restoredLog();
  grow("a", "b", "c");
  await archiveBefore(temporary.directory, restored + 3);
  const published = [lost(restored + 1, "old")];
  expect(await check(published)).toEqual({ contradicting: [`event_log row ${restored}`], claims: [] });
  expect(await check(published, [restored])).toMatchObject({
    contradicting: [],
    claims: [{ place: `event_log row ${restored}` }],
  });
});

it("are a finding if they name rows before the copy, or if a run since then has published them", async () => {
  begin("old");
  grow("kept");
  const kept = lost(seqNow(), "old");
  await restoreWithout("lost");
  begin("new");
  grow("a");
  const changed = lost(seqNow(), "new");
  const { contradicting, claims } = await check([kept, changed]);
  expect(contradicting).toEqual([`event_log row ${kept.seq}`, `event_log row ${changed.seq}`, "heads"]);
  expect(claims).toEqual([]);
});

it("are not explained by a restore if the log had continued since: a second loss needs a reason of its own", async () => {
  const restored = await restoredLog();
  grow("a");
  const published = [lost(restored, "old"), sound("new"), lost(restored + 3, "new"), lost(restored + 4, "of a copy")];
  grow("b", "c", "d");
  const again = await check(published, [restored]);
  expect(again.contradicting).toEqual([`event_log row ${restored + 3}`, `event_log row ${restored + 4}`, "heads"]);
  expect(again.claims.map(({ place }) => place)).toEqual([`event_log row ${restored}`]);
  await archiveBefore(temporary.directory, restored + 3);
  const archived = await check(published, [restored]);
  expect(archived.contradicting).toEqual([`event_log row ${restored + 3}`, `event_log row ${restored + 4}`, "heads"]);
});

it("are explained by the CloneSeen that names their run, which the operator confirms, also once its row is archived", async () => {
  begin("ours");
  grow("a", "b");
  const published = [lost(seqNow(), "clone"), lost(seqNow() + 100, "clone"), lost(seqNow(), "another")];
  const first = seqNow();
  temporary.store.appendDelivery([{ type: "CloneSeen", reason: "published_head", details: { otherRun: "clone" } }]);
  const seen = seqNow();
  const ofAnother = [`event_log row ${first}`, "heads"];
  expect(await check(published)).toEqual({ contradicting: [...ofAnother, `event_log row ${seen}`], claims: [] });
  const { contradicting, claims } = await check(published, [seen]);
  expect(contradicting).toEqual(ofAnother);
  const claim = `2 published heads up to seq ${first + 100} are those of run clone, a clone that CloneSeen at seq ${seen} names`;
  expect(claims.map((one) => one.claim)).toEqual([claim]);
  grow("c");
  await archiveBefore(temporary.directory, seen + 1);
  expect(temporary.store.clonesSeen()).toEqual(["clone"]);
  const archived = await check([lost(seqNow() + 100, "clone")], [seen]);
  expect([archived.contradicting, archived.claims.length]).toEqual([[], 1]);
});

it("of a run of this log are never explained by a CloneSeen", async () => {
  begin("ours");
  grow("a");
  temporary.store.appendDelivery([{ type: "CloneSeen", reason: "published_head", details: { otherRun: "ours" } }]);
  const seen = seqNow();
  expect((await check([lost(seen - 1, "ours")], [seen])).contradicting).toEqual([`event_log row ${seen - 1}`, "heads"]);
  grow("b");
  await archiveBefore(temporary.directory, seen);
  expect((await check([lost(seen + 1, "ours")], [seen])).contradicting).toEqual([`event_log row ${seen + 1}`, "heads"]);
});
