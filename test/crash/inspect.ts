/** Checks the database after each round, and the complete log against the stream from time to time. */
import { systemClock } from "../../src/base/clock.ts";
import { openStore } from "../../src/store/store.ts";
import type { Broker } from "./broker.ts";
import { type Comparison, compare } from "./compare.ts";
import { type Anchor, LogFile } from "./log-file.ts";
import type { Mirror } from "./mirror.ts";
import type { Identity } from "./round.ts";

/** The results of earlier checks of a log. */
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
}

export const nothingKnown = (): Known => ({ anchor: undefined, comparedSeq: 0, comparedSequence: 0, doubtAfter: null });

/** Checks the database as the round left it; returns one sentence per fault. No daemon may be running. */
export async function inspectRound(broker: Broker, mirror: Mirror, identity: Identity, known: Known): Promise<readonly string[]> {
  const acknowledged = await broker.acknowledged(identity.consumer);
  using file = LogFile.open(identity.dataDir);
  const cursor = file?.cursor;
  const floor = acknowledged?.sequence ?? 0;
  if (floor > (cursor?.sequence ?? 0))
    return [`acknowledged up to sequence ${floor}, but in the file only up to ${cursor?.sequence ?? "nothing"}`];
  if (known.anchor !== undefined && file?.holds(known.anchor) !== true)
    return [`row ${known.anchor.seq} was acknowledged, but is gone or has changed`];
  if (file === undefined || cursor === undefined) return [];
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

/** Compares the rows since the last comparison with the messages up to `last`; compares everything if there was a gap. */
function comparedNow(file: LogFile, mirror: Mirror, { comparedSeq, comparedSequence }: Known, last: number): Comparison {
  const gaps = file.deliveries(comparedSeq).filter(({ type }) => type === "DeliveryGap");
  const [seq, sequence] = gaps.length > 0 ? [0, 0] : [comparedSeq, comparedSequence];
  const rows = [...file.messages(seq)].filter((row) => row.sequence === null || row.sequence <= last);
  return compare(mirror.between(sequence, last), rows, gaps.at(-1)?.seq ?? 0);
}

export interface Inspected {
  readonly faults: readonly string[];
  readonly messages: number;
  readonly rows: number;
  readonly retired: number;
}

/** Checks everything. Call this after the daemon has caught up and exited, with no publisher running. */
export async function inspectAll(broker: Broker, mirror: Mirror, { dataDir }: Identity): Promise<Inspected> {
  const last = await broker.lastSequence();
  await mirror.read(broker, last);
  const faults: string[] = [];
  let found = { messages: last, rows: 0, retired: 0 };
  {
    using file = LogFile.open(dataDir);
    if (file === undefined) return { ...found, faults: [`there is no log in ${dataDir}`] };
    if (file.cursor?.sequence !== last) faults.push(`the log is at sequence ${file.cursor?.sequence}, the stream at ${last}`);
    const gaps = file.deliveries(0).filter(({ type }) => type === "DeliveryGap");
    const others = gaps.filter(({ reason }) => reason !== "reused");
    faults.push(...others.map(({ seq, reason }) => `row ${seq}: a gap (${reason}) in a stream that was not changed`));
    const { faults: differences, retired } = compare(mirror.expected, file.messages(0), gaps.at(-1)?.seq ?? 0);
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
