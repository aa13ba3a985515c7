/** A backup of a daemon's database, which may run meanwhile: consistent, looked at, on the disk, and in place whole or not at all. */

import { existsSync, linkSync, realpathSync, renameSync, rmSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { messageOf, PartnerdError } from "../../base/errors.ts";
import { checkDatabase } from "../check/check.ts";
import { headBeside } from "../check/head-check.ts";
import { refuseUnsound } from "../model/finding.ts";
import type { LogHead } from "../model/log-head.ts";
import { databaseFileOf, syncToDisk } from "../sql/data-directory.ts";
import { type CopyProgress, copyDatabase, removeDatabase } from "./copy.ts";

export interface BackupOptions {
  /** A data directory, or a database file. */
  readonly from: string;
  /** The file that is to hold the backup. */
  readonly to: string;
  /** Whether `to` may be there already, and is replaced. */
  readonly force: boolean;
  readonly onCopied?: CopyProgress;
  readonly onChecked?: (rows: number, total: number) => void;
}

export interface BackupReport {
  readonly file: string;
  readonly bytes: number;
  readonly events: number;
  readonly head: LogHead;
}

/**
 * Throws `file_failed` where `to` is there already or cannot be written, `check_failed` where the database is not sound, and what
 * checkDatabase throws. Then there is no backup, and what was there before is untouched.
 */
export async function backUp(options: BackupOptions): Promise<BackupReport> {
  const { to, force, onCopied = () => {}, onChecked = () => {} } = options;
  const file = databaseFileOf(options.from);
  if (existsSync(to)) refuseTarget(file, to, force);
  const partial = join(dirname(to), `.${basename(to)}.partial-${process.pid}`);
  try {
    // Read before the database: whatever it names has been committed.
    const { head } = headBeside(file);
    await copyDatabase(file, partial, onCopied);
    const report = checkDatabase({ path: partial, heads: head === null ? [] : [head], onProgress: onChecked });
    refuseUnsound(
      { ...report, file },
      "see all of it with `oc-partnerd check`; `oc-partnerd restore` puts a sound log in its place",
    );
    moveInto(partial, to, force);
    return { file: to, bytes: statSync(to).size, events: report.events, head: report.head };
  } finally {
    removeDatabase(partial);
  }
}

function refuseTarget(file: string, to: string, force: boolean): void {
  if (realpathSync(to) === realpathSync(file))
    throw new PartnerdError("usage", `${to} is the database itself`, { nextStep: "name another file with --to FILE" });
  if (!force)
    throw new PartnerdError("file_failed", `${to} exists already, and nothing is overwritten`, {
      nextStep: "name another file with --to FILE, or add --force to replace it",
    });
}

/** On the disk before it has its name; whoever made a file of that name meanwhile keeps it. */
function moveInto(partial: string, to: string, force: boolean): void {
  try {
    syncToDisk(partial);
    if (force) renameSync(partial, to);
    else linkSync(partial, to);
    rmSync(partial, { force: true });
    syncToDisk(dirname(to));
  } catch (thrown) {
    throw new PartnerdError("file_failed", `cannot put the backup in place as ${to}: ${messageOf(thrown)}`, {
      nextStep: "name a file on a local file system with --to FILE",
      cause: thrown,
    });
  }
}
