/** What must always hold, as watchers: each hears what happens, and says when it does not hold. */
import type { PartnerdError } from "../../base/errors.ts";
import type { PeerId } from "../../base/ids.ts";
import type { ObservedEvent } from "../../events/types.ts";
import type { Fixture } from "../../fixture/format/schema.ts";
import { PARTNER_PROTOCOL } from "../../p2p/wire/constants.ts";
import type { Action } from "../../reconciler/decide.ts";
import { MinHeap } from "../../reconciler/min-heap.ts";
import type { Outcome } from "../../reconciler/outcome.ts";
import type { LogEntry } from "../../store/model/log-entry.ts";
import type { SimBroker } from "../broker/broker.ts";
import type { StoredMessage } from "../broker/stored-message.ts";
import type { SimDisk } from "../daemon/disk.ts";
import type { SimDaemon } from "../daemon/sim-daemon.ts";
import type { SimPartnerStream } from "../network/stream.ts";
import type { SimPeer } from "../peers/peer.ts";

/** What invariants read of the running daemon, narrowed so that none can stop it or write to its log. */
export interface ObservedDaemon {
  readonly store: Pick<SimDaemon["store"], "cursor" | "get" | "head" | "list" | "statuses" | "verifyProjections">;
  readonly streams: Pick<SimDaemon["streams"], "actual" | "peers">;
  readonly reconciler: Pick<SimDaemon["reconciler"], "progress" | "stuckForMs">;
  readonly node: Pick<SimDaemon["node"], "getConnections">;
}

/** What an invariant may look at. */
export interface Scene {
  readonly settings: Fixture["header"]["settings"];
  readonly self: PeerId;
  nowMs(): number;
  /** Time that passed while the daemon was running and awake: what its promises are measured in. */
  awakeMs(): number;
  /** Undefined while the daemon is down. */
  readonly daemon: ObservedDaemon | undefined;
  readonly disk: SimDisk;
  readonly broker: SimBroker;
  peer(peerId: PeerId): SimPeer | undefined;
  peers(): readonly SimPeer[];
  /** While wakes get lost only the periodic diff is left. */
  readonly wakesAreSafe: boolean;
  /** `invariant` does not hold. */
  violated(invariant: string, message: string): void;
  /** `check` is called once `afterAwakeMs` of awake time have passed; whatever sentence it gives is a violation. Void when the daemon ends. */
  within(afterAwakeMs: number, invariant: string, check: () => string | undefined): void;
}

export interface Invariant {
  started?(daemon: ObservedDaemon): void;
  /** The daemon is gone, in peace or not. */
  ended?(): void;
  /** Something happened on the wire, or could not; its row is written next. */
  observed?(event: ObservedEvent): void;
  /** A fault of our own ended work on a stream of this peer. */
  faulted?(peerId: PeerId, error: PartnerdError): void;
  logged?(entry: LogEntry): void;
  acted?(peerId: PeerId, action: Action): void;
  settled?(peerId: PeerId, outcome: Outcome): void;
  resyncFound?(peerId: PeerId): void;
  /** The reconciler has called `open` or `renew` of the partner streams, or that call has settled. */
  operation?(peerId: PeerId, kind: "open" | "renew", state: "begun" | "over"): void;
  /** The reconciler looks at every desired peer. */
  diffed?(): void;
  committed?(): void;
  /** The broker was told that it need not deliver what its stream holds up to this sequence. */
  acknowledged?(upTo: number): void;
  /** The broker's stream has stored it. */
  published?(message: StoredMessage): void;
  /** Something happens to the broker, its stream, its consumer or the disk now. */
  disturbed?(): void;
  /** A step of the simulation is over. */
  stepped?(): void;
  /** The world is well from now on. */
  healed?(): void;
  /** The run is over. */
  finished?(): void;
}

/** To look at every stream at every step would take longer than the step. */
const LOOK_EVERY_MS = 2_000;

/** A `stepped` that looks every two seconds, while the daemon runs. */
export function atTimes(scene: Scene, look: (daemon: ObservedDaemon) => void): () => void {
  let nextLookMs = 0;
  return () => {
    if (scene.daemon === undefined || scene.nowMs() < nextLookMs) return;
    nextLookMs = scene.nowMs() + LOOK_EVERY_MS;
    look(scene.daemon);
  };
}

/** The partner streams that we opened, as the wire has them. */
export function outboundStreams({
  node,
}: ObservedDaemon): readonly { readonly peerId: PeerId; readonly stream: SimPartnerStream }[] {
  return node
    .getConnections()
    .flatMap(({ remotePeer: peerId, streams }) =>
      streams
        .filter(
          ({ protocol, direction, status }) => protocol === PARTNER_PROTOCOL && direction === "outbound" && status === "open",
        )
        .map((stream) => ({ peerId, stream })),
    );
}

/** The longest backoff (60 s), or the longest floor, one open that runs into its deadline, and a diff. */
export const CONVERGED_WITHIN_MS = 80_000;

/** Calls `check` once, when the healed world has had time to converge. */
export function onceConverged(scene: Scene, check: () => void): Pick<Required<Invariant>, "healed" | "stepped"> {
  let convergedByMs = Number.POSITIVE_INFINITY;
  return {
    healed() {
      convergedByMs = scene.nowMs() + CONVERGED_WITHIN_MS;
    },
    stepped() {
      if (scene.nowMs() < convergedByMs) return;
      convergedByMs = Number.POSITIVE_INFINITY;
      check();
    },
  };
}

interface Obligation {
  readonly invariant: string;
  /** A sentence where it is not true. */
  readonly check: () => string | undefined;
}

/** What has to be true by a certain time, in the order of those times. */
export class Obligations {
  readonly #violated: (invariant: string, message: string) => void;
  #due = new MinHeap<Obligation>();

  constructor(violated: (invariant: string, message: string) => void) {
    this.#violated = violated;
  }

  add(dueMs: number, invariant: string, check: () => string | undefined): void {
    this.#due.push(dueMs, { invariant, check });
  }

  /** Checks what is due before `nowMs`: whoever is due now has until the end of this instant. */
  settle(nowMs: number): void {
    for (let next = this.#due.peek(); next !== undefined && next.atMs < nowMs; next = this.#due.peek()) {
      this.#due.pop();
      const message = next.value.check();
      if (message !== undefined) this.#violated(next.value.invariant, message);
    }
  }

  /** Nobody is there any more who could be held to anything. */
  clear(): void {
    this.#due = new MinHeap();
  }
}
