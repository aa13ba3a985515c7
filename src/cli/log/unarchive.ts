/** `oc-partnerd unarchive`: rebuilds a database from archive files. */
import { Command } from "commander";
import { PartnerdError } from "../../base/errors.ts";
import { counted } from "../../base/units.ts";
import { example, JSON_FLAG } from "../terminal/flags.ts";
import { jsonText, print } from "../terminal/output.ts";
import { type ProgressStream, progress } from "../terminal/progress.ts";
import { headText, newestText } from "./log-place.ts";

export function unarchiveCommand(): Command {
  return new Command("unarchive")
    .description("rebuild a database from archive files, to check, export or query it")
    .argument("[files...]", "archive files from the first one on, in any order (default with --data: those named in the log)")
    .requiredOption("--to <db>", "new database file (required)")
    .option("--data <dir>", "also include the events in this data directory (safe while the daemon runs)")
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
  /** The data directory or a database file; undefined to read only the archive files. */
  readonly data?: string | undefined;
  readonly to: string;
  readonly json: boolean;
  readonly terminal: ProgressStream;
}

/** Returns the report as text or JSON. Throws usage, and the errors of store/archive/unarchive.ts. */
async function runUnarchive({ files, data, to, json, terminal }: UnarchiveRequest): Promise<string> {
  if (files.length === 0 && data === undefined)
    throw new PartnerdError("usage", "nothing to read: no archive file and no data directory was given", {
      nextStep: "name the archive files, or the daemon's data directory with --data DIR, or both if the files were moved",
    });
  const { unarchive } = await import("../../store/archive/unarchive.ts");
  const shown = progress(terminal, "reading the archives", null);
  const { file, events, head } = await unarchive({ files, data, to, onProgress: (rows) => shown.update(rows) });
  shown.clear();
  return json
    ? jsonText({ file, events, seq: head.seq, chainHash: head.chainHash })
    : `${file} holds ${counted(events, "event")}${newestText(head)}\n${headText(head)}`;
}
