/** Decides what to do about one peer. Pure: desired state, actual state and time in, actions out. */

import type { PeerId } from "../base/ids.ts";
import type { DesiredPeer } from "../events/types.ts";
import { type AdmissionRule, admissionVerdict } from "./admission.ts";
import { mayOpenAtMs, type Retry } from "./backoff.ts";
import type { ActualPeer, CloseRequest } from "./ports.ts";

export interface DecideOptions {
  readonly self: PeerId;
  readonly admissionRule: AdmissionRule;
}

/** One action. `why` is for the log and the decision trace. */
export type Action =
  | { readonly kind: "open"; readonly peer: DesiredPeer; readonly why: string }
  | { readonly kind: "renew"; readonly why: string }
  | ({ readonly kind: "close"; readonly why: string } & CloseRequest);

/** The actions that bring `actual` closer to `desired`; empty if there is nothing to do now. */
export function decide(
  desired: DesiredPeer | undefined,
  actual: ActualPeer,
  retry: Retry,
  nowMs: number,
  options: DecideOptions,
): readonly Action[] {
  if (desired !== undefined && desired.standing !== "partner") return revoke(desired, actual);
  const actions: Action[] = [];
  if (actual.inbound !== null) actions.push(...onInbound(desired, actual.inbound.expiresAtMs, nowMs, options));
  actions.push(...onOutbound(desired, actual, retry, nowMs, options));
  return actions;
}

/** The next time at which `decide` may return something else without any event; Infinity if never. */
export function nextDueMs(desired: DesiredPeer | undefined, actual: ActualPeer, retry: Retry, options: DecideOptions): number {
  const inboundMs = actual.inbound?.expiresAtMs ?? Number.POSITIVE_INFINITY;
  const outboundMs =
    actual.outbound === null
      ? wantsOutbound(desired, options)
        ? mayOpenAtMs(retry, actual.lastSignOfLifeMs)
        : Number.POSITIVE_INFINITY
      : Math.min(actual.outbound.renewAtMs, actual.outbound.expiresAtMs);
  return Math.min(inboundMs, outboundMs);
}

/** An event may name our own PeerID if a participant lists itself. We never dial it. */
function wantsOutbound(desired: DesiredPeer | undefined, options: DecideOptions): desired is DesiredPeer {
  return desired?.standing === "partner" && desired.peerId !== options.self;
}

function revoke(desired: DesiredPeer, actual: ActualPeer): readonly Action[] {
  const dropConnections = desired.standing === "blacklisted";
  const streaming = actual.outbound !== null || actual.inbound !== null;
  const connected = dropConnections ? actual.connected : actual.dialled;
  if (!streaming && !connected) return [];
  return [{ kind: "close", direction: "both", reason: "revoked", dropConnections, why: `relation is ${desired.relation}` }];
}

function onInbound(
  desired: DesiredPeer | undefined,
  expiresAtMs: number,
  nowMs: number,
  options: DecideOptions,
): readonly Action[] {
  const close = { kind: "close", direction: "inbound", dropConnections: false } as const;
  if (admissionVerdict(desired, options.admissionRule) !== "ok")
    return [{ ...close, reason: "revoked", why: "only desired partners may open streams to us" }];
  return expiresAtMs <= nowMs ? [{ ...close, reason: "expired", why: "no heartbeat arrived in time" }] : [];
}

function onOutbound(
  desired: DesiredPeer | undefined,
  actual: ActualPeer,
  retry: Retry,
  nowMs: number,
  options: DecideOptions,
): readonly Action[] {
  const { outbound } = actual;
  const close = { kind: "close", direction: "outbound", dropConnections: false } as const;
  if (!wantsOutbound(desired, options)) {
    return outbound === null ? [] : [{ ...close, reason: "revoked", why: "this stream is not desired" }];
  }
  if (outbound === null) {
    if (mayOpenAtMs(retry, actual.lastSignOfLifeMs) > nowMs) return [];
    return [{ kind: "open", peer: desired, why: `relation is ${desired.relation} and no outbound stream is open` }];
  }
  if (outbound.expiresAtMs <= nowMs) return [{ ...close, reason: "expired", why: "no proof of life arrived in time" }];
  return outbound.renewAtMs <= nowMs ? [{ kind: "renew", why: "the next heartbeat is due" }] : [];
}
