/** The machine of one of several daemons: faults of its network, which outlive the daemon's process. */
import type { PeerId } from "../../base/ids.ts";
import type { Fixture } from "../../fixture/format/schema.ts";
import type { DaemonLifecycle } from "../daemon/daemon-lifecycle.ts";
import type { SimDaemon } from "../daemon/sim-daemon.ts";
import type { Invariant } from "../invariants/invariant.ts";
import type { Cut, DialAnswer } from "../network/network.ts";
import type { SimNode } from "../network/node.ts";

/** A frame delayed by more than this may let a stream's lease expire. */
const HARMLESS_LAG_MS = 500;

/** The world of one daemon, as its machine and its neighbours see it. */
export interface Site {
  readonly name: string;
  readonly self: PeerId;
  readonly settings: Fixture["header"]["settings"];
  /** Undefined while it is down. */
  readonly daemon: SimDaemon | undefined;
  readonly lifecycle: Pick<DaemonLifecycle, "isStalled">;
  awakeMs(): number;
}

export class DaemonMachine {
  readonly name: string;
  readonly peerId: PeerId;
  #site: Site | undefined;
  /** Of all its processes: what a dead one has sent is still on the wire. */
  readonly #nodes = new Set<SimNode>();
  readonly #onDisturbed: (() => void)[] = [];
  #cut: Cut = "none";
  #lagMs = 0;
  #answers: DialAnswer = "yes";

  constructor(name: string, peerId: PeerId) {
    this.name = name;
    this.peerId = peerId;
  }

  /** Of its daemon. */
  get site(): Site | undefined {
    return this.#site;
  }

  set site(site: Site) {
    this.#site = site;
  }

  /** Gives each process of the daemon the faults of its machine. */
  get watch(): Invariant {
    return {
      started: () => {
        const node = this.#site?.daemon?.node;
        if (node !== undefined) this.#nodes.add(node);
        this.#apply();
      },
    };
  }

  get isUp(): boolean {
    const { daemon, lifecycle } = this.#site ?? {};
    return daemon !== undefined && lifecycle?.isStalled === false;
  }

  get isHealthy(): boolean {
    return this.#cut === "none" && this.#answers === "yes" && this.#lagMs <= HARMLESS_LAG_MS;
  }

  get cut(): Cut {
    return this.#cut;
  }

  set cut(cut: Cut) {
    this.#cut = cut;
    this.#apply();
  }

  get lagMs(): number {
    return this.#lagMs;
  }

  set lagMs(lagMs: number) {
    this.#lagMs = lagMs;
    this.#apply();
  }

  set answers(answers: DialAnswer) {
    this.#answers = answers;
    this.#apply();
  }

  /** Calls `disturbed` after each fault. */
  onDisturbed(disturbed: () => void): void {
    this.#onDisturbed.push(disturbed);
  }

  /** Does something to all connections of the daemon, if it runs. */
  toConnections(act: (node: SimNode) => void): void {
    const node = this.#site?.daemon?.node;
    if (node !== undefined) act(node);
    this.#disturbed();
  }

  /** Ends all faults of the network. */
  heal(): void {
    if (this.#cut === "none" && this.#answers === "yes" && this.#lagMs === 0) return;
    this.#answers = "yes";
    this.#lagMs = 0;
    this.cut = "none";
  }

  #apply(): void {
    for (const node of this.#nodes) {
      node.answers = this.#answers;
      node.lagMs = this.#lagMs;
      if (node.cut !== this.#cut) node.cut = this.#cut;
    }
    this.#disturbed();
  }

  #disturbed(): void {
    for (const disturbed of this.#onDisturbed) disturbed();
  }
}
