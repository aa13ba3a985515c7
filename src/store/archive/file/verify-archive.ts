/** Reads an archive file and checks every row: its columns, its payload, its place in the chain, and its effect. */

import { PartnerdError } from "../../../base/errors.ts";
import type { ArchivedState } from "../../fold/archived-state.ts";
import type { ReplayStart } from "../../fold/replay.ts";
import { sentenceOf } from "../../model/finding.ts";
import type { Repetition } from "../../model/repetition.ts";
import { type ReadArchive, readArchiveFile } from "./archive-file.ts";
import { ArchiveFold } from "./archive-fold.ts";
import type { ArchivedRow } from "./archive-format.ts";

export interface VerifiedArchive extends ReadArchive {
  /** The state at the end of its rows. */
  readonly state: ArchivedState;
}

interface ArchiveReader {
  row?(archived: ArchivedRow): void;
  repetition?(repetition: Repetition): void;
  /** Called for every row with the number of rows so far. */
  progress?(rows: number): void;
}

/**
 * `start`: the state of the log before the file's first row. Throws as readArchiveFile does, and `archive_invalid` if a row is
 * not sound or the file does not continue from `start`.
 */
export async function readVerified(path: string, start: ReplayStart, reader: ArchiveReader = {}): Promise<VerifiedArchive> {
  const fold = new ArchiveFold(start);
  let rows = 0;
  const read = await readArchiveFile(path, {
    header({ firstSeq, followsChainHash }) {
      if (firstSeq !== start.seq + 1) throw invalid(path, `it begins with seq ${firstSeq}, expected ${start.seq + 1}`);
      if (followsChainHash !== start.chainHash)
        throw invalid(path, `it follows the chain hash ${followsChainHash}, expected ${start.chainHash}`);
    },
    row(archived) {
      for (const finding of fold.take(archived.row)) throw invalid(path, sentenceOf(finding));
      reader.row?.(archived);
      reader.progress?.(++rows);
    },
    repetition: (repetition) => reader.repetition?.(repetition),
  });
  return { ...read, state: fold.state() };
}

function invalid(path: string, problem: string): PartnerdError {
  return new PartnerdError("archive_invalid", `${path}: ${problem}`, {
    nextStep: "restore the file from a backup; the view archives has the SHA-256 of the original",
    details: { problem },
  });
}
