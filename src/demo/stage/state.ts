/** The demo's current state as a value. The screen renders it, and the checks of the steps read it. */
import type { PeerView } from "../../views/api.ts";

export const NAMES = ["lyon", "paris", "nantes"] as const;
export type Name = (typeof NAMES)[number];

/** All ordered pairs of nodes; each has one partner stream. */
export const PAIRS: readonly (readonly [from: Name, to: Name])[] = NAMES.flatMap((from) =>
  NAMES.filter((to) => to !== from).map((to) => [from, to] as const),
);

/** `frozen`: stopped by SIGSTOP. `killed`: killed by SIGKILL, until it is restarted. */
export type ProcessState = "starting" | "running" | "frozen" | "killed";

export interface NodeState {
  readonly process: ProcessState;
  /** Null until the API answers for the first time. */
  readonly peerId: string | null;
  readonly address: string | null;
  /** The last answer of the API; empty until the current process has answered. */
  readonly peers: readonly PeerView[];
}

export type Nodes = Readonly<Record<Name, NodeState>>;

export interface StepState {
  readonly title: string;
  readonly state: "waiting" | "running" | "done" | "failed";
  readonly elapsedMs: number;
  /** The condition that is missing now, or was missing when the step failed. */
  readonly missing: string | null;
}

export interface DemoState {
  readonly nodes: Nodes;
  readonly steps: readonly StepState[];
  readonly elapsedMs: number;
  /** Wall time, comparable with times from the API. */
  readonly nowMs: number;
}

/** Node `at`'s view of node `of`; undefined if it does not know it, or does not answer. */
export function viewOf(nodes: Nodes, at: Name, of: Name): PeerView | undefined {
  const { peerId } = nodes[of];
  return nodes[at].peers.find((peer) => peer.peerId === peerId);
}

/** Builds a value for each node. */
export function perName<Value>(make: (name: Name) => Value): Record<Name, Value> {
  return { lyon: make("lyon"), paris: make("paris"), nantes: make("nantes") };
}
