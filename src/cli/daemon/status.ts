/** `oc-partnerd status`: shows one line per peer, and the daemon's health. */
import { Command } from "commander";
import { systemClock } from "../../base/clock.ts";
import { counted, durationText } from "../../base/units.ts";
import type { DaemonClient } from "../../http/client.ts";
import type { Check, DeliveryView, HealthView, PeerView, SelfView } from "../../views/api.ts";
import { desiredText } from "../../views/desired-text.ts";
import { skippedSentence, unsteadySentence } from "../../views/peers.ts";
import { AS_OF_FLAG, peersAsOfText } from "../log/as-of.ts";
import { copyable, PROGRAM } from "../terminal/command-line.ts";
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
import { jsonText, print } from "../terminal/output.ts";
import { shortPeerId, table } from "../terminal/table.ts";

export function statusCommand(env: Env): Command {
  return new Command("status")
    .description("show one line per peer, and the daemon's health; exits 1 if it is not ready")
    .option(...HTTP_FLAG)
    .option(...TOKEN_FLAG)
    .option(...AS_OF_FLAG)
    .option(...DATA_FLAG)
    .option(...CONFIG_FLAG)
    .option(...JSON_FLAG)
    .addHelpText(
      "after",
      example(
        "oc-partnerd status",
        "oc-partnerd status --json | jq -r '.self.addresses[]'",
        "oc-partnerd status --as-of 2026-01-06T09:00:00Z --data /var/lib/oc-partnerd",
      ),
    )
    .action(async ({ json, asOf, ...flags }: StatusFlags) => {
      const config = configOf(flags, env);
      if (asOf !== undefined) {
        print(await peersAsOfText({ data: config.data, asOf, json }));
        return;
      }
      const client = clientOf(config, flags, "read");
      const { text, ready } = await runStatus(client, { json, nowMs: systemClock.wallMs() });
      print(text);
      if (!ready) process.exitCode = 1;
    });
}

type StatusFlags = DaemonFlags & TokenFlag & { readonly json: boolean; readonly asOf?: string | undefined };
const MAX_IGNORED_LINES = 3;

interface StatusOptions {
  readonly json: boolean;
  readonly nowMs: number;
}

/** Returns the text to print, and whether the daemon is ready. */
export async function runStatus(client: DaemonClient, options: StatusOptions): Promise<{ text: string; ready: boolean }> {
  const [self, { peers }, health, delivery] = await Promise.all([
    client.self(),
    client.peers(),
    client.readiness(),
    client.delivery(),
  ]);
  const ready = health.status === "ok";
  const text = options.json
    ? jsonText({ self, peers, health, delivery })
    : `${peerTable(peers, options.nowMs, delivery.server)}\n\n${copyable([footer(self, peers, health, options.nowMs), ...deliveryLines(delivery), ...ignoredLines(delivery, peers)].join("\n"))}`;
  return { text, ready };
}

/** `server` is the NATS server to publish a first peer to, if it is known. */
export function peerTable(peers: readonly PeerView[], nowMs: number, server: string | null = null): string {
  if (peers.length === 0) {
    const where = server === null ? "--help" : `MULTIADDR --nats nats://${server}`;
    return `No peers yet. To try one: ${PROGRAM} publish ${where}`;
  }
  return table(
    ["PEER", "NAME", "DESIRED", "OUTBOUND", "INBOUND", "SINCE", "NEXT", "REASON"],
    peers.map((peer) => [
      shortPeerId(peer.peerId),
      peer.name ?? "-",
      desiredText(peer.relation, peer.standing),
      peer.phase,
      inboundText(peer),
      peer.since === null ? "-" : durationText(Math.max(0, nowMs - Date.parse(peer.since))),
      next(peer, nowMs),
      reason(peer, nowMs),
    ]),
  );
}

/** Why there is no stream, how often it was lost shortly before, or which addresses of the record are not dialled. */
function reason(peer: PeerView, nowMs: number): string {
  const { lastError, skippedAddresses } = peer;
  if (lastError !== null) return `${lastError.code}: ${lastError.message}`;
  const unsteady = unsteadySentence(peer, nowMs);
  if (unsteady !== null) return unsteady;
  const skipped = skippedSentence(skippedAddresses);
  return skipped === null ? "-" : `address_unsupported: ${skipped}`;
}

function inboundText({ inbound }: PeerView): string {
  if (inbound === null) return "-";
  return inbound.proven ? "established" : "unproven";
}

function next(peer: PeerView, nowMs: number): string {
  if (peer.nextAttemptAt !== null)
    return `attempt ${peer.attempts + 1} in ${durationText(Math.max(0, Date.parse(peer.nextAttemptAt) - nowMs))}`;
  return peer.outbound === null ? "-" : `expires in ${durationText(Date.parse(peer.outbound.expiresAt) - nowMs)}`;
}

function footer(self: SelfView, peers: readonly PeerView[], health: HealthView, nowMs: number): string {
  const partners = peers.filter((peer) => peer.standing === "partner");
  const established = partners.filter((peer) => peer.phase === "established").length;
  const uptime = durationText(nowMs - Date.parse(self.startedAt));
  return [
    `${self.name} ${self.peerId}, version ${self.version}, up ${uptime}`,
    `${established} of ${partners.length} partners established`,
    `${health.status === "ok" ? "ready" : "NOT READY"}${health.checks.map(checkLine).join("")}`,
  ].join("\n");
}

/** How complete the log is: what it can prove, and where messages are or may be missing. */
function deliveryLines({ delivery, proven, missing, rollbacks, spans }: DeliveryView): string[] {
  return [
    `delivery: ${delivery ?? "none yet"}, ${proven}`,
    ...missing.map(({ at, reason, message }) => `  ${at} gap (${reason}): ${message}`),
    ...rollbacks.map(({ at, message }) => `  ${at} rolled back: ${message}`),
    ...spans
      .filter((span) => span.delivery !== "at_least_once")
      .map((span) => `  ${span.since} to ${span.until ?? "now"} ${span.delivery}: ${span.message}`),
  ];
}

/** As long as no peer is desired, an ignored integer may be how the publishers spell PEER. */
function ignoredLines({ ignoredDatatypes }: DeliveryView, peers: readonly PeerView[]): string[] {
  if (peers.some(({ desiredSeq }) => desiredSeq !== null)) return [];
  return ignoredDatatypes
    .slice(0, MAX_IGNORED_LINES)
    .map(
      ({ datatype, messages }) =>
        `${counted(messages, "event")} of datatype ${datatype} ${messages === 1 ? "was" : "were"} ignored; if that means PEER, ` +
        `set events.peerDatatypes to PEER,${datatype}, restart, and run \`oc-partnerd resync\``,
    );
}

function checkLine(check: Check): string {
  return `\n  ${check.ok ? "ok  " : "FAIL"} ${check.name}: ${check.message}`;
}
