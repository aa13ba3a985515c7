/** A peer of the simulated world: a machine running a Go partner, with its faults and those of its network. */
import type { Random } from "../../base/clock.ts";
import { PartnerdError } from "../../base/errors.ts";
import { type Address, didOf, type PeerId } from "../../base/ids.ts";
import { addressOfName, peerIdOfName } from "../../fixture/format/names.ts";
import type { Cut, SimNetwork } from "../network/network.ts";
import { SimNode } from "../network/node.ts";
import type { ClockView, VirtualClock } from "../time/virtual-clock.ts";
import type { FarEnd, PeerAnswer, PeerAttack, PeerDoes } from "./far-end.ts";
import { ScriptedPartner } from "./scripted-partner.ts";

export interface SimPeerInit {
  readonly name: string;
  readonly network: SimNetwork;
  readonly clock: VirtualClock;
  readonly random: Random;
  readonly daemon: { readonly peerId: PeerId; readonly address: Address };
  /** Time that the daemon has spent awake; its deadlines are measured in it. */
  readonly awakeMs: () => number;
}

/** A frame delayed by more than this may let a stream's lease expire. */
const HARMLESS_LAG_MS = 500;

/** One run of the process on the peer's machine. */
interface Process {
  readonly view: ClockView;
  readonly node: SimNode;
  readonly partner: ScriptedPartner;
}

export class SimPeer implements FarEnd {
  readonly name: string;
  readonly peerId: PeerId;
  readonly #init: SimPeerInit;
  readonly #addresses = new Set<Address>();
  #process: Process;
  #answers: PeerAnswer = "yes";
  #running = true;
  #cut: Cut = "none";
  #lagMs = 0;
  #wellSinceMs = 0;
  #silentSinceMs: number | undefined;
  #lyingSinceMs: number | undefined;
  #address: Address;

  constructor(init: SimPeerInit) {
    this.#init = init;
    this.name = init.name;
    this.peerId = peerIdOfName(init.name);
    this.#process = this.#boot();
    this.#address = addressOfName(init.name);
    this.#listen(this.#address);
  }

  readonly isAtOdds = false;

  get lyingSinceMs(): number | undefined {
    return this.#process.partner.isLying ? this.#lyingSinceMs : undefined;
  }

  get wasGreeted(): boolean {
    return this.#process.partner.wasGreeted;
  }

  get isStreaming(): boolean {
    return this.#process.partner.outgoing.stream !== undefined;
  }

  get wellSinceMs(): number {
    const well =
      this.#answers === "yes" &&
      this.#running &&
      this.#cut === "none" &&
      !this.#process.view.paused &&
      this.#process.partner.attacker.attack === undefined &&
      this.#lagMs <= HARMLESS_LAG_MS;
    return well ? this.#wellSinceMs : Number.POSITIVE_INFINITY;
  }

  get silentSinceMs(): number | undefined {
    return this.#silentSinceMs;
  }

  get lagMs(): number {
    return this.#lagMs;
  }

  get address(): Address {
    return this.#address;
  }

  listensAt(address: string | null): boolean {
    return address !== null && this.#addresses.has(transportOf(address));
  }

  does(what: PeerDoes): void {
    const { view, node, partner } = this.#process;
    const actions: Record<PeerDoes, () => void> = {
      crash: () => this.#crash(),
      start: () => this.#start(),
      freeze: () => view.pause(),
      thaw: () => view.resume(),
      cut: () => this.#setCut("both"),
      cut_in: () => this.#setCut("in"),
      cut_out: () => this.#setCut("out"),
      heal: () => this.#setCut("none"),
      fin: () => partner.incoming?.finish(),
      reset: () => partner.incoming?.abort(new PartnerdError("aborted", "the far end reset the stream")),
      disconnect: () => node.resetConnections(),
      blackhole: () => node.blackholeConnections(),
      forget: () => node.forgetConnections(),
      open: () => partner.outgoing.open(),
      close: () => partner.outgoing.close(),
    };
    actions[what]();
    if (what !== "open") this.#disturbed();
  }

  setAnswer(answer: PeerAnswer): void {
    this.#answers = answer;
    this.#apply(this.#process);
    this.#disturbed();
  }

  begins(attack: PeerAttack, forMs: number): void {
    const { view, partner } = this.#process;
    this.#lyingSinceMs = undefined;
    partner.attacker.begin(attack, forMs);
    if (partner.isLying) this.#lyingSinceMs = this.#init.awakeMs();
    this.#disturbed();
    view.schedule(forMs, () => this.#disturbed());
  }

  setLagMs(lagMs: number): void {
    this.#lagMs = lagMs;
    this.#apply(this.#process);
    this.#disturbed();
  }

  moveTo(address: string): void {
    for (const before of this.#addresses) this.#init.network.unlisten(before);
    this.#addresses.clear();
    this.#address = transportOf(address);
    this.#listen(this.#address);
    this.#disturbed();
  }

  heal(address: Address | null): void {
    if (!this.#running) this.#start();
    if (this.#process.view.paused) this.does("thaw");
    if (this.#cut !== "none") this.does("heal");
    if (this.#answers !== "yes") this.setAnswer("yes");
    if (this.#lagMs > 0) this.setLagMs(0);
    this.#process.partner.attacker.stop();
    if (address !== null && !this.listensAt(address)) this.#listen(transportOf(address));
  }

  #listen(address: Address): void {
    this.#addresses.add(address);
    if (this.#running) this.#init.network.listen(address, this.#process.node);
  }

  #crash(): void {
    this.#running = false;
    this.#process.view.stop();
    this.#process.partner.crash();
  }

  #setCut(cut: Cut): void {
    this.#cut = cut;
    this.#process.node.cut = cut;
  }

  #start(): void {
    if (this.#running) return;
    this.#process = this.#boot();
    this.#running = true;
    for (const address of this.#addresses) this.#listen(address);
  }

  #boot(): Process {
    const { network, clock, random, daemon, name } = this.#init;
    const view = clock.view();
    const node = new SimNode(network, { peerId: this.peerId, clock: view });
    const partner = new ScriptedPartner({
      node,
      clock: view,
      random,
      daemonAddress: daemon.address,
      daemonPeerId: daemon.peerId,
      did: didOf(`did:example:${name}`),
    });
    const process = { view, node, partner };
    this.#apply(process);
    return process;
  }

  /** Applies the machine's faults to a process that has just started: they outlive a restart. */
  #apply({ node, partner }: Process): void {
    const answers = this.#answers;
    const connects = answers === "no_protocol" || answers === "not_partner";
    node.answers = connects ? "yes" : answers;
    partner.protocol = connects ? answers : "yes";
    node.cut = this.#cut;
    node.lagMs = this.#lagMs;
  }

  #disturbed(): void {
    this.#wellSinceMs = this.#init.awakeMs();
    const silent = this.#process.view.paused || this.#cut === "both" || this.#cut === "out";
    this.#silentSinceMs = silent ? (this.#silentSinceMs ?? this.#init.awakeMs()) : undefined;
  }
}

/** The address without a trailing PeerID. */
function transportOf(address: string): Address {
  return address.replace(/\/p2p\/[^/]+$/, "") as Address;
}
