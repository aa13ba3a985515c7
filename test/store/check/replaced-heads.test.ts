/** Published heads of rows that an older copy of the log took away. */
import { join } from "node:path";
import { expect, it } from "vitest";
import { withoutReplaced } from "../../../src/store/check/replaced-heads.ts";
import { backUp } from "../../../src/store/recovery/backup.ts";
import { restoreBackup } from "../../../src/store/recovery/restore.ts";
import { append, desired, start } from "../support/events.ts";
import { rawConnection, TemporaryStore, temporaryDirectory } from "../support/temporary-store.ts";

const published = (seq: number, atMs: number) => ({ from: "heads", seq, hashPrefix: "0", atMs });

function sorted(temporary: TemporaryStore, heads: readonly ReturnType<typeof published>[]) {
  using database = rawConnection(temporary.path, { readonly: true });
  return withoutReplaced(database.database, heads);
}

it("are explained by the restore of a backup that lacked the rows, if they are from before it", async () => {
  using temporary = new TemporaryStore();
  using elsewhere = temporaryDirectory();
  const backup = join(elsewhere.path, "backup.db");
  append(temporary.store, desired({ name: "kept" }));
  const { seq } = (await backUp({ from: temporary.directory, to: backup, force: false, nowMs: 0 })).head;
  append(temporary.store, desired({ name: "lost" }));
  temporary.store[Symbol.dispose]();
  const restoredMs = temporary.clock.wallMs() + 1_000;
  await restoreBackup({ directory: temporary.directory, from: backup, nowMs: restoredMs });
  const lost = [published(seq + 1, restoredMs - 1), published(seq + 9, restoredMs - 1)];
  const others = [published(seq, restoredMs - 1), published(seq + 1, restoredMs)];
  const { heads, claims } = sorted(temporary, [...lost, ...others]);
  expect(heads).toEqual(others);
  const says = `LogRestored at seq ${seq + 1}, so 2 published heads up to seq ${seq + 9} no longer apply`;
  expect(claims).toEqual([
    expect.objectContaining({ place: `event_log row ${seq + 1}`, claim: expect.stringContaining(says) as string }),
  ]);
});

it("are explained by a recorded rollback, from the start on that preceded it", () => {
  using temporary = new TemporaryStore();
  append(temporary.store, desired({ name: "kept" }));
  start(temporary.store);
  const { seq: started } = temporary.store.head();
  const evidence = { reason: "published_head", stream: "HEADS", streamCreated: "2026-01-01T00:00:00Z" } as const;
  temporary.store.appendDelivery([{ type: "LogRolledBack", ...evidence, streamSequence: 3, lastStreamSequence: 3 }]);
  const { seq, atMs } = temporary.store.head();
  const others = [published(started - 1, 0), published(started, atMs ?? 0)];
  const { heads, claims } = sorted(temporary, [published(started, (atMs ?? 0) - 1), ...others]);
  expect(heads).toEqual(others);
  expect(claims.map(({ place }) => place)).toEqual([`event_log row ${started}`]);
  expect(claims[0]?.claim).toContain(`LogRolledBack at seq ${seq}, so 1 published head up to seq ${started} no longer`);
});
