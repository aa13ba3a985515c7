/** The sentence of a LogArchived. Pure. */
import type { Anchor } from "./archive-rows.ts";

/** What the log says of an archive: who changes the anchor, the file or the state has to change the chain too. */
export function archivedMessage(
  anchor: Pick<Anchor, "firstSeq" | "lastSeq" | "events" | "lastChainHash" | "file" | "fileSha256" | "stateSha256">,
): string {
  const { firstSeq, lastSeq, events, lastChainHash, file, fileSha256, stateSha256 } = anchor;
  const counted = events === 1 ? "1 event" : `${events} events`;
  return `seq ${firstSeq} to ${lastSeq} (${counted}) are in ${file}, SHA-256 ${fileSha256}; the last of them has the chain hash ${lastChainHash}, and all come to a state with the SHA-256 ${stateSha256}`;
}
