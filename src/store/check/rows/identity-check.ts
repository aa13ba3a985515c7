/** Checks that each start of the daemon has the identity of the log, which only an IdentityChanged may change. */
import type { PeerId } from "../../../base/ids.ts";
import { counted } from "../../../base/units.ts";
import type { RunRecord } from "../../fold/run-record.ts";
import { rowPlace, type UnprovenClaim } from "../../model/finding.ts";
import { eventOf } from "../../model/log-entry.ts";
import { attempt, type RowCheck } from "./row-reader.ts";

export interface IdentityCheck extends RowCheck {
  /** The starts so far that name no PeerID. */
  witnesses(): Iterable<UnprovenClaim>;
}

/**
 * `before`: the run in which the first row was appended. Each version that records the PeerID of a start refuses another one than the
 * log's, so such a row is a finding. Earlier versions accepted any key and recorded none: their starts need a witness.
 */
export function identityCheck(before: RunRecord | null): IdentityCheck {
  const unnamed = { count: 0, lastSeq: 0 };
  /** The PeerID of the log, and the row that says so; undefined if none does, or if that row cannot be read. */
  let known: { readonly peerId: PeerId; readonly by: string } | undefined =
    before?.peerId === undefined ? undefined : { peerId: before.peerId, by: "its archived rows" };
  return {
    *row(row) {
      if (row.type !== "DaemonStarted" && row.type !== "IdentityChanged") return;
      const read = attempt(() => eventOf(row));
      const event = read.ok ? read.value : undefined;
      const last = known;
      const by = rowPlace(row.seq);
      known = undefined;
      if (event?.type === "IdentityChanged") {
        const { from, to } = event.details;
        if (last !== undefined && last.peerId !== from)
          yield { place: by, problem: `changes the identity ${from}, but the log belongs to ${last.peerId} since ${last.by}` };
        known = { peerId: to, by };
      } else if (event?.type === "DaemonStarted") {
        if (event.details.peerId === undefined) {
          if (last !== undefined)
            yield { place: by, problem: `a start without a PeerID, which each one since ${last.by} must name` };
          unnamed.count += 1;
          unnamed.lastSeq = row.seq;
        }
        const { peerId = last?.peerId } = event.details;
        if (last !== undefined && peerId !== last.peerId)
          yield {
            place: by,
            problem: `a start as ${peerId}, but the log belongs to ${last.peerId} since ${last.by}, and no IdentityChanged is between them`,
          };
        if (peerId !== undefined) known = peerId === last?.peerId ? last : { peerId, by };
      }
    },
    unreadable() {
      known = undefined;
    },
    *witnesses() {
      if (unnamed.count === 0) return;
      yield {
        place: "event_log",
        claim: `${counted(unnamed.count, "start")} up to ${rowPlace(unnamed.lastSeq)} may have had another key than the log's, because an earlier version recorded no PeerID`,
        witness: "the operator who put another key in place, or the logs of partners from that time",
      };
    },
  };
}
