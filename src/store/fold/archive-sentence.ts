/** The sentence of a LogArchived. Pure. */
import { counted } from "../../base/units.ts";
import type { Anchor } from "../sql/archive-rows.ts";

/**
 * What the log says of an archive: all that its anchor says, so that whoever changes the anchor, the file or the state has to change the
 * chain too.
 */
export function archivedMessage(anchor: Omit<Anchor, "archivedAtMs" | "loggedSeq" | "packedSha256">): string {
  const { firstSeq, lastSeq, events, firstAtMs, lastAtMs, lastChainHash, stateSha256 } = anchor;
  const { directory, file, fileBytes, fileSha256 } = anchor;
  const times = `${new Date(firstAtMs).toISOString()} to ${new Date(lastAtMs).toISOString()}`;
  return (
    `seq ${firstSeq} to ${lastSeq} (${counted(events, "event")}, ${times}) are in ${file}, ${fileBytes} bytes with the SHA-256 ${fileSha256}, in ${directory}; ` +
    `the last of them has the chain hash ${lastChainHash}, and all come to a state with the SHA-256 ${stateSha256}`
  );
}
