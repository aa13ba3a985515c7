/** `oc-partnerd unarchive`: archived events as a database again. */
import { PartnerdError } from "../../base/errors.ts";
import { unarchive } from "../../store/archive/unarchive.ts";
import { isoTime } from "../../views/iso-time.ts";
import { type ProgressStream, progress } from "../terminal/progress.ts";

export interface UnarchiveCommandOptions {
  readonly files: readonly string[];
  /** The data directory, or a database file; undefined where only the files are to be read. */
  readonly data: string | undefined;
  readonly to: string;
  readonly json: boolean;
  /** Where the progress is shown. */
  readonly terminal: ProgressStream;
}

/** The answer as text, or as JSON. Throws usage, and what store/archive/unarchive.ts throws. */
export async function unarchiveEvents({ files, data, to, json, terminal }: UnarchiveCommandOptions): Promise<string> {
  if (files.length === 0 && data === undefined)
    throw new PartnerdError("usage", "there is nothing to read: neither archive files nor a data directory is named", {
      nextStep: "name the files, or the daemon's data directory with --data DIR, or both where the files were moved",
    });
  const shown = progress(terminal, "reading the archives", null);
  const { file, events, head } = await unarchive({ files, data, to, onProgress: (rows) => shown.update(rows) });
  shown.clear();
  if (json) return JSON.stringify({ file, events, seq: head.seq, chainHash: head.chainHash }, null, 2);
  const newest = head.atMs === null ? "" : `, the newest of ${isoTime(head.atMs)}`;
  return `${file} holds ${events === 1 ? "1 event" : `${events} events`}${newest}\nhead ${head.seq}:${head.chainHash}`;
}
