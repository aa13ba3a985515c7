/** `status` and `peers` with `--as-of`: the past, read from the database and not from the daemon. */
import { systemClock } from "../../base/clock.ts";
import { PartnerdError } from "../../base/errors.ts";
import { type PeerId, parsePeerId } from "../../base/ids.ts";
import { shownValue } from "../../base/secrets/shown.ts";
import { durationText, isoTime } from "../../base/units.ts";
import type { LogPlace } from "../../store/archive/archive-plan.ts";
import type { AsOf, Moment } from "../../store/log-reader.ts";
import type { HistoryRow } from "../../store/past/history-until.ts";
import type { PeerAsOf, PeerDetailAsOf } from "../../store/past/peers-as-of.ts";
import { desiredText } from "../../views/desired-text.ts";
import { DURATION_UNITS } from "../terminal/flags.ts";
import { learnedRows } from "../terminal/learned.ts";
import { jsonText } from "../terminal/output.ts";
import { publisherText } from "../terminal/publisher.ts";
import { shortPeerId, table } from "../terminal/table.ts";
import { agedPlaceOf } from "./log-place.ts";

export const AS_OF_FLAG = [
  "--as-of <seq|time>",
  `show the past from the database: after a row (120), at a time (2026-01-01T12:00:00Z), or some time ago (2h; ${DURATION_UNITS})`,
] as const;

export interface AsOfRequest {
  /** A data directory, or a copy of its database. */
  readonly data: string;
  readonly asOf: string;
  readonly json: boolean;
}

/** All peers as they were. Throws usage, and the errors of LogReader. */
export async function peersAsOfText(request: AsOfRequest): Promise<string> {
  const { openLogReader } = await import("../../store/log-reader.ts");
  using reader = openLogReader(request.data);
  const past = reader.asOf(placeOf(request));
  if (request.json) return jsonText({ ...momentJson(past), peers: past.peers });
  const partners = past.peers.filter(({ standing }) => standing === "partner");
  const established = partners.filter(({ outboundSince }) => outboundSince !== null);
  return [
    momentText(past, request.data),
    past.peers.length === 0 ? "No peers yet." : pastTable(past),
    `${established.length} of ${partners.length} partners established`,
  ].join("\n\n");
}

/** How much of a peer's history is shown. */
const HISTORY_ROWS = 100;

/** One peer as it was, with its history up to then. Throws usage for a peer that the log did not know then. */
export async function peerAsOfText(request: AsOfRequest, text: string): Promise<string> {
  const peerId = parsePeerId(text);
  const { openLogReader } = await import("../../store/log-reader.ts");
  using reader = openLogReader(request.data);
  const past = peerId === undefined ? undefined : reader.peerAsOf(placeOf(request), peerId, HISTORY_ROWS);
  if (peerId === undefined || past === undefined || (past.peer === undefined && past.history.length === 0))
    throw new PartnerdError("usage", `no event or stream involves peer ${shownValue(text)} as of ${request.asOf}`, {
      nextStep: `run \`oc-partnerd peers --as-of ${request.asOf} --json\` to list the peers known at that time`,
    });
  const { peer, history } = past;
  if (request.json) return jsonText({ ...momentJson(past), peer: peer ?? { peerId }, history });
  return [momentText(past, request.data), factTable(peerId, peer), historyTable(history)].join("\n\n");
}

/** Throws usage for a time in the future. */
function placeOf({ asOf }: AsOfRequest): LogPlace {
  const nowMs = systemClock.wallMs();
  const place = agedPlaceOf("--as-of", asOf, nowMs);
  if ("atMs" in place && place.atMs > nowMs)
    throw new PartnerdError("usage", `--as-of is "${asOf}", which is in the future`, {
      nextStep: "choose a time in the past, or leave out --as-of to ask the running daemon",
    });
  return place;
}

const momentJson = ({ seq, atMs }: Moment) => ({ asOf: { seq, at: isoTime(atMs) } });

const momentText = ({ seq, atMs }: Moment, data: string) => `as of seq ${seq} (${isoTime(atMs)}), from ${data}`;

function pastTable({ peers, atMs }: AsOf): string {
  const age = (since: string | null) => (since === null ? "-" : durationText(Math.max(0, atMs - Date.parse(since))));
  return table(
    ["PEER", "NAME", "DESIRED", "OUTBOUND", "INBOUND", "SINCE", "REASON"],
    peers.map((peer) => [
      shortPeerId(peer.peerId),
      peer.name ?? "-",
      desiredText(peer.relation, peer.standing),
      peer.outboundSince === null ? (peer.downSince === null ? "closed" : "down") : "established",
      peer.inboundSince === null ? "-" : "established",
      age(peer.outboundSince ?? peer.downSince ?? peer.since),
      reasonOf(peer),
    ]),
  );
}

function reasonOf({ downBegan, failures }: PeerAsOf): string {
  if (downBegan === null) return "-";
  return failures === null ? downBegan : `${downBegan}, then ${failures}`;
}

function factTable(peerId: PeerId, peer: PeerDetailAsOf | undefined): string {
  const by = peer?.app == null ? null : byText(peer.app, peer);
  const facts: readonly (readonly [string, string | null | undefined])[] = [
    ["peer", peerId],
    ["name", peer?.name],
    ["relation", peer?.relation],
    ["standing", peer?.standing],
    ["address", peer?.address],
    ["since", peer?.since],
    ["by", by],
    ["outbound", peer?.outboundSince && `open since ${peer.outboundSince}`],
    ["inbound", peer?.inboundSince && `open since ${peer.inboundSince}`],
    ["down", peer?.downSince && `since ${peer.downSince}: ${reasonOf(peer)}`],
    ...learnedRows(peer?.learned ?? null),
  ];
  return table(
    ["FACT", "VALUE"],
    facts.map(([fact, value]) => [fact, value ?? "-"]),
  );
}

function historyTable(history: readonly HistoryRow[]): string {
  return table(
    ["SEQ", "AT", "CAUSE", "WHAT"],
    history.map(({ seq, at, causeSeq, summary }) => [String(seq), at, causeSeq === null ? "-" : String(causeSeq), summary]),
  );
}

function byText(app: string, { claimedUser, causeSeq }: PeerAsOf): string {
  return causeSeq === null ? publisherText(app, claimedUser) : `${app}, reinterpreting event ${causeSeq}`;
}
