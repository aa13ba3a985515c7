/** The commands that move old events out of a daemon's log and bring them back: their flags and their help. */
import type { Command } from "commander";
import { systemClock } from "../../base/clock.ts";
import { configOf, type Env, example } from "../flags.ts";

export function addArchiveCommands(root: Command, env: Env): void {
  addArchive(root, env);
  addUnarchive(root);
}

interface ArchiveFlags {
  before: string;
  to?: string;
  data?: string;
  config?: string;
  dryRun: boolean;
  json: boolean;
}

function addArchive(root: Command, env: Env): void {
  root
    .command("archive")
    .description("move old events of a daemon's log to a file that holds all of them; the daemon may run meanwhile")
    .requiredOption(
      "--before <time|seq>",
      "move what is older: an age such as 90d, a time in UTC such as 2026-01-01, or a seq of the log",
    )
    .option("--to <dir>", "where the file goes; `archive` in the data directory where none is given")
    .option("--data <dir>", "the daemon's data directory")
    .option("--config <file>", "the daemon's configuration file")
    .option("--dry-run", "only say what would be moved, and what that would free", false)
    .option("--json", "print JSON", false)
    .addHelpText(
      "after",
      example(
        "oc-partnerd archive --data /var/lib/oc-partnerd --before 90d --dry-run",
        "oc-partnerd archive --data /var/lib/oc-partnerd --before 2026-01-01 --to /mnt/archive",
      ),
    )
    .action(async ({ before, to, dryRun, json, ...flags }: ArchiveFlags) => {
      const { archiveEvents } = await import("./archive.ts");
      const [data, terminal] = [dataOf(flags, env), process.stderr];
      print(await archiveEvents({ data, before, to, dryRun, json, clock: systemClock, terminal }));
    });
}

function addUnarchive(root: Command): void {
  root
    .command("unarchive")
    .description("make a database of archive files, to read, check, export or query like any other")
    .argument(
      "[files...]",
      "the archive files, from the first on, in any order; those that the log names where only --data is given",
    )
    .requiredOption("--to <db>", "a new database file")
    .option("--data <dir>", "add what this data directory still holds; the daemon may run meanwhile")
    .option("--json", "print JSON", false)
    .addHelpText(
      "after",
      example(
        "oc-partnerd unarchive --data /var/lib/oc-partnerd --to whole.db",
        "oc-partnerd unarchive /mnt/archive/oc-partnerd-events-*.jsonl.gz --to archived.db",
        "sqlite3 archived.db 'select * from peer_history'",
      ),
    )
    .action(async (files: string[], { to, data, json }: { to: string; data?: string; json: boolean }) => {
      const { unarchiveEvents } = await import("./unarchive.ts");
      print(await unarchiveEvents({ files, data, to, json, terminal: process.stderr }));
    });
}

function dataOf({ data, config }: { data?: string; config?: string }, env: Env): string {
  return configOf({ ...(data !== undefined && { data }), ...(config !== undefined && { config }) }, env).data;
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
