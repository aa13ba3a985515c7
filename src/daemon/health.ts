/**
 * The daemon's health checks. Unreachable peers never fail a check. NATS being down fails readiness only. Liveness fails only if
 * work is in progress and none of it has completed for a long time, because only then does a restart help.
 */
import type { PartnerdError } from "../base/errors.ts";
import { counted, durationText, isoTime } from "../base/units.ts";
import type { NatsStatus } from "../nats/connection/connection.ts";
import type { SourceFacts } from "../nats/event-source.ts";
import type { DeliveryProof } from "../store/fold/delivery-proof.ts";
import type { Check } from "../views/api.ts";
import type { KeptHeadFacts } from "./heads/head-keeper.ts";
import type { ConnectionFacts } from "./watch/connection-watch.ts";
import { RAISE_LIMIT } from "./watch/descriptor-limit.ts";

/** Longer than any operation can take, including its deadline. */
const STUCK_MS = 60_000;

export interface HealthFacts {
  readonly logFailing: PartnerdError | null;
  readonly headSeq: number;
  /** Why the head file is out of date. This alone fails no check. */
  readonly headFailing: PartnerdError | null;
  /** Null if heads are not published to NATS. Fails no check. */
  readonly keptHeads: KeptHeadFacts | null;
  readonly addresses: readonly string[];
  /** Null until the host exists. */
  readonly connections: ConnectionFacts | null;
  /** No file can be opened any more. */
  readonly descriptorsExhausted: boolean;
  /** Null until the NATS server is known. */
  readonly nats: NatsFacts | null;
}

export interface NatsFacts {
  readonly status: NatsStatus;
  readonly source: SourceFacts;
  readonly proof: DeliveryProof;
  readonly dropped: number;
}

export function readiness(facts: HealthFacts): readonly Check[] {
  return [
    {
      name: "event_log",
      ok: facts.logFailing === null,
      message: facts.logFailing === null ? writable(facts) : facts.logFailing.text,
    },
    { name: "p2p", ok: facts.addresses.length > 0, message: `listening on ${facts.addresses.join(", ") || "nothing"}` },
    connectionCheck(facts),
    facts.nats === null
      ? { name: "nats", ok: false, message: "looking for a server" }
      : natsCheck(facts.nats, facts.keptHeads?.cloned ?? null),
  ];
}

function writable({ headSeq, headFailing, keptHeads }: HealthFacts): string {
  const problems = [headFailing, keptHeads?.failing ?? null].flatMap((failing) => failing?.message ?? []);
  return [`writable, at seq ${headSeq}`, ...problems].join("; ");
}

/** Full places do not fail it: strangers could then take the pod out of service. */
function connectionCheck({ connections, descriptorsExhausted }: HealthFacts): Check {
  const name = "connections";
  if (descriptorsExhausted) {
    return { name, ok: false, message: `out of file descriptors; ${RAISE_LIMIT}` };
  }
  if (connections === null) return { name, ok: true, message: "none yet" };
  const { total, limit, strangers, recentlyRefusedPartners: refused } = connections;
  const warning = refused === 0 ? "" : `; refused ${counted(refused, "connection")} of partners for lack of a place`;
  return { name, ok: true, message: `${total} of ${limit} in use, ${strangers} of them by strangers${warning}` };
}

/** For readiness if even the log cannot be read. */
export function unreadable(error: PartnerdError): readonly Check[] {
  return [{ name: "event_log", ok: false, message: error.text }];
}

export function liveness(stuckForMs: number): readonly Check[] {
  const ok = stuckForMs < STUCK_MS;
  const message = ok ? "work completes" : `work is in progress and none has completed for ${durationText(stuckForMs)}`;
  return [{ name: "reconciler", ok, message }];
}

export function startup(started: boolean): readonly Check[] {
  return [{ name: "start", ok: started, message: started ? "complete" : "in progress" }];
}

function natsCheck({ status, source, proof, dropped }: NatsFacts, cloned: PartnerdError | null): Check {
  const since = `since ${isoTime(status.sinceMs)}`;
  const losses = dropped > 0 ? `, ${counted(dropped, "message")} dropped` : "";
  const error = status.lastError === null ? "" : `: ${status.lastError}`;
  if (status.state !== "connected") {
    return { name: "nats", ok: false, message: `${status.state} ${since}${error}; streams stay open${losses}` };
  }
  if (cloned !== null) return { name: "nats", ok: false, message: cloned.text };
  return {
    name: "nats",
    ok: (source.reading && source.loop === null && source.impairment === null) || source.restarting,
    message: `connected to ${status.server} ${since}, ${how(source, proof, error)}${losses}`,
  };
}

function how(
  { from, reading, restarting, loop, problem, impairment, behind }: SourceFacts,
  proof: DeliveryProof,
  error: string,
): string {
  if (from === null) return "looking for a stream";
  if (from === "core") {
    const why = problem === null ? "" : ` (${problem.message})`;
    return `${reading ? "subscribed" : `not subscribed${error}`}, at_most_once: events published while this daemon or NATS is down are lost${why}`;
  }
  if (restarting) return "restarting to read the stream";
  if (problem !== null) return `not reading: ${problem.text}`;
  if (loop !== null) return `reading restarts in a loop: ${loop.reason}${loop.nextStep === null ? "" : `; ${loop.nextStep}`}`;
  if (!reading) return "not reading: starting";
  if (impairment !== null) return impairment.text;
  return `at_least_once from stream ${proof.cursor?.stream ?? "?"}, ${behind ?? 0} behind`;
}
