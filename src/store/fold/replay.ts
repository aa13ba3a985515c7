/** Folds the projections from the log, and compares the tables with the result. */
import { isDeepStrictEqual } from "node:util";
import type { PeerId, ResourceId } from "../../base/ids.ts";
import type { DesiredPeer } from "../../events/types.ts";
import { type Finding, rowPlace, sentenceOf } from "../model/finding.ts";
import { eventOf, type ReplayedRow } from "../model/log-entry.ts";
import { LOG_BEGINNING, type LogStart } from "../model/log-head.ts";
import { type ProjectionLookup, project } from "./project.ts";
import type { RunRecord } from "./run-record.ts";
import type { PeerStatus } from "./status.ts";

export interface Projections {
  readonly desired: ReadonlyMap<PeerId, DesiredPeer>;
  readonly status: ReadonlyMap<PeerId, PeerStatus>;
}

/** A replay that is given the log row by row. */
export interface Replay extends Projections {
  /** Folds the row in. Returns the columns that do not follow from the rows before it. Throws as eventOf does. */
  take(row: ReplayedRow): readonly Finding[];
}

/** Starts a replay at the first row of a log, or after archived rows, which left the state `before`. */
export function startReplay(before: Projections = NO_PROJECTIONS): Replay {
  const state = stateOf(before);
  return {
    desired: state.desired,
    status: state.statuses,
    take(row) {
      const { effect, generation, supersededPeerId, desired, statuses } = project(state, eventOf(row), row);
      for (const peer of desired) state.setDesired(peer);
      for (const { after } of statuses) state.statuses.set(after.peerId, after);
      if (effect === row.effect && generation === row.generation && supersededPeerId === row.supersededPeerId) return NOTHING;
      return differences(rowPlace(row.seq), row, { effect, generation, supersededPeerId });
    },
  };
}

const NOTHING: readonly Finding[] = [];

/** The start of a replay: after the row `seq`, with the state of the log at that row. */
export interface ReplayStart extends LogStart {
  readonly projections: Projections;
  readonly lastRun: RunRecord | null;
}

const NO_PROJECTIONS: Projections = { desired: new Map(), status: new Map() };
export const FROM_ZERO: ReplayStart = { ...LOG_BEGINNING, projections: NO_PROJECTIONS, lastRun: null };

/** `faults` lists the rows that do not follow from those before them, one sentence each. */
export function replayLog(log: Iterable<ReplayedRow>, start = FROM_ZERO): Projections & { readonly faults: readonly string[] } {
  const replaying = startReplay(start.projections);
  const faults: Finding[] = [];
  let lastSeq = start.seq;
  for (const row of log) {
    if (row.seq !== lastSeq + 1) faults.push({ place: rowPlace(row.seq), problem: `follows row ${lastSeq}` });
    lastSeq = row.seq;
    faults.push(...replaying.take(row));
  }
  const { desired, status } = replaying;
  return { desired, status, faults: faults.map(sentenceOf) };
}

/** One finding for each field that differs from the replay. */
export function rowDifferences<Key extends string | number, Row extends object>(
  table: string,
  found: ReadonlyMap<Key, Row>,
  replayed: ReadonlyMap<Key, Row>,
): Finding[] {
  const keys = [...new Set([...found.keys(), ...replayed.keys()])];
  return keys.flatMap((key): Finding[] => {
    const place = `${table} ${key}`;
    const [row, expected] = [found.get(key), replayed.get(key)];
    if (expected === undefined) return [{ place, problem: "the replay has no such row" }];
    return row === undefined ? [{ place, problem: "the row is missing" }] : differences(place, row, expected);
  });
}

function differences<Row extends object>(place: string, found: Row, replayed: Partial<Row>): Finding[] {
  const fields = new Map<string, unknown>(Object.entries(found));
  return Object.entries(replayed)
    .filter(([field, value]) => !isDeepStrictEqual(fields.get(field), value))
    .map(([field, value]) => ({
      place,
      problem: `${field} is ${JSON.stringify(fields.get(field))}, the replay gives ${JSON.stringify(value)}`,
    }));
}

function stateOf(before: Projections) {
  const desired = new Map<PeerId, DesiredPeer>();
  const statuses = new Map(before.status);
  const peerOfResource = new Map<ResourceId, PeerId>();
  const state = {
    desired,
    statuses,
    peer: (peerId: PeerId) => desired.get(peerId),
    status: (peerId: PeerId) => statuses.get(peerId),
    peerOfResource: (resourceId: ResourceId) => peerOfResource.get(resourceId),
    setDesired(peer: DesiredPeer) {
      const lostResource = desired.get(peer.peerId)?.resourceId ?? null;
      if (lostResource !== null) peerOfResource.delete(lostResource);
      if (peer.resourceId !== null) peerOfResource.set(peer.resourceId, peer.peerId);
      desired.set(peer.peerId, peer);
    },
  } satisfies ProjectionLookup & Record<string, unknown>;
  for (const peer of before.desired.values()) state.setDesired(peer);
  return state;
}
