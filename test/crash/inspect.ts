/** What must hold of the file after each round, and of everything from time to time. */
import { systemClock } from "../../src/base/clock.ts";
import { openStore } from "../../src/store/store.ts";
import type { Broker } from "./broker.ts";
import { type Comparison, compare } from "./compare.ts";
import { type Anchor, LogFile } from "./log-file.ts";
import type { Mirror } from "./mirror.ts";
import type { Identity } from "./round.ts";

/** What is already known of a log. */
export interface Known {
  /** The newest row about a message that the broker was told to forget: it and all before it stay as they are. */
  anchor: Anchor | undefined;
  /** How far rows and stream were compared. */
  comparedSeq: number;
  comparedSequence: number;
  /**
   * The stream ended here when the server came back from its crash. Should it have lost what the log has, the daemon says so when it looks
   * next, not before: until then what is beyond cannot be judged. Null: there is no such doubt.
   */
  doubtAfter: number | null;
}

export const nothingKnown = (): Known => ({ anchor: undefined, comparedSeq: 0, comparedSequence: 0, doubtAfter: null });

/** What is wrong with the file as the round left it, one sentence each. Call it while no daemon runs. */
export async function inspectRound(broker: Broker, mirror: Mirror, identity: Identity, known: Known): Promise<readonly string[]> {
  const acknowledged = await broker.acknowledged(identity.consumer);
  using file = LogFile.open(identity.dataDir);
  const cursor = file?.cursor;
  const floor = acknowledged?.sequence ?? 0;
  if (floor > (cursor?.sequence ?? 0))
    return [`everything up to sequence ${floor} was acknowledged, and the file has it up to ${cursor?.sequence ?? "nothing"}`];
  if (known.anchor !== undefined && file?.holds(known.anchor) !== true)
    return [`row ${known.anchor.seq} was acknowledged, and is gone or another one now`];
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

/** Rows after the one that was compared last, against messages up to `last`. After a gap in between: everything. */
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

/** Everything: call it when a daemon has caught up and ended, and nobody publishes. */
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
    faults.push(...others.map(({ seq, reason }) => `row ${seq}: a gap, ${reason}, in a stream that nobody touched`));
    const { faults: differences, retired } = compare(mirror.expected, file.messages(0), gaps.at(-1)?.seq ?? 0);
    faults.push(...differences, ...file.chainFaults(), ...file.integrityFaults());
    found = { messages: last, rows: file.rows, retired };
  }
  using store = openStore({ directory: dataDir, clock: systemClock });
  faults.push(...store.verifyProjections());
  return { ...found, faults };
}

/** Of a database that ends with its round: it opens, and is whole. */
export function inspectOpened({ dataDir }: Identity): readonly string[] {
  using store = openStore({ directory: dataDir, clock: systemClock });
  return store.verifyProjections();
}
