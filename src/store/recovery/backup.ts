/** Backs up a daemon's database, which may be in use: consistent, checked, fsynced, and in place whole or not at all. */

import { existsSync, linkSync, realpathSync, renameSync, rmSync, statSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { messageOf, PartnerdError } from "../../base/errors.ts";
import { checkDatabase } from "../check/check.ts";
import { headBeside } from "../check/head-check.ts";
import { REPLACE_THE_LOG, refuseUnsound } from "../model/finding.ts";
import type { LogHead } from "../model/log-head.ts";
import { databaseFileOf, syncToDisk } from "../sql/data-directory.ts";
import { type CopyProgress, copyDatabase, databaseFiles, removeDatabase } from "./copy.ts";
import { partialOf, removeAbandoned } from "./partial-backups.ts";
import { removedIfKilled } from "./removed-if-killed.ts";

export interface BackupOptions {
  /** A data directory, or a database file. */
  readonly from: string;
  /** The backup file to create. */
  readonly to: string;
  /** Whether to replace `to` if it exists. */
  readonly force: boolean;
  readonly nowMs: number;
  /** Runs the copying with a signal that stops it; default: nothing does. */
  readonly stoppable?: <Result>(copying: (signal: AbortSignal) => Promise<Result>) => Promise<Result>;
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
 * Throws `usage` if `to` is the database or another file of its data directory, `file_failed` if it exists, cannot be written or is
 * not a regular file, `check_failed` if the database is not sound, and whatever checkDatabase throws. If it throws, it leaves no
 * backup, and an existing `to` untouched.
 */
export async function backUp(options: BackupOptions): Promise<BackupReport> {
  const { to, force, nowMs, stoppable = unstoppable, onCopied = () => {}, onChecked = () => {} } = options;
  const file = databaseFileOf(options.from);
  if (existsSync(to)) refuseTarget(file, to, force);
  removeAbandoned(to, nowMs);
  const partial = partialOf(to);
  using _killed = removedIfKilled(databaseFiles(resolve(partial)));
  try {
    // Read before the database, so that everything it names has been committed.
    const { head } = headBeside(file);
    await stoppable(async (signal) => {
      try {
        await copyDatabase(file, partial, onCopied, { signal });
      } catch (thrown) {
        removeDatabase(partial);
        throw thrown;
      }
    });
    const report = checkDatabase({
      path: partial,
      withHistory: false,
      heads: head === null ? [] : [head],
      onProgress: onChecked,
    });
    refuseUnsound({ ...report, file }, `run \`oc-partnerd check\` to see all findings, then ${REPLACE_THE_LOG}`);
    moveInto(partial, to, force);
    return { file: to, bytes: statSync(to).size, events: report.events, head: report.head };
  } finally {
    removeDatabase(partial);
  }
}

function unstoppable<Result>(copying: (signal: AbortSignal) => Promise<Result>): Promise<Result> {
  return copying(new AbortController().signal);
}

function refuseTarget(file: string, to: string, force: boolean): void {
  const stats = statSync(to);
  if (stats.isDirectory())
    throw new PartnerdError("file_failed", `${to} is a directory`, {
      nextStep: `choose a file in it, for example --to ${join(to, "oc-partnerd-backup.db")}`,
    });
  if (!stats.isFile())
    throw new PartnerdError("file_failed", `${to} is not a regular file`, { nextStep: "choose another file with --to FILE" });
  if (realpathSync(to) === realpathSync(file))
    throw new PartnerdError("usage", `${to} is the database itself`, { nextStep: "choose another file with --to FILE" });
  if (isOwnFile(dirname(realpathSync(file)), realpathSync(to)))
    throw new PartnerdError("usage", `${to} is a file of the daemon`, { nextStep: "choose another file with --to FILE" });
  if (!force)
    throw new PartnerdError("file_failed", `${to} already exists and will not be overwritten`, {
      nextStep: "choose another file with --to FILE, or add --force to replace it",
    });
}

/** The write-ahead log, damaged databases that `restore` keeps, keys, archives and the others. */
const OWN_NAMES = /^(oc-partnerd\.(db-|db\.damaged-|head|alive|lock)|oc-partnerd-(archive\.lock|events-)|identity\.key)/;

function isOwnFile(directory: string, path: string): boolean {
  return OWN_NAMES.test(basename(path)) && [directory, join(directory, "archive")].includes(dirname(path));
}

/** Fsyncs before linking into place. Without `force`, never overwrites a file created in the meantime. */
function moveInto(partial: string, to: string, force: boolean): void {
  try {
    syncToDisk(partial);
    if (force) renameSync(partial, to);
    else linkSync(partial, to);
    rmSync(partial, { force: true });
    syncToDisk(dirname(to));
  } catch (thrown) {
    throw new PartnerdError("file_failed", `cannot put the backup in place as ${to}: ${messageOf(thrown)}`, {
      nextStep: "choose a file on a local file system with --to FILE",
      cause: thrown,
    });
  }
}
