/** The anchor that replaces archived rows, and the row of the log that records the same facts. Pure. */
import { isDeepStrictEqual } from "node:util";
import type { LogEvent } from "../../events/types.ts";
import type { ArchiveFacts } from "../../events/upkeep/upkeep-facts.ts";
import type { archiveAnchor } from "../schema/archive.ts";

/** The anchor that replaces the rows up to `lastSeq`, which are in an archive file. */
export type Anchor = Omit<typeof archiveAnchor.$inferSelect, "state">;

/**
 * The facts of an anchor that its LogArchived records. Changing the anchor, the file or the state therefore requires changing the
 * chain.
 */
export function archiveFactsOf(anchor: ArchiveFacts): ArchiveFacts {
  return {
    firstSeq: anchor.firstSeq,
    lastSeq: anchor.lastSeq,
    events: anchor.events,
    firstAtMs: anchor.firstAtMs,
    lastAtMs: anchor.lastAtMs,
    lastChainHash: anchor.lastChainHash,
    directory: anchor.directory,
    file: anchor.file,
    fileBytes: anchor.fileBytes,
    fileSha256: anchor.fileSha256,
    stateSha256: anchor.stateSha256,
  };
}

/** True if `event`, logged at `atMs`, records the same facts as `anchor`. */
export function records(event: LogEvent, atMs: number, anchor: Anchor): boolean {
  return event.type === "LogArchived" && atMs === anchor.archivedAtMs && isDeepStrictEqual(event.details, archiveFactsOf(anchor));
}
