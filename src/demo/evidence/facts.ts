/** What the three databases say at the end: the only thing that the summary is computed from. */
import type { Clock } from "../../base/clock.ts";
import { openStore } from "../../store/store.ts";
import { ECHOING_APP } from "../messages.ts";
import { NAMES, type Name, perName } from "../state.ts";
import { type Cell, query, type Row } from "./database.ts";

export interface Session {
  readonly peer: Name | null;
  readonly direction: string;
  readonly openedSeq: number;
  /** Null while the stream is open. */
  readonly closedSeq: number | null;
  readonly closeReason: string | null;
}

export interface Failures {
  readonly peer: Name | null;
  readonly reason: string;
  readonly times: number;
}

export interface NodeFacts {
  readonly sessions: readonly Session[];
  /** Each change of a relation, oldest first. */
  readonly relations: readonly { readonly peer: Name | null; readonly relation: string; readonly seq: number }[];
  readonly rejected: readonly { readonly reason: string; readonly payload: string }[];
  /** How often opening a stream failed, by peer and reason, the repetitions counted. */
  readonly failures: readonly Failures[];
  /** How often a stream of a peer was refused, likewise. */
  readonly refusals: readonly Failures[];
  /** Rows of the log that come from the app whose events are echoes. */
  readonly echoes: number;
  readonly log: { readonly rows: number; readonly firstSeq: number; readonly lastSeq: number };
  /** How the projections differ from a replay of the log from zero. */
  readonly differences: readonly string[];
}

export type Facts = Readonly<Record<Name, NodeFacts>>;

const SESSIONS = "select peer_id, direction, opened_seq, closed_seq, close_reason from stream_sessions order by opened_seq";
const RELATIONS = "select peer_id, relation, seq from relation_changes order by seq";
const REJECTED = "select reason, payload from rejected_events order by seq";
/** The log has a row for the first of a run of equal failures; how often it came again is counted beside it. */
const FAILURES = `
  select log.peer_id, log.reason, sum(1 + coalesce(repeated.count, 0)) as times
  from event_log as log left join repeated_failures as repeated on repeated.first_seq = log.seq
  where log.type = ? group by log.peer_id, log.reason`;
const ECHOES = "select count(*) as count from event_log where source = ?";
const LOG = "select count(*) as rows, min(seq) as first_seq, max(seq) as last_seq from event_log";

/** Reads all of it. The daemons may be running. */
export function readFacts(
  nodes: Readonly<Record<Name, { readonly directory: string; readonly peerId: string }>>,
  clock: Clock,
): Facts {
  const nameOf = (peerId: Cell | undefined): Name | null => NAMES.find((name) => nodes[name].peerId === peerId) ?? null;
  return perName((name) => nodeFacts(nodes[name].directory, nameOf, clock));
}

function nodeFacts(directory: string, nameOf: (peerId: Cell | undefined) => Name | null, clock: Clock): NodeFacts {
  const rows = (sql: string, ...parameters: readonly Cell[]) => query(directory, sql, ...parameters);
  const peer = (row: Row) => nameOf(row["peer_id"]);
  const failures = (type: "OpenFailed" | "InboundRefused"): readonly Failures[] =>
    rows(FAILURES, type).map((row) => ({ peer: peer(row), reason: text(row["reason"]), times: number(row["times"]) }));
  const [log] = rows(LOG);
  using store = openStore({ directory, clock });
  return {
    sessions: rows(SESSIONS).map((row) => ({
      peer: peer(row),
      direction: text(row["direction"]),
      openedSeq: number(row["opened_seq"]),
      closedSeq: row["closed_seq"] == null ? null : number(row["closed_seq"]),
      closeReason: row["close_reason"] == null ? null : text(row["close_reason"]),
    })),
    relations: rows(RELATIONS).map((row) => ({
      peer: peer(row),
      relation: text(row["relation"]),
      seq: number(row["seq"]),
    })),
    rejected: rows(REJECTED).map((row) => ({ reason: text(row["reason"]), payload: text(row["payload"]) })),
    failures: failures("OpenFailed"),
    refusals: failures("InboundRefused"),
    echoes: number(rows(ECHOES, ECHOING_APP)[0]?.["count"]),
    log: { rows: number(log?.["rows"]), firstSeq: number(log?.["first_seq"]), lastSeq: number(log?.["last_seq"]) },
    differences: store.verifyProjections(),
  };
}

const text = (cell: Cell | undefined): string => String(cell ?? "");
const number = (cell: Cell | undefined): number => Number(cell ?? 0);
