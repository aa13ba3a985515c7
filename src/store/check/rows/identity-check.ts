/** Checks that each start of the daemon has the identity of the log, which only an IdentityChanged may change. */
import type { PeerId } from "../../../base/ids.ts";
import type { RunRecord } from "../../fold/run-record.ts";
import { rowPlace } from "../../model/finding.ts";
import { eventOf } from "../../model/log-entry.ts";
import { attempt, type RowCheck } from "./row-reader.ts";

/** `before`: the run in which the first row was appended. */
export function identityCheck(before: RunRecord | null): RowCheck {
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
  };
}
