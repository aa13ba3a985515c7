/** Refuses a log whose projections do not follow from its rows, before the daemon acts on them (docs/adr/0020). */
import { Worker } from "node:worker_threads";
import { messageOf, PartnerdError } from "../../../base/errors.ts";
import { abortable } from "../../../base/pause.ts";
import { type Finding, sentenceOf } from "../../model/finding.ts";
import { databaseFileOf } from "../../sql/data-directory.ts";
import { closeAtEnd } from "../../sql/open.ts";
import { openToRead } from "../../sql/open-to-read.ts";
import { checkAtStart, type StartReport, type WorkerAnswer } from "./start-check.ts";

interface VerifyOptions {
  /** The data directory. Its database must have this program's schema. */
  readonly directory: string;
  /** Stops the verification, and rejects with its reason. */
  readonly signal: AbortSignal;
}

/** Number of rows replayed, and where the cursor should be, if it is elsewhere. */
type Verified = Omit<StartReport, "findings">;

/** A log with at most as many rows in each table is verified on the calling thread, in less time than a thread needs to start. */
const MOST_INLINE_ROWS = 500;

/** The tables that the verification reads from end to end. */
const READ_TABLES = [
  "event_log",
  "desired_peer",
  "peer_status_row",
  "open_stream",
  "repeated_failures",
  "archived_message",
  "archived_core_message",
  "archive_anchor",
] as const;

/**
 * Verifies the log, in a thread of its own if it is long, so that the event loop stays free. Rejects with `log_inconsistent` if
 * something that the daemon trusts does not follow from the log, and with `database_failed` if the log cannot be read.
 */
export async function verifyLog({ directory, signal }: VerifyOptions): Promise<Verified> {
  const file = databaseFileOf(directory);
  const { findings, ...verified } = await report(file, signal);
  refuse(file, findings);
  return verified;
}

async function report(file: string, signal: AbortSignal): Promise<StartReport> {
  try {
    if (isShort(file)) return checkAtStart(file);
  } catch (thrown) {
    throw cannotVerify(file, messageOf(thrown));
  }
  const answer = await fromThread(file, signal);
  if (answer.ok) return answer.report;
  throw cannotVerify(file, answer.why);
}

function isShort(file: string): boolean {
  const database = openToRead(file);
  using _closing = closeAtEnd(database);
  return READ_TABLES.every((table) => {
    const last = database.prepare<[number], number>(`select 1 from ${table} limit 1 offset ?`).pluck();
    return last.get(MOST_INLINE_ROWS) === undefined;
  });
}

async function fromThread(file: string, signal: AbortSignal): Promise<WorkerAnswer> {
  const worker = new Worker(new URL("./worker.ts", import.meta.url), { workerData: file });
  const answered = new Promise<WorkerAnswer>((resolve) => {
    worker.once("message", resolve);
    worker.once("error", (error) => resolve({ ok: false, why: messageOf(error) }));
    worker.once("exit", (code) => resolve({ ok: false, why: `its thread exited with code ${code}` }));
  });
  try {
    return await abortable(answered, signal);
  } finally {
    await worker.terminate();
  }
}

const MOST_SHOWN = 3;

function refuse(file: string, findings: readonly Finding[]): void {
  if (findings.length === 0) return;
  const shown = findings.slice(0, MOST_SHOWN).map(sentenceOf);
  const more = findings.length > MOST_SHOWN ? [`and ${findings.length - MOST_SHOWN} more`] : [];
  throw new PartnerdError("log_inconsistent", `${file} was changed outside oc-partnerd: ${[...shown, ...more].join("; ")}`, {
    nextStep:
      "run `oc-partnerd check` for details, then `oc-partnerd restore --from-jetstream`, which rebuilds the other tables from the rows that the hash chain proves",
  });
}

function cannotVerify(file: string, why: string): PartnerdError {
  return new PartnerdError("database_failed", `cannot verify ${file}: ${why}`, {
    nextStep: "run `oc-partnerd check` for details",
  });
}
