/** Another daemon, as the fixture and the invariants of one daemon see it. */
import { PartnerdError } from "../../base/errors.ts";
import type { Address, PeerId } from "../../base/ids.ts";
import { addressOfName } from "../../fixture/format/names.ts";
import type { FarEnd, PeerAnswer, PeerAttack, PeerDoes } from "../peers/far-end.ts";
import type { DaemonMachine, Site } from "./machine.ts";

/** `viewer` sees `machine` through the network. */
export class Neighbour implements FarEnd {
  readonly name: string;
  readonly peerId: PeerId;
  readonly address: Address;
  /** Its heartbeats and proofs are its own, so there is no script to ask. */
  readonly wasGreeted = true;
  readonly lyingSinceMs = undefined;
  readonly #machine: DaemonMachine;
  readonly #viewer: DaemonMachine;
  readonly #site: Site;
  #wellSinceMs = 0;
  #silentSinceMs: number | undefined;

  /** `site` is that of the viewer. */
  constructor(machine: DaemonMachine, viewer: DaemonMachine, site: Site) {
    this.#machine = machine;
    this.#viewer = viewer;
    this.#site = site;
    this.name = machine.name;
    this.peerId = machine.peerId;
    this.address = addressOfName(machine.name);
    const disturbed = () => this.#disturbed();
    machine.onDisturbed(disturbed);
    viewer.onDisturbed(disturbed);
  }

  /** Follows what no action announces: starts, ends, stalls and events of the other daemon. */
  stepped(): void {
    if (!this.#machine.isUp || this.isAtOdds) this.#disturbed();
    else if (this.#silentSinceMs !== undefined && !this.#isSilent) this.#silentSinceMs = undefined;
  }

  get wellSinceMs(): number {
    const isWell = this.#machine.isUp && this.#machine.isHealthy && this.#viewer.isHealthy;
    return isWell ? this.#wellSinceMs : Number.POSITIVE_INFINITY;
  }

  get silentSinceMs(): number | undefined {
    return this.#silentSinceMs;
  }

  get lagMs(): number {
    return this.#machine.lagMs;
  }

  get isStreaming(): boolean {
    return isOpen(this.#machine.site, this.#viewer.peerId, "outbound");
  }

  get isAtOdds(): boolean {
    const there = this.#machine.site;
    if (there === undefined) return false;
    return isAtOdds(this.#site, there) || isAtOdds(there, this.#site);
  }

  listensAt(address: string | null): boolean {
    return address?.replace(/\/p2p\/[^/]+$/, "") === this.address;
  }

  does(what: PeerDoes): void {
    const machine = this.#machine;
    switch (what) {
      case "cut":
        machine.cut = "both";
        break;
      case "cut_in":
        machine.cut = "in";
        break;
      case "cut_out":
        machine.cut = "out";
        break;
      case "heal":
        machine.cut = "none";
        break;
      case "disconnect":
        machine.toConnections((node) => node.resetConnections());
        break;
      case "forget":
        machine.toConnections((node) => node.forgetConnections());
        break;
      case "blackhole":
        machine.toConnections((node) => node.blackholeConnections());
        break;
      case "crash":
      case "start":
      case "freeze":
      case "thaw":
      case "fin":
      case "reset":
      case "open":
      case "close":
        throw unsupported(`${this.name} does ${what}`);
    }
  }

  setAnswer(answer: PeerAnswer): void {
    if (answer === "no_protocol" || answer === "not_partner") throw unsupported(`${this.name} answers ${answer}`);
    this.#machine.answers = answer;
  }

  begins(attack: PeerAttack): void {
    throw unsupported(`${this.name} attacks ${attack}`);
  }

  setLagMs(lagMs: number): void {
    this.#machine.lagMs = lagMs;
  }

  moveTo(address: string): void {
    throw unsupported(`${this.name} listens ${address}`);
  }

  heal(): void {
    this.#machine.heal();
  }

  get #isSilent(): boolean {
    const [from, to] = [this.#machine.cut, this.#viewer.cut];
    const isCut = from === "both" || from === "out" || to === "both" || to === "in";
    return isCut || this.#machine.site?.lifecycle.isStalled === true;
  }

  #disturbed(): void {
    const nowMs = this.#site.awakeMs();
    this.#wellSinceMs = nowMs;
    this.#silentSinceMs = this.#isSilent ? (this.#silentSinceMs ?? nowMs) : undefined;
  }
}

/** Whether the daemon of `site` has an open stream with `peerId`, by its registry. */
export function isOpen(site: Site | undefined, peerId: PeerId, direction: "outbound" | "inbound"): boolean {
  const streams = site?.daemon?.streams;
  return streams !== undefined && streams.actual(peerId)[direction] !== null;
}

export function wants(from: Site, to: Site): boolean {
  return from.daemon?.store.get(to.self)?.standing === "partner";
}

/** Whether the daemon of `site` admits a stream of `peerId`. Written apart from the program's rule, which is under test. */
export function admits(site: Site, peerId: PeerId): boolean {
  const desired = site.daemon?.store.get(peerId);
  return desired === undefined ? site.settings.inbound === "unless-revoked" : desired.standing === "partner";
}

function isAtOdds(from: Site, to: Site): boolean {
  return wants(from, to) && !admits(to, from.self);
}

function unsupported(line: string): PartnerdError {
  return new PartnerdError("fixture_invalid", `the fixture says "${line}", but a daemon of ours cannot do that`, {
    nextStep: "remove the line, or remove the name from the daemons of the header",
  });
}
