/** `oc-partnerd peers [PEERID]`: the table of peers, or all about one of them with its history. */
import { PartnerdError } from "../../base/errors.ts";
import type { DaemonClient } from "../../http/client.ts";
import type { HistoryView, PeerDetailView } from "../../views/api.ts";
import { table } from "../terminal/table.ts";
import { peerTable } from "./status.ts";

export interface PeersOptions {
  readonly json: boolean;
  readonly nowMs: number;
}

export async function peers(client: DaemonClient, peerId: string | undefined, options: PeersOptions): Promise<string> {
  if (peerId === undefined) {
    const view = await client.peers();
    return options.json ? JSON.stringify(view, null, 2) : peerTable(view.peers, options.nowMs);
  }
  const peer = await client.peer(peerId);
  if (peer === undefined) {
    throw new PartnerdError("usage", `peer ${peerId} is neither desired nor seen`, {
      nextStep: "`oc-partnerd peers --json` lists whole PeerIDs",
    });
  }
  return options.json ? JSON.stringify(peer, null, 2) : detail(peer);
}

function detail(peer: PeerDetailView): string {
  const facts: [string, string | null][] = [
    ["peer", peer.peerId],
    ["name", peer.name],
    ["did", peer.did],
    ["relation", peer.relation],
    ["address", peer.address],
    ["phase", peer.phase],
    ["since", peer.since],
    ["outbound", peer.outbound && `opened ${peer.outbound.openedAt}, expires ${peer.outbound.expiresAt}`],
    ["inbound", peer.inbound && `opened ${peer.inbound.openedAt}, expires ${peer.inbound.expiresAt}`],
    ["next attempt", peer.nextAttemptAt && `${peer.nextAttemptAt}, after ${peer.attempts} failures`],
    ["last error", peer.lastError && `${peer.lastError.code}: ${peer.lastError.message}`],
  ];
  const rows = facts.map(([fact, value]) => [fact, value ?? "-"]);
  return `${table(["FACT", "VALUE"], rows)}\n\n${historyTable(peer.history)}`;
}

function historyTable(history: readonly HistoryView[]): string {
  return table(
    ["SEQ", "AT", "EVENT", "WHAT", "SOURCE"],
    history.map((event) => [
      String(event.seq),
      event.at,
      event.type,
      [event.relation, event.direction, event.reason, event.message].filter((part) => part !== null && part !== "").join(" ") ||
        "-",
      event.source ?? "-",
    ]),
  );
}
