/** Checks the log against all heads that its daemon has published to one place. */
import type { Database } from "better-sqlite3";
import { counted } from "../../base/units.ts";
import { type Finding, rowPlace, type UnprovenClaim } from "../model/finding.ts";
import type { LogStart } from "../model/log-head.ts";
import { type HeadExplanation, hashAt, headFindings, type KnownHead } from "./head-check.ts";

export interface HeadSeries {
  /** The place, for findings about all of them. */
  readonly from: string;
  readonly heads: readonly KnownHead[];
  /** Rows that record a replacement of the log, or a clone, which the operator knows of. */
  readonly confirmed?: readonly number[];
}

interface SeriesReport {
  readonly findings: readonly Finding[];
  /** About replacements and clones that the operator has confirmed. */
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
  const [held, explained]: [Compared[], KnownHead[]] = [[], []];
  for (const head of heads.toSorted((one, other) => one.seq - other.seq)) {
    const findings = [...headFindings(database, head, lastSeq, start)];
    // A head with an explanation is not compared with archive files, so that of an archived row counts as contradicted.
    const isOpen = findings.length > 0 || hashAt(database, head.seq, start) === "archived";
    if (head.explainedBy !== undefined && isOpen) explained.push(head);
    else held.push({ head, findings });
  }
  const groups = [...Map.groupBy(explained, ({ explainedBy }) => explainedBy?.seq).values()].flatMap(explanationOf);
  const isConfirmed = ({ by }: ExplainedHeads) => confirmed.includes(by.seq);
  return {
    findings: [
      ...contradictions(from, held),
      ...groups
        .filter((each) => !isConfirmed(each))
        .map(({ by, place, text }) => ({
          place,
          problem: `${text}; ${CONFIRMED_IF[by.type]}, confirm that with --restored ${by.seq}`,
        })),
    ],
    claims: groups.filter(isConfirmed).map(({ by, place, text }) => ({ place, claim: text, witness: WITNESS[by.type] })),
  };
}

const CONFIRMED_IF: Readonly<Record<HeadExplanation["type"], string>> = {
  LogRestored: "if an operator put it in place",
  LogRolledBack: "if an operator put it in place",
  CloneSeen: "if you know of that clone",
};

const OLD_ROWS = "a copy of the database from before has the rows that it lost";
const WITNESS: Readonly<Record<HeadExplanation["type"], string>> = {
  LogRestored: OLD_ROWS,
  LogRolledBack: OLD_ROWS,
  CloneSeen: "the clone's database has the rows that they name",
};

/** Heads that the log contradicts, and says why. A program that rewrites it could say so, too. */
interface ExplainedHeads {
  readonly by: HeadExplanation;
  readonly place: string;
  readonly text: string;
}

/** Of heads with the same explanation, by seq; none if there are none. */
function explanationOf(heads: readonly KnownHead[]): readonly ExplainedHeads[] {
  const [by, last] = [heads[0]?.explainedBy, heads.at(-1)];
  if (by === undefined || last === undefined) return [];
  const which = `${counted(heads.length, "published head")} up to seq ${last.seq}`;
  const text =
    by.type === "CloneSeen"
      ? `${which} are those of run ${by.run}, a clone that CloneSeen at seq ${by.seq} names`
      : `an older copy of the log continued here, says ${by.type} at seq ${by.seq}, so ${which} no longer apply`;
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
