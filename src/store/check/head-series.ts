/** Checks the log against all heads that its daemon has published to one place. */
import type { Database } from "better-sqlite3";
import { counted } from "../../base/units.ts";
import type { Replacement } from "../fold/archived-state.ts";
import { type Finding, rowPlace, type UnprovenClaim } from "../model/finding.ts";
import type { LogStart } from "../model/log-head.ts";
import { hashAt, headFindings, type KnownHead } from "./head-check.ts";

export interface HeadSeries {
  /** The place, for findings about all of them. */
  readonly from: string;
  readonly heads: readonly KnownHead[];
  /** Rows that record a replacement of the log which the operator knows of. */
  readonly confirmed?: readonly number[];
}

interface SeriesReport {
  readonly findings: readonly Finding[];
  /** About replacements that the operator has confirmed. */
  readonly claims: readonly UnprovenClaim[];
}

/** A head, and how it contradicts the log. */
interface Compared {
  readonly head: KnownHead;
  readonly findings: readonly Finding[];
}

export function seriesReport(
  database: Database,
  { from, heads, confirmed = [] }: HeadSeries,
  lastSeq: number,
  start: LogStart,
): SeriesReport {
  const [held, replaced]: [Compared[], KnownHead[]] = [[], []];
  for (const head of heads.toSorted((one, other) => one.seq - other.seq)) {
    const findings = [...headFindings(database, head, lastSeq, start)];
    // A head that may be replaced is not compared with archive files, so that of an archived row counts as replaced.
    const isOpen = findings.length > 0 || hashAt(database, head.seq, start) === "archived";
    if (head.replacedBy !== undefined && isOpen) replaced.push(head);
    else held.push({ head, findings });
  }
  const replacements = [...Map.groupBy(replaced, ({ replacedBy }) => replacedBy?.seq).values()].flatMap(replacementOf);
  const isConfirmed = ({ by }: ReplacedHeads) => confirmed.includes(by.seq);
  return {
    findings: [
      ...contradictions(from, held),
      ...replacements
        .filter((each) => !isConfirmed(each))
        .map(({ by, place, text }) => ({
          place,
          problem: `${text}; if an operator put it in place, confirm that with --restored ${by.seq}`,
        })),
    ],
    claims: replacements.filter(isConfirmed).map(({ place, text }) => ({
      place,
      claim: text,
      witness: "a copy of the database from before has the rows that it lost",
    })),
  };
}

/** Heads of rows that an older copy of the log replaced, as the log itself says. A program that rewrites it could say so, too. */
interface ReplacedHeads {
  readonly by: Replacement;
  readonly place: string;
  readonly text: string;
}

/** Of heads with the same replacement, by seq; none if there are none. */
function replacementOf(heads: readonly KnownHead[]): readonly ReplacedHeads[] {
  const [by, last] = [heads[0]?.replacedBy, heads.at(-1)];
  if (by === undefined || last === undefined) return [];
  const upTo = `${counted(heads.length, "published head")} up to seq ${last.seq}`;
  const text = `an older copy of the log continued here, says ${by.type} at seq ${by.seq}, so ${upTo} no longer apply`;
  return [{ by, place: rowPlace(by.firstSeq), text }];
}

const MOST_SHOWN = 3;

/** The first that contradict the log, and how many of all do. */
function* contradictions(from: string, compared: readonly Compared[]): Generator<Finding> {
  const contradicting = compared.filter(({ findings }) => findings.length > 0);
  const [first] = contradicting;
  if (first === undefined) return;
  yield* contradicting.slice(0, MOST_SHOWN).flatMap(({ findings }) => findings);
  const agreeing = compared.filter(({ findings }) => findings.length === 0);
  const before = agreeing.findLast(({ head }) => head.seq < first.head.seq);
  const after = agreeing.find(({ head }) => head.seq > first.head.seq);
  yield {
    place: from,
    problem: [
      `${contradicting.length} of ${counted(compared.length, "published head")} contradict the log`,
      before === undefined ? "none before them agrees" : `the last one before them that agrees has seq ${before.head.seq}`,
      ...(after === undefined ? [] : [`the next one that agrees has seq ${after.head.seq}`]),
    ].join("; "),
  };
}
