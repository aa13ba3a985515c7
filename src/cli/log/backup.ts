/** `oc-partnerd backup`: makes a consistent, verified copy of a daemon's database, even while the daemon runs. */
import { dirname } from "node:path";
import { Command } from "commander";
import { systemClock as clock } from "../../base/clock.ts";
import { PartnerdError } from "../../base/errors.ts";
import { shownPath } from "../../base/secrets/shown.ts";
import { bytesText, counted } from "../../base/units.ts";
import type { KeyBackup } from "../../identity/key-backup.ts";
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
    .option("--with-identity", "also write the private key, to FILE.identity.key (0600); keep it secret", false)
    .option("--identity-file <file>", "with --with-identity: the daemon's key, if it is not in the data directory")
    .option("--force", "replace the files if they exist", false)
    .option(...JSON_FLAG)
    .addHelpText(
      "after",
      example(
        "oc-partnerd backup --data /var/lib/oc-partnerd --to /var/backups/oc-partnerd.db --force",
        "oc-partnerd backup --data /var/lib/oc-partnerd --to /mnt/safe/oc-partnerd.db --with-identity",
        "oc-partnerd backup --to oc-partnerd-$(date +%F).db --json | jq -r .chainHash",
      ),
    )
    .action(async ({ to, force, withIdentity, json, ...flags }: BackupFlags) => {
      if (flags.identityFile !== undefined && withIdentity !== true)
        throw new PartnerdError("usage", "--identity-file without --with-identity has no effect", {
          nextStep: "add --with-identity, or leave out --identity-file",
        });
      const { data, identityFile } = configOf(flags, env);
      print(await runBackup({ data, identityFile, to, force, withIdentity, json, terminal: process.stderr }));
    });
}

type BackupFlags = Pick<BackupRequest, "to" | "force" | "withIdentity" | "json"> & DaemonFlags;

interface BackupRequest {
  /** The data directory, or a database file. */
  readonly data: string;
  readonly identityFile?: string | undefined;
  readonly to: string;
  readonly force: boolean;
  /** Whether to write the private key beside the backup. */
  readonly withIdentity?: boolean | undefined;
  readonly json: boolean;
  readonly terminal: ProgressStream;
}

/** Returns the report as text or JSON. Throws the errors of backUp and keyBackup. */
export async function runBackup(request: BackupRequest): Promise<string> {
  const { data, to, force, json, terminal } = request;
  const { backUp } = await import("../../store/recovery/backup.ts");
  const key = request.withIdentity ? await keyOf(request) : undefined;
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
  key?.write();
  if (json) {
    const identity = key === undefined ? null : { peerId: key.peerId, file: key.file };
    return jsonText({ file, bytes, events, seq: head.seq, chainHash: head.chainHash, identity });
  }
  const lines = [`${file}: ${counted(events, "event")}, ${bytesText(bytes)}, sound`, headText(head)];
  if (key === undefined) lines.push(...(await withoutKeyLines(request)));
  else
    lines.push(
      `${key.file}: the private key of ${key.peerId}; keep it secret, since any program that has it can pose as this daemon`,
    );
  return lines.join("\n");
}

/** Nothing for a log that belongs to no PeerID yet. */
async function withoutKeyLines({ to, identityFile }: BackupRequest): Promise<readonly string[]> {
  const { openLogReader } = await import("../../store/log-reader.ts");
  using reader = openLogReader(to);
  const logged = reader.identity();
  if (logged === undefined) return [];
  const file = identityFile === undefined ? "identity.key" : shownPath(identityFile);
  return [`without the key of ${logged}, which a restored log needs to start: keep ${file} too, or add --with-identity`];
}

/** Read before the backup is made, so that a key that cannot be used stops it. */
async function keyOf({ data, identityFile, to, force }: BackupRequest): Promise<KeyBackup> {
  const { keyBackup } = await import("../../identity/key-backup.ts");
  const { openLogReader } = await import("../../store/log-reader.ts");
  const { databaseFileOf } = await import("../../store/sql/data-directory.ts");
  using reader = openLogReader(data);
  return keyBackup({ data: dirname(databaseFileOf(data)), identityFile }, reader.identity(), to, force);
}
