/** `oc-partnerd backup`: makes a consistent, verified copy of a daemon's database, even while the daemon runs. */
import { Command } from "commander";
import { systemClock as clock } from "../../base/clock.ts";
import { bytesText, counted } from "../../base/units.ts";
import { CONFIG_FLAG, configOf, type DaemonFlags, type Env, example, JSON_FLAG } from "../terminal/flags.ts";
import { holdEventLoop } from "../terminal/hold-event-loop.ts";
import { jsonText, print } from "../terminal/output.ts";
import { type ProgressStream, stepProgress } from "../terminal/progress.ts";
import { stoppable } from "../terminal/stoppable.ts";
import { headText } from "./log-place.ts";

export function backupCommand(env: Env): Command {
  return new Command("backup")
    .description("make a consistent, verified copy of the database (safe while the daemon runs)")
    .requiredOption("--to <file>", "file to write (required)")
    .option("--data <dir|file>", "data directory of the daemon, or a database file (default: ./oc-partnerd-data)")
    .option(...CONFIG_FLAG)
    .option("--force", "replace the file if it exists", false)
    .option(...JSON_FLAG)
    .addHelpText(
      "after",
      example(
        "oc-partnerd backup --data /var/lib/oc-partnerd --to /var/backups/oc-partnerd.db --force",
        "oc-partnerd backup --to oc-partnerd-$(date +%F).db --json | jq -r .chainHash",
      ),
    )
    .action(async ({ to, force, json, ...flags }: Pick<BackupRequest, "to" | "force" | "json"> & DaemonFlags) =>
      print(await runBackup({ data: configOf(flags, env).data, to, force, json, terminal: process.stderr })),
    );
}

interface BackupRequest {
  /** The data directory, or a database file. */
  readonly data: string;
  readonly to: string;
  readonly force: boolean;
  readonly json: boolean;
  readonly terminal: ProgressStream;
}

/** Returns the report as text or JSON. Throws the errors of backUp. */
export async function runBackup({ data, to, force, json, terminal }: BackupRequest): Promise<string> {
  const { backUp } = await import("../../store/recovery/backup.ts");
  using _held = holdEventLoop();
  using shown = stepProgress(terminal);
  const { file, bytes, events, head } = await backUp({
    from: data,
    to,
    force,
    nowMs: clock.wallMs(),
    stoppable,
    onCopied: (pages, total) => shown.update("copying pages", pages, total),
    onChecked: (rows, total) => shown.update("checking the copy", rows, total),
  });
  return json
    ? jsonText({ file, bytes, events, seq: head.seq, chainHash: head.chainHash })
    : `${file}: ${counted(events, "event")}, ${bytesText(bytes)}, sound\n${headText(head)}`;
}
