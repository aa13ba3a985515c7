/**
 * Asks a far end, step by step, what it speaks. Registers nothing: no log, no registry, no listener. Each question is
 * bounded in time, and by the limits of a connection (docs/WIRE.md) in bytes.
 */
import { type Multiaddr, multiaddr } from "@multiformats/multiaddr";
import { deadline } from "../../base/clock.ts";
import { isFault, PartnerdError, toPartnerdError } from "../../base/errors.ts";
import { type Address, type PeerId, parseAddress } from "../../base/ids.ts";
import { tcpEndpointOf } from "../../base/net/tcp-endpoint.ts";
import type { DialPlanner } from "../dial/dial-planner.ts";
import type { Host } from "../host/host.ts";
import { endpointText, type FarEndDial, type FarEndDialler } from "./dial-far-end.ts";
import { FarEndConnection } from "./far-end-connection.ts";
import { handshakeResults } from "./handshake-record.ts";
import { askServices, type ServiceComponents } from "./services.ts";
import type { StepResult } from "./step-results.ts";

export interface ExaminationComponents extends ServiceComponents {
  readonly host: Host;
  readonly dialPlanner: DialPlanner;
  readonly dialler: FarEndDialler;
  /** A PeerID that no one has: dialled in order to learn whose address it is. */
  readonly placeholder: PeerId;
  readonly isPrivate: boolean;
}

/** The results, as they come. Ends after the first step that the others depend on and that failed. Throws a fault of our own. */
export async function* examineFarEnd(address: Address, components: ExaminationComponents): AsyncGenerator<StepResult, void> {
  const { self, isPrivate } = components;
  const endpoint = tcpEndpointOf(address);
  const expected = parseAddress(address)?.peerId ?? null;
  const defect = endpoint === undefined ? "not_tcp" : expected === self.peerId ? "own_identity" : null;
  yield { step: "address", address, peerId: expected, defect };
  if (defect !== null) return;

  const plan = await planFor(expected ?? components.placeholder, address, components);
  yield { step: "dial_policy", targets: plan.targets.map(endpointText), failure: plan.failure, permit: plan.permit };
  if (plan.failure !== null) return;

  const peer = await dialPeer(plan.targets, expected, components);
  const handshake = handshakeResults(peer.dial, { expected, isPrivate });
  yield* handshake;
  if (handshake.at(-1)?.failure !== null) return;
  const { connection } = peer.dial;
  if (connection === null) {
    yield { step: "muxer", muxer: null, pongMs: null, failure: peer.dial.failure };
    return;
  }
  const { host, clock, cuts, timeoutMs } = components;
  const redial = async () => (await dialPeer(plan.targets, peer.peerId, components)).dial.connection;
  yield* askServices(new FarEndConnection(connection, { host, clock, cuts, timeoutMs, redial }), components);
}

async function planFor(
  peerId: PeerId,
  address: Address,
  { clock, dialPlanner, timeoutMs }: Pick<ExaminationComponents, "clock" | "dialPlanner" | "timeoutMs">,
) {
  using limit = deadline(clock, timeoutMs, () => new PartnerdError("timeout", `not resolved within ${timeoutMs} ms`));
  try {
    return { targets: await dialPlanner.plan(peerId, address, limit.signal), failure: null, permit: null };
  } catch (thrown) {
    if (isFault(thrown)) throw thrown;
    const { code, message, nextStep } = toPartnerdError(thrown, "dial_failed");
    return { targets: [], failure: { code, message }, permit: code === "address_denied" ? nextStep : null };
  }
}

/** Dials the peer. If it is unknown, a first dial fails on purpose and tells which peer is there. */
async function dialPeer(
  targets: readonly Multiaddr[],
  expected: PeerId | null,
  components: ExaminationComponents,
): Promise<{ readonly dial: FarEndDial; readonly peerId: PeerId | null }> {
  const { dialler, placeholder, self } = components;
  const peerId = expected ?? placeholder;
  const dial = await dialler.dial(
    peerId,
    targets.map((target) => multiaddr(`${endpointText(target)}/p2p/${peerId}`)),
  );
  const { claimed } = dial.record;
  const isStranger = expected === null && dial.connection === null && claimed !== null && claimed !== self.peerId;
  return isStranger ? dialPeer(targets, claimed, components) : { dial, peerId: expected };
}
