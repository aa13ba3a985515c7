/** The contents of the three databases at the end, the only input of the summary. */
import type { Clock } from "../../base/clock.ts";
import { openStore } from "../../store/store.ts";
import { ECHOING_APP } from "../stage/messages.ts";
import { NAMES, type Name, perName } from "../stage/state.ts";
import { aggregate, query } from "./database.ts";

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

interface RelationChange {
  readonly peer: Name | null;
  readonly relation: string;
  readonly seq: number;
}

/** A stream that closed, and the event that it follows from; nulls if its row leads to none. */
interface ExplainedClose {
  readonly reason: string;
  readonly app: string | null;
  readonly claimedUser: string | null;
  readonly payload: string | null;
}

export interface NodeFacts {
  readonly sessions: readonly Session[];
  readonly closes: readonly ExplainedClose[];
  /** All changes of relations, oldest first. */
  readonly relations: readonly RelationChange[];
  readonly rejected: readonly { readonly reason: string; readonly payload: string }[];
  /** Failures to open a stream, with repetitions, by peer and reason. */
  readonly failures: readonly Failures[];
  /** Refused inbound streams, with repetitions, by peer and reason. */
  readonly refusals: readonly Failures[];
  /** Number of log rows from the app whose events are echoes. */
  readonly echoes: number;
  /** Both seqs are 0 if the log is empty. */
  readonly log: { readonly rows: number; readonly firstSeq: number; readonly lastSeq: number };
  /** Differences between the projections and a replay of the whole log. */
  readonly differences: readonly string[];
}

export type Facts = Readonly<Record<Name, NodeFacts>>;

/** A fact about a peer as returned by SQL: `peer` is a PeerID. */
type RowOf<Fact extends { readonly peer: Name | null }> = Omit<Fact, "peer"> & { readonly peer: string };

const SESSIONS = `
  select peer_id as peer, direction, valid_from_seq as openedSeq, valid_to_seq as closedSeq, close_reason as closeReason
  from session_periods order by valid_from_seq`;
/** One statement from each close to the bytes that caused it, as in docs/SQL.md. */
const CLOSES = `
  select closed.reason, cause.app, cause.claimed_user as claimedUser, cause.payload
  from events as closed
  left join events as in_force on in_force.seq = closed.cause_seq
  left join events as cause on cause.seq = coalesce(in_force.cause_seq, in_force.seq)
  where closed.type = 'StreamClosed'`;
const RELATIONS = "select peer_id as peer, relation, seq from relation_changes order by seq";
const REJECTED = "select reason, payload from rejected_events order by seq";
/** The log has one row for a run of equal failures, and counts the repetitions separately. */
const FAILURES = `
  select log.peer_id as peer, log.reason, sum(1 + coalesce(repeated.count, 0)) as times
  from event_log as log left join repeated_failures as repeated on repeated.first_seq = log.seq
  where log.type = ? group by log.peer_id, log.reason`;
const ECHOES = "select count(*) as count from event_log where source = ?";
const LOG = "select count(*) as rows, coalesce(min(seq), 0) as firstSeq, coalesce(max(seq), 0) as lastSeq from event_log";

/** Reads all facts. The daemons may be running. */
export function readFacts(
  nodes: Readonly<Record<Name, { readonly directory: string; readonly peerId: string }>>,
  clock: Clock,
): Facts {
  const nameOf = (peerId: string): Name | null => NAMES.find((name) => nodes[name].peerId === peerId) ?? null;
  return perName((name) => nodeFacts(nodes[name].directory, nameOf, clock));
}

function nodeFacts(directory: string, nameOf: (peerId: string) => Name | null, clock: Clock): NodeFacts {
  const named = <Row extends { readonly peer: string }>(row: Row) => ({ ...row, peer: nameOf(row.peer) });
  // Read this before opening the store, which would create a missing database.
  const log = aggregate<NodeFacts["log"]>(directory, LOG);
  using store = openStore({ directory, clock });
  return {
    sessions: query<RowOf<Session>>(directory, SESSIONS).map(named),
    closes: query<ExplainedClose>(directory, CLOSES),
    relations: query<RowOf<RelationChange>>(directory, RELATIONS).map(named),
    rejected: query<NodeFacts["rejected"][number]>(directory, REJECTED),
    failures: query<RowOf<Failures>>(directory, FAILURES, "OpenFailed").map(named),
    refusals: query<RowOf<Failures>>(directory, FAILURES, "InboundRefused").map(named),
    echoes: aggregate<{ readonly count: number }>(directory, ECHOES, ECHOING_APP).count,
    log,
    differences: store.verifyProjections(),
  };
}
