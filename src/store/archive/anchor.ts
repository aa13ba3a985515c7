/** Anchors an archive file: one transaction moves responsibility for its rows from the database to the file. */

import type { Database } from "better-sqlite3";
import type { Clock } from "../../base/clock.ts";
import { PartnerdError } from "../../base/errors.ts";
import { type ArchivedState, packState } from "../fold/archived-state.ts";
import { type Anchor, archiveFactsOf } from "../model/anchor.ts";
import type { LogHead } from "../model/log-head.ts";
import type { Repetition } from "../model/repetition.ts";
import { archiveAnchor, archivedDelivery, archivedOpenStream, archivedPeer, archivedResource } from "../schema/archive.ts";
import { inserter, prepareAll } from "../sql/statements/statement.ts";
import { type Tables, tables } from "../sql/statements/tables.ts";
import { appender, OBSERVED } from "../write/append.ts";
import { CommittedState } from "../write/committed-state.ts";
import { Repetitions } from "../write/repetitions.ts";
import { IS_OVER } from "./remove-archived.ts";

const inserters = {
  anchor: inserter(archiveAnchor),
  peer: inserter(archivedPeer),
  resource: inserter(archivedResource),
  stream: inserter(archivedOpenStream),
  delivery: inserter(archivedDelivery),
};

/** An anchor that is not in the log yet. */
type NewAnchor = Omit<Anchor, "archivedAtMs" | "loggedSeq" | "packedSha256" | "stateSha256">;

/** The contents of the file besides its rows. */
interface ArchiveContents {
  readonly state: ArchivedState;
  /** Counts of failures in earlier archives. Those that can no longer grow move to the file. */
  readonly carried: readonly Repetition[];
}

/**
 * Appends the LogArchived and inserts the anchor with its tables, all or nothing. Returns the anchor and the new head of the log.
 * Throws `database_failed` if another archive was anchored since this one was planned.
 */
export function appendAnchor(
  database: Database,
  anchor: NewAnchor,
  { state, carried }: ArchiveContents,
  clock: Clock,
): { readonly anchor: Anchor; readonly head: LogHead } {
  const rows = tables(database);
  const packed = packState(state);
  const insert = prepareAll(inserters, database);
  const forgetCount = database.prepare<[number, number]>(
    `delete from repeated_failures where first_seq = ? and count = ? and ${IS_OVER}`,
  );
  const write = database.transaction(() => {
    refuseMoved(rows, anchor);
    const committed = new CommittedState(rows);
    const append = appender(rows, committed, new Repetitions(clock), clock);
    const details = archiveFactsOf({ ...anchor, stateSha256: packed.stateSha256 });
    const { seq: loggedSeq, atMs: archivedAtMs } = append({ type: "LogArchived", details }, OBSERVED);
    const { lastSeq } = anchor;
    const { state: bytes, ...hashes } = packed;
    const whole = { ...anchor, archivedAtMs, loggedSeq, ...hashes };
    insert.anchor({ ...whole, state: bytes });
    for (const peer of state.peers) insert.peer({ ...peer, lastSeq });
    for (const resource of state.resources) insert.resource({ ...resource, lastSeq });
    for (const { peerId, openStreams } of state.status)
      for (const stream of openStreams) insert.stream({ ...stream, peerId, lastSeq });
    for (const delivery of state.deliveries) insert.delivery(delivery);
    for (const { firstSeq, count } of carried) forgetCount.run(firstSeq, count);
    return { anchor: whole, head: committed.head };
  });
  return write.immediate();
}

function refuseMoved(rows: Tables, { firstSeq }: NewAnchor): void {
  const archivedUntil = rows.newestAnchor()?.lastSeq ?? 0;
  if (archivedUntil === firstSeq - 1) return;
  throw new PartnerdError("database_failed", `seq ${firstSeq} to ${archivedUntil} were archived by another run in the meantime`, {
    nextStep: "run the same command again, one at a time",
  });
}
