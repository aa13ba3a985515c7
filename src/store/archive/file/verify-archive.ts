/** Reading an archive file with every row looked at: its columns, its payload, its place in the chain, and what it does. */

import { PartnerdError } from "../../../base/errors.ts";
import type { ArchivedState } from "../../fold/archived-state.ts";
import type { ReplayStart } from "../../fold/replay.ts";
import { sentenceOf } from "../../model/finding.ts";
import type { Repetition } from "../../model/repetition.ts";
import { type ReadArchive, readArchiveFile } from "./archive-file.ts";
import { ArchiveFold } from "./archive-fold.ts";
import type { ArchivedRow } from "./archive-format.ts";

export interface VerifiedArchive extends ReadArchive {
  /** What its rows come to. */
  readonly state: ArchivedState;
}

interface ArchiveReader {
  row?(archived: ArchivedRow): void;
  repetition?(repetition: Repetition): void;
  /** Called for every row, with how many there were so far. */
  progress?(rows: number): void;
}

/**
 * `start`: what stands before the file's first row. Throws as readArchiveFile does, and `archive_invalid` where a row does not hold or the
 * file does not follow `start`.
 */
export async function readVerified(path: string, start: ReplayStart, reader: ArchiveReader = {}): Promise<VerifiedArchive> {
  const fold = new ArchiveFold(start);
  let rows = 0;
  const read = await readArchiveFile(path, {
    header({ firstSeq, followsChainHash }) {
      if (firstSeq !== start.seq + 1)
        throw invalid(path, `it begins with seq ${firstSeq}, and has to begin with ${start.seq + 1}`);
      if (followsChainHash !== start.chainHash)
        throw invalid(path, `it follows the chain hash ${followsChainHash}, and has to follow ${start.chainHash}`);
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
    nextStep: "take the file from a backup; its anchor in the database has its SHA-256 (view archives)",
    details: { problem },
  });
}
