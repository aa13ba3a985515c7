/** States of the three nodes for tests: everything established, except what a test changes. */

import { type DemoState, NAMES, type Name, type Nodes, type ProcessState, perName } from "../../src/demo/stage/state.ts";
import type { PeerView } from "../../src/views/api.ts";
import { NO_FACTS } from "../support/attempts.ts";

const NOW_MS = Date.UTC(2026, 0, 1);

export const iso = (afterMs: number): string => new Date(NOW_MS + afterMs).toISOString();

const STREAM = { openedAt: iso(-5_000), expiresAt: iso(8_000) };

export const BACKOFF = {
  phase: "backoff",
  outbound: null,
  inbound: null,
  attempts: 3,
  nextAttemptAt: iso(2_500),
  lastError: { code: "connection_refused", message: "no answer", ...NO_FACTS },
} satisfies Partial<PeerView>;

function standing(of: Name): PeerView {
  return {
    peerId: `id-${of}`,
    did: null,
    name: of,
    relation: "PARTNER",
    standing: "partner",
    address: `/ip4/127.0.0.1/tcp/1/p2p/id-${of}`,
    skippedAddresses: [],
    phase: "established",
    since: iso(-5_000),
    outbound: STREAM,
    inbound: { ...STREAM, proven: true },
    attempts: 0,
    nextAttemptAt: null,
    lastError: null,
    desiredSeq: 1,
  };
}

interface Changes {
  /** By viewer and viewed node, for example `"lyon paris"`. */
  readonly views?: Readonly<Record<string, Partial<PeerView>>>;
  readonly processes?: Partial<Record<Name, ProcessState>>;
}

/** Six streams between three running nodes, except for `changes`. A node that is not running has no views. */
export function nodes({ views = {}, processes = {} }: Changes = {}): Nodes {
  return perName((at) => {
    const process = processes[at] ?? "running";
    const others = process === "running" ? NAMES.filter((of) => of !== at) : [];
    return {
      process,
      peerId: `id-${at}`,
      address: null,
      peers: others.map((of) => ({ ...standing(of), ...views[`${at} ${of}`] })),
    };
  });
}

export function state(change: Partial<DemoState> = {}): DemoState {
  return { nodes: nodes(), steps: [], elapsedMs: 12_345, nowMs: NOW_MS, ...change };
}
