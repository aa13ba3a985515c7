/** Checks the database after each round, and the complete log against the stream from time to time. */
import { systemClock } from "../../src/base/clock.ts";
import { openStore } from "../../src/store/store.ts";
import type { Broker } from "./broker.ts";
import { type Deeds, falseClaims, missingSpans, type Rollback, unsaidRollbacks } from "./claims.ts";
import { type Comparison, compare, type Expected } from "./compare.ts";
import { type Anchor, LogFile } from "./log-file.ts";
import type { Mirror } from "./mirror.ts";
import type { Identity } from "./round.ts";

/** The results of earlier checks of a log, and what was done to it. */
export interface Known {
  /** The newest row of an acknowledged message: this row and all before it must never change. */
  anchor: Anchor | undefined;
  /** How far the log and the stream have been compared. */
  comparedSeq: number;
  comparedSequence: number;
  /**
   * Where the stream ended when the server came back from a crash. If it lost messages that the log has, the daemon records that only when
   * it next reads the stream, so later messages cannot be checked until then. Null if there was no crash since.
   */
  doubtAfter: number | null;
  rollbacks: readonly Rollback[];
  clones: readonly string[];
  /** The run whose consumer acknowledged for a later state of the log or for its clone; null once the daemon has replaced it. */
  foreignRun: string | null;
}

export const nothingKnown = (): Known => ({
  anchor: undefined,
  comparedSeq: 0,
  comparedSequence: 0,
  doubtAfter: null,
  rollbacks: [],
  clones: [],
  foreignRun: null,
});

/** The campaign's acts on the stream. */
export type StreamDeeds = Pick<Deeds, "purgedUpTo" | "isRewound">;

/** Checks the database as the round left it; returns one sentence per fault. No daemon may be running. */
export async function inspectRound(
  broker: Broker,
  mirror: Mirror,
  identity: Identity,
  known: Known,
  stream: StreamDeeds,
): Promise<readonly string[]> {
  const acknowledged = await broker.acknowledged(identity.consumer);
  const isForeign = acknowledged?.run !== undefined && acknowledged.run === known.foreignRun;
  using file = LogFile.open(identity.dataDir);
  const cursor = file?.cursor;
  const floor = isForeign ? 0 : (acknowledged?.sequence ?? 0);
  if (floor > (cursor?.sequence ?? 0))
    return [`acknowledged up to sequence ${floor}, but in the file only up to ${cursor?.sequence ?? "nothing"}`];
  if (known.anchor !== undefined && file?.holds(known.anchor) !== true)
    return [`row ${known.anchor.seq} was acknowledged, but is gone or has changed`];
  if (file === undefined || cursor === undefined) return [];
  if (!isForeign) known.foreignRun = null;
  const told = claimFaults(file, known, stream);
  if (told.length > 0) return told;
  await mirror.read(broker, Math.min(cursor.sequence, await broker.lastSequence()));
  const settled = known.doubtAfter === null ? cursor.sequence : Math.min(known.doubtAfter, cursor.sequence);
  const upToCursor = comparedNow(file, mirror, known, cursor.sequence);
  const isClean = upToCursor.faults.length === 0;
  const judged = isClean ? upToCursor : comparedNow(file, mirror, known, settled);
  if (judged.faults.length > 0) return judged.faults;
  if (isClean) known.doubtAfter = null;
  known.anchor = file.anchorAt(floor) ?? known.anchor;
  const compared = Math.min(floor, isClean ? cursor.sequence : settled);
  const row = file.anchorAt(compared);
  if (row !== undefined) [known.comparedSeq, known.comparedSequence] = [row.seq, compared];
  return [];
}

/** Rows that are not true, and rows that are missing. */
function claimFaults(file: LogFile, { rollbacks, clones, foreignRun }: Known, stream: StreamDeeds): readonly string[] {
  const { claims } = file;
  const unsaid = foreignRun === null ? unsaidRollbacks(claims, rollbacks) : [];
  return [...falseClaims(claims, { rollbacks, clones, ...stream }), ...unsaid];
}

/** Compares the rows since the last comparison with the messages up to `last`; compares everything if the stream was rewound. */
function comparedNow(file: LogFile, mirror: Mirror, { comparedSeq, comparedSequence }: Known, last: number): Comparison {
  const { claims } = file;
  const reused = claims.findLast(({ reason }) => reason === "reused")?.seq ?? 0;
  const [seq, sequence] = reused > comparedSeq ? [0, 0] : [comparedSeq, comparedSequence];
  const rows = [...file.messages(seq)].filter((row) => row.sequence === null || row.sequence <= last);
  return compare(expectedOf(file, mirror.between(sequence, last)), rows, reused);
}

/** Those of the messages that the log followed, and does not name as missing. */
function expectedOf(file: LogFile, messages: readonly Expected[]): readonly Expected[] {
  const first = file.cursor?.firstSequence ?? 1;
  const missing = missingSpans(file.claims);
  const isMissing = (sequence: number) => missing.some((span) => span.first <= sequence && sequence <= span.last);
  return messages.filter(({ sequence }) => sequence >= first && !isMissing(sequence));
}

export interface Inspected {
  readonly faults: readonly string[];
  readonly messages: number;
  readonly rows: number;
  readonly retired: number;
}

/** Checks everything. Call this after inspectRound, once the daemon has caught up and exited, with no publisher running. */
export async function inspectAll(broker: Broker, mirror: Mirror, { dataDir }: Identity): Promise<Inspected> {
  const last = await broker.lastSequence();
  await mirror.read(broker, last);
  const faults: string[] = [];
  let found = { messages: last, rows: 0, retired: 0 };
  {
    using file = LogFile.open(dataDir);
    if (file === undefined) return { ...found, faults: [`there is no log in ${dataDir}`] };
    if (file.cursor?.sequence !== last) faults.push(`the log is at sequence ${file.cursor?.sequence}, the stream at ${last}`);
    const reused = file.claims.findLast(({ reason }) => reason === "reused")?.seq ?? 0;
    const { faults: differences, retired } = compare(expectedOf(file, mirror.expected), file.messages(0), reused);
    faults.push(...differences, ...file.chainFaults(), ...file.integrityFaults());
    found = { messages: last, rows: file.rows, retired };
  }
  using store = openStore({ directory: dataDir, clock: systemClock });
  faults.push(...store.verifyProjections());
  return { ...found, faults };
}

/** Checks that a database which is used for one round only opens and is intact. */
export function inspectOpened({ dataDir }: Identity): readonly string[] {
  using store = openStore({ directory: dataDir, clock: systemClock });
  return store.verifyProjections();
}
