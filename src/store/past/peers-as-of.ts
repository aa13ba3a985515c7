/**
 * The peers as they were after a row of the log. Says the same as the views with validity intervals, but reads only each peer's newest
 * rows up to there: its cost grows with the number of peers, not with the length of the log.
 */
import type { Database } from "better-sqlite3";
import type { PeerId } from "../../base/ids.ts";
import { isoTime } from "../../base/units.ts";
import type { LearnedFacts } from "../../events/learned/learned-facts.ts";
import type { Standing } from "../../events/types.ts";
import { learnedFactsIn } from "../model/details.ts";
import { statementFor } from "./peers-sql.ts";

/** One peer. Times are ISO-8601. */
export interface PeerAsOf {
  readonly peerId: PeerId;
  /** As the newest event names it. */
  readonly name: string | null;
  /** Null for a stranger, as are the columns that follow from events. */
  readonly standing: Standing | null;
  readonly relation: string | null;
  readonly address: string | null;
  /** When the peer got this relation, standing and address, and the event, app and user that set them. */
  readonly since: string | null;
  readonly desiredSeq: number | null;
  /** The message that `reinterpret` decoded again, if that event is its. */
  readonly causeSeq: number | null;
  readonly app: string | null;
  readonly claimedUser: string | null;
  /** When our stream and theirs were opened; null if they were not open. */
  readonly outboundSince: string | null;
  readonly inboundSince: string | null;
  /** Of a partner without an outbound stream: since when, how it began, and why attempts failed until then. */
  readonly downSince: string | null;
  readonly downBegan: string | null;
  readonly failures: string | null;
}

/** The facts that its program had shown, with the row that has them and its time. */
interface LearnedAsOf extends LearnedFacts {
  readonly seq: number;
  readonly at: string;
}

/** One peer in detail. */
export interface PeerDetailAsOf extends PeerAsOf {
  readonly learned: LearnedAsOf | null;
}

/** A row of the statement. Formatting times in SQL would take a tenth of its time. */
interface Row extends Omit<PeerAsOf, "since" | "outboundSince" | "inboundSince" | "downSince"> {
  readonly sinceMs: number | null;
  readonly outboundSinceMs: number | null;
  readonly inboundSinceMs: number | null;
  readonly downSinceMs: number | null;
  readonly learnedSeq: number | null;
  readonly learnedAtMs: number | null;
  readonly learnedDetails: string | null;
}

const ALL = statementFor("select peer_id from desired_peer union select peer_id from peer_status_row");
const ONE = statementFor("select :peerId as peer_id");

/** Every peer that was desired, or had a stream, after the row `seq`. By PeerID. */
export function peersAsOf(database: Database, seq: number): readonly PeerAsOf[] {
  return database.prepare<{ seq: number }, Row>(ALL).all({ seq }).map(withIsoTimes);
}

/** That peer after the row `seq`; undefined if it was neither desired nor had a stream. */
export function peerAsOf(database: Database, seq: number, peerId: PeerId): PeerDetailAsOf | undefined {
  const row = database.prepare<{ seq: number; peerId: PeerId }, Row>(ONE).get({ seq, peerId });
  return row && { ...withIsoTimes(row), learned: learnedIn(row) };
}

function learnedIn({ learnedSeq: seq, learnedAtMs: atMs, learnedDetails: details }: Row): LearnedAsOf | null {
  if (seq === null || atMs === null || details === null) return null;
  return { seq, at: isoTime(atMs), ...learnedFactsIn(details, seq) };
}

function withIsoTimes({ sinceMs, outboundSinceMs, inboundSinceMs, downSinceMs, ...rest }: Row): PeerAsOf {
  const { peerId, name, standing, relation, address, desiredSeq, causeSeq, app, claimedUser, downBegan, failures } = rest;
  return {
    peerId,
    name,
    standing,
    relation,
    address,
    since: iso(sinceMs),
    desiredSeq,
    causeSeq,
    app,
    claimedUser,
    outboundSince: iso(outboundSinceMs),
    inboundSince: iso(inboundSinceMs),
    downSince: iso(downSinceMs),
    downBegan,
    failures,
  };
}

function iso(ms: number | null): string | null {
  return ms === null ? null : isoTime(ms);
}
