/** What the demo knows right now, as a value: the screen renders it, and the checks of the steps read it. */
import type { PeerView } from "../../views/api.ts";

export const NAMES = ["lyon", "paris", "nantes"] as const;
export type Name = (typeof NAMES)[number];

/** Every way from one node to another: each is one partner stream. */
export const PAIRS: readonly (readonly [from: Name, to: Name])[] = NAMES.flatMap((from) =>
  NAMES.filter((to) => to !== from).map((to) => [from, to] as const),
);

/** `frozen`: stopped by SIGSTOP. `killed`: ended by SIGKILL, to be started again. */
export type ProcessState = "starting" | "running" | "frozen" | "killed";

export interface NodeState {
  readonly process: ProcessState;
  /** Null until its API has first answered; kept from then on. */
  readonly peerId: string | null;
  readonly address: string | null;
  /** What its API answered last; empty as long as this process of it has not answered. */
  readonly peers: readonly PeerView[];
}

export type Nodes = Readonly<Record<Name, NodeState>>;

export interface StepState {
  readonly title: string;
  readonly state: "waiting" | "running" | "done" | "failed";
  readonly elapsedMs: number;
  /** What is still missing while it runs, or was when it failed. */
  readonly missing: string | null;
}

export interface DemoState {
  readonly nodes: Nodes;
  readonly steps: readonly StepState[];
  readonly elapsedMs: number;
  /** Wall time, to compare with the times that the API gives. */
  readonly nowMs: number;
}

/** How node `at` sees node `of`, or undefined where it does not know it, or its process cannot be asked. */
export function viewOf(nodes: Nodes, at: Name, of: Name): PeerView | undefined {
  const { peerId } = nodes[of];
  return nodes[at].peers.find((peer) => peer.peerId === peerId);
}

/** The same value for each node. */
export function perName<Value>(make: (name: Name) => Value): Record<Name, Value> {
  return { lyon: make("lyon"), paris: make("paris"), nantes: make("nantes") };
}
