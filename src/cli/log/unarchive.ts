/** `oc-partnerd unarchive`: archived events as a database again. */
import { Command } from "commander";
import { PartnerdError } from "../../base/errors.ts";
import { counted } from "../../base/units.ts";
import { example, JSON_FLAG } from "../terminal/flags.ts";
import { jsonText, print } from "../terminal/output.ts";
import { type ProgressStream, progress } from "../terminal/progress.ts";
import { headText, newestText } from "./log-place.ts";

export function unarchiveCommand(): Command {
  return new Command("unarchive")
    .description("make a database of archive files, to read, check, export or query like any other")
    .argument(
      "[files...]",
      "the archive files, from the first on, in any order; those that the log names where only --data is given",
    )
    .requiredOption("--to <db>", "a new database file")
    .option("--data <dir>", "add what this data directory still holds; the daemon may run meanwhile")
    .option(...JSON_FLAG)
    .addHelpText(
      "after",
      example(
        "oc-partnerd unarchive --data /var/lib/oc-partnerd --to whole.db",
        "oc-partnerd unarchive /mnt/archive/oc-partnerd-events-*.jsonl.gz --to archived.db",
        "sqlite3 archived.db 'select * from peer_history'",
      ),
    )
    .action(async (files: string[], flags: Omit<UnarchiveRequest, "files" | "terminal">) =>
      print(await runUnarchive({ ...flags, files, terminal: process.stderr })),
    );
}

interface UnarchiveRequest {
  readonly files: readonly string[];
  /** The data directory, or a database file; undefined where only the files are to be read. */
  readonly data?: string | undefined;
  readonly to: string;
  readonly json: boolean;
  readonly terminal: ProgressStream;
}

/** The answer as text, or as JSON. Throws usage, and what store/archive/unarchive.ts throws. */
async function runUnarchive({ files, data, to, json, terminal }: UnarchiveRequest): Promise<string> {
  if (files.length === 0 && data === undefined)
    throw new PartnerdError("usage", "there is nothing to read: neither archive files nor a data directory is named", {
      nextStep: "name the files, or the daemon's data directory with --data DIR, or both where the files were moved",
    });
  const { unarchive } = await import("../../store/archive/unarchive.ts");
  const shown = progress(terminal, "reading the archives", null);
  const { file, events, head } = await unarchive({ files, data, to, onProgress: (rows) => shown.update(rows) });
  shown.clear();
  return json
    ? jsonText({ file, events, seq: head.seq, chainHash: head.chainHash })
    : `${file} holds ${counted(events, "event")}${newestText(head)}\n${headText(head)}`;
}
