/** The effect of one event on the projections. Appending and replaying run this same function. */

import type { PeerId } from "../../base/ids.ts";
import { type DesiredLookup, foldDesired } from "../../events/fold.ts";
import type { DesiredEvent, DesiredPeer, Effect, LogEvent } from "../../events/types.ts";
import { foldStatus, hasFailures, type PeerStatus, withoutFailures } from "./status.ts";

/** The projections so far. */
export interface ProjectionLookup extends DesiredLookup {
  status(peerId: PeerId): PeerStatus | undefined;
}

/** A status before and after the event; `before` is undefined if there was none. */
export interface StatusChange {
  readonly before: PeerStatus | undefined;
  readonly after: PeerStatus;
}

/** `desired` and `statuses` are the rows to insert or replace, to be written in this order. */
export interface Projected {
  readonly effect: Effect | null;
  readonly generation: number | null;
  readonly supersededPeerId: PeerId | null;
  readonly desired: readonly DesiredPeer[];
  readonly statuses: readonly StatusChange[];
}

const NOTHING: Projected = { effect: null, generation: null, supersededPeerId: null, desired: [], statuses: [] };

export function project(
  lookup: ProjectionLookup,
  event: LogEvent,
  at: { seq: number; atMs: number; causeSeq: number | null; openedSeq: number | null },
): Projected {
  switch (event.type) {
    case "EventRejected":
    case "EventsSuppressed":
    case "DeliveryChanged":
    case "DeliveryGap":
    case "LogRolledBack":
    case "CloneSeen":
    case "LogArchived":
    case "LogReinterpreted":
    case "IdentityChanged":
    case "LogRestored":
    case "DaemonStarted":
    case "DaemonStopped":
      return NOTHING;
    case "PeerDesired":
    case "PeerRemoved":
      return projectDesired(lookup, event, at);
    case "StreamOpened":
    case "StreamClosed":
    case "OpenFailed":
    case "InboundRefused":
    case "PeerLearned": {
      const before = lookup.status(event.peerId);
      return { ...NOTHING, statuses: [{ before, after: foldStatus(before, { ...at, event }) }] };
    }
  }
}

function projectDesired(lookup: ProjectionLookup, event: DesiredEvent, at: { seq: number; atMs: number }): Projected {
  const { effect, peers } = foldDesired(lookup, event, at);
  const renewed = peers.filter(({ generation }) => generation === at.seq);
  const statuses = renewed.map(({ peerId }) => lookup.status(peerId)).filter((status) => status !== undefined);
  const peer = peers.find(({ peerId }) => peerId === event.peerId) ?? lookup.peer(event.peerId);
  return {
    effect,
    generation: peer?.generation ?? null,
    supersededPeerId: renewed.find(({ peerId }) => peerId !== event.peerId)?.peerId ?? null,
    desired: peers,
    statuses: statuses.filter(hasFailures).map((before) => ({ before, after: withoutFailures(before) })),
  };
}
