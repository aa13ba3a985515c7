/** The anchor that replaces archived rows, and the row of the log that says the same. Pure. */
import { counted, isoTime } from "../../base/units.ts";
import type { archiveAnchor } from "../schema/archive.ts";

/** What replaces the rows up to `lastSeq` that are in an archive file. */
export type Anchor = Omit<typeof archiveAnchor.$inferSelect, "state">;

/**
 * The message of a LogArchived: what the log says of an archive: all that its anchor says, so that whoever changes the anchor, the file or the state has to change the
 * chain too.
 */
export function archiveSentence(anchor: Omit<Anchor, "archivedAtMs" | "loggedSeq" | "packedSha256">): string {
  const { firstSeq, lastSeq, events, firstAtMs, lastAtMs, lastChainHash, stateSha256 } = anchor;
  const { directory, file, fileBytes, fileSha256 } = anchor;
  const times = `${isoTime(firstAtMs)} to ${isoTime(lastAtMs)}`;
  return (
    `seq ${firstSeq} to ${lastSeq} (${counted(events, "event")}, ${times}) are in ${file}, ${fileBytes} bytes with the SHA-256 ${fileSha256}, in ${directory}; ` +
    `the last of them has the chain hash ${lastChainHash}, and all come to a state with the SHA-256 ${stateSha256}`
  );
}
