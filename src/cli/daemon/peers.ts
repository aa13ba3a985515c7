/** `oc-partnerd peers [PEERID]`: lists all peers, or shows one peer with its history. */
import { Command } from "commander";
import { systemClock } from "../../base/clock.ts";
import { PartnerdError } from "../../base/errors.ts";
import { shownValue } from "../../base/secrets/shown.ts";
import { counted } from "../../base/units.ts";
import type { DaemonClient } from "../../http/client.ts";
import type { HistoryView, InboundView, PeerDetailView } from "../../views/api.ts";
import { desiredText } from "../../views/desired-text.ts";
import { AS_OF_FLAG, peerAsOfText, peersAsOfText } from "../log/as-of.ts";
import { clientOf, TOKEN_FLAG, type TokenFlag } from "../terminal/daemon-client.ts";
import {
  CONFIG_FLAG,
  configOf,
  DATA_FLAG,
  type DaemonFlags,
  type Env,
  example,
  HTTP_FLAG,
  JSON_FLAG,
} from "../terminal/flags.ts";
import { learnedRows } from "../terminal/learned.ts";
import { jsonText, print } from "../terminal/output.ts";
import { publisherText } from "../terminal/publisher.ts";
import { table } from "../terminal/table.ts";
import { peerTable } from "./status.ts";

export function peersCommand(env: Env): Command {
  return new Command("peers")
    .description("list all peers, or show one peer with its history")
    .argument("[peerid]", "PeerID of the peer to show (default: list all)")
    .option(...HTTP_FLAG)
    .option(...TOKEN_FLAG)
    .option(...AS_OF_FLAG)
    .option(...DATA_FLAG)
    .option(...CONFIG_FLAG)
    .option(...JSON_FLAG)
    .addHelpText(
      "after",
      example(
        "oc-partnerd peers",
        "oc-partnerd peers 12D3KooWLrYpZzrwDmMMgvG3qFvMi4yxqxZcGBUd1pUTVTsKoXxh",
        "oc-partnerd peers --as-of 2h --data /var/lib/oc-partnerd",
      ),
    )
    .action(async (peerId: string | undefined, { json, asOf, ...flags }: PeersFlags) => {
      const config = configOf(flags, env);
      const { data } = config;
      if (asOf === undefined) print(await runPeers(clientOf(config, flags, "read"), peerId, json));
      else if (peerId === undefined) print(await peersAsOfText({ data, asOf, json }));
      else print(await peerAsOfText({ data, asOf, json }, peerId));
    });
}

type PeersFlags = DaemonFlags & TokenFlag & { readonly json: boolean; readonly asOf?: string | undefined };

export async function runPeers(client: DaemonClient, peerId: string | undefined, json: boolean): Promise<string> {
  if (peerId === undefined) {
    const view = await client.peers();
    return json ? jsonText(view) : peerTable(view.peers, systemClock.wallMs());
  }
  const peer = await client.peer(peerId);
  if (peer === undefined) {
    throw new PartnerdError("usage", `no event or stream involves peer ${shownValue(peerId)}`, {
      nextStep: "run `oc-partnerd peers --json` to list full PeerIDs",
    });
  }
  return json ? jsonText(peer) : detail(peer);
}

function detail(peer: PeerDetailView): string {
  const facts: (readonly [string, string | null])[] = [
    ["peer", peer.peerId],
    ["name", peer.name],
    ["did", peer.did],
    ["relation", peer.relation],
    ["standing", peer.standing],
    ["address", peer.address],
    ["skipped", peer.skippedAddresses.length === 0 ? null : `${peer.skippedAddresses.join(", ")} (not TCP)`],
    ["phase", peer.phase],
    ["since", peer.since],
    ["outbound", peer.outbound && `opened ${peer.outbound.openedAt}, expires ${peer.outbound.expiresAt}`],
    ["inbound", peer.inbound && `opened ${peer.inbound.openedAt}, expires ${peer.inbound.expiresAt}${provenText(peer.inbound)}`],
    ["next attempt", peer.nextAttemptAt && `${peer.nextAttemptAt}, after ${counted(peer.attempts, "failure")}`],
    ["last error", peer.lastError && `${peer.lastError.code}: ${peer.lastError.message}`],
    ["our streams", peer.acceptsStreams === null ? null : peer.acceptsStreams ? "accepted" : "turned down"],
    ...learnedRows(peer.learned),
    ...(peer.learned?.advice ?? []).map(
      ({ setting, value, message }) => ["advice", `set ${setting} to ${value}: ${message}`] as const,
    ),
  ];
  const rows = facts.map(([fact, value]) => [fact, value ?? "-"]);
  return `${table(["FACT", "VALUE"], rows)}\n\n${historyTable(peer.history)}`;
}

function provenText({ proven }: InboundView): string {
  return proven ? "" : ", unproven: it does not speak the bandwidth challenge";
}

function what(event: HistoryView): string {
  const { relation, standing, direction, reason, message, causeSeq } = event;
  if (event.type === "PeerDesired" || event.type === "PeerRemoved") {
    if (causeSeq === null) return desiredText(relation, standing);
    return `${relation === null ? "removed" : `${relation} (${standing})`} by reinterpreting event ${causeSeq}`;
  }
  return [direction, reason, message].filter((part) => part !== null && part !== "").join(" ") || "-";
}

/** Only an event that decodes a message has a publisher. */
function appText({ type, app, claimedUser, causeSeq }: HistoryView): string {
  const isDesired = type === "PeerDesired" || type === "PeerRemoved";
  return type === "EventRejected" || (isDesired && causeSeq === null) ? publisherText(app, claimedUser) : (app ?? "-");
}

function historyTable(history: readonly HistoryView[]): string {
  return table(
    ["SEQ", "AT", "EVENT", "WHAT", "APP"],
    history.map((event) => [String(event.seq), event.at, event.type, what(event), appText(event)]),
  );
}
