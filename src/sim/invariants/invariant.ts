/** Invariants, as observers: each sees every event and reports violations. */
import type { PartnerdError } from "../../base/errors.ts";
import type { PeerId } from "../../base/ids.ts";
import type { FaultPart } from "../../base/log.ts";
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
import type { FarEnd } from "../peers/far-end.ts";

/** The parts of the running daemon that invariants read, narrowed so that none can stop it or write to its log. */
export interface ObservedDaemon {
  readonly store: Pick<SimDaemon["store"], "cursor" | "get" | "head" | "list" | "statuses" | "verifyProjections">;
  readonly streams: Pick<SimDaemon["streams"], "actual" | "peers" | "registered">;
  readonly reconciler: Pick<SimDaemon["reconciler"], "progress" | "stuckForMs">;
  readonly node: Pick<SimDaemon["node"], "getConnections">;
}

/** Everything an invariant may inspect. */
export interface Scene {
  readonly settings: Fixture["header"]["settings"];
  readonly self: PeerId;
  nowMs(): number;
  /** Time that the daemon has spent running and awake; its deadlines are measured in it. */
  awakeMs(): number;
  /** Undefined while the daemon is down. */
  readonly daemon: ObservedDaemon | undefined;
  readonly disk: SimDisk;
  readonly broker: SimBroker;
  peer(peerId: PeerId): FarEnd | undefined;
  peers(): readonly FarEnd[];
  /** False while wakes may be lost and only the periodic diff finds work. */
  readonly wakesAreSafe: boolean;
  /** Reports a violation of `invariant`. */
  violated(invariant: string, message: string): void;
  /** Calls `check` after `afterAwakeMs` of awake time; a sentence it returns is a violation. Cancelled when the daemon ends. */
  within(afterAwakeMs: number, invariant: string, check: () => string | undefined): void;
}

export interface Invariant {
  started?(daemon: ObservedDaemon): void;
  /** The daemon exited because it could not start. */
  startFailed?(thrown: unknown): void;
  /** The daemon has stopped or crashed. */
  ended?(): void;
  /** Something happened on the wire, or failed to; its row is written next. */
  observed?(event: ObservedEvent): void;
  /** A fault of our own. */
  faulted?(part: FaultPart, error: PartnerdError): void;
  logged?(entry: LogEntry): void;
  acted?(peerId: PeerId, action: Action): void;
  settled?(peerId: PeerId, outcome: Outcome): void;
  resyncFound?(peerId: PeerId): void;
  /** The reconciler has called `open` or `renew` of the partner streams, or that call has settled. */
  operation?(peerId: PeerId, kind: "open" | "renew", state: "begun" | "over"): void;
  /** The reconciler runs its full diff. */
  diffed?(): void;
  committed?(): void;
  /** An acknowledgement of everything up to this sequence has reached the broker. */
  acknowledged?(upTo: number): void;
  /** The broker stream has stored `message`. */
  published?(message: StoredMessage): void;
  /** A fault strikes the broker, its stream, its consumer or the disk. */
  disturbed?(): void;
  /** An older copy has taken the place of the daemon's data. */
  rolledBack?(): void;
  /** A step of the simulation is over. */
  stepped?(): void;
  /** All faults have ended and no more will follow. */
  healed?(): void;
  /** The run is over. */
  finished?(): void;
}

/** Checking every stream at every step would take longer than the step itself. */
const LOOK_EVERY_MS = 2_000;

/** A `stepped` handler that calls `look` every two seconds while the daemon runs. */
export function atTimes(scene: Scene, look: (daemon: ObservedDaemon) => void): () => void {
  let nextLookMs = 0;
  return () => {
    if (scene.daemon === undefined || scene.nowMs() < nextLookMs) return;
    nextLookMs = scene.nowMs() + LOOK_EVERY_MS;
    look(scene.daemon);
  };
}

/** Our outbound partner streams, as the simulated network sees them. */
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

/** The longest backoff (60 s) or floor, plus one open that times out, plus one diff. */
export const CONVERGED_WITHIN_MS = 80_000;

/** Calls `check` once, after the healed world has had time to converge. */
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
  /** Returns a sentence if violated. */
  readonly check: () => string | undefined;
}

/** Checks that are due at certain times, in the order of those times. */
export class Obligations {
  readonly #violated: (invariant: string, message: string) => void;
  #due = new MinHeap<Obligation>();

  constructor(violated: (invariant: string, message: string) => void) {
    this.#violated = violated;
  }

  add(dueMs: number, invariant: string, check: () => string | undefined): void {
    this.#due.push(dueMs, { invariant, check });
  }

  /** Runs the checks due before `nowMs`. Those due exactly at `nowMs` have until the end of this instant. */
  settle(nowMs: number): void {
    for (let next = this.#due.peek(); next !== undefined && next.atMs < nowMs; next = this.#due.peek()) {
      this.#due.pop();
      const message = next.value.check();
      if (message !== undefined) this.#violated(next.value.invariant, message);
    }
  }

  /** Drops all checks, because the daemon that they apply to has ended. */
  clear(): void {
    this.#due = new MinHeap();
  }
}
