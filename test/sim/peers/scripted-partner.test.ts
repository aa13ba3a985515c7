/** The scripted partner, against the real partner streams. */
import { beforeEach, describe, expect, test } from "vitest";
import type { Address } from "../../../src/base/ids.ts";
import { didOf } from "../../../src/base/ids.ts";
import { SimNode } from "../../../src/sim/network/node.ts";
import { ScriptedPartner } from "../../../src/sim/peers/scripted-partner.ts";
import { derivedRandom } from "../../../src/sim/time/random.ts";
import type { ClockView, VirtualClock } from "../../../src/sim/time/virtual-clock.ts";
import { PEER_A, PEER_B } from "../../support/peers.ts";
import { type SimulatedDaemon, startSimulatedDaemon } from "../../support/simulated-daemon.ts";
import { simulatedWorld } from "../../support/simulated-host.ts";

const DAEMONS_ADDRESS = "/ip4/10.0.0.1/tcp/4001" as Address;
const PARTNERS_ADDRESS = "/ip4/10.0.0.2/tcp/4001" as Address;
const PARTNER = { address: PARTNERS_ADDRESS } as const;

let clock: VirtualClock;
let daemon: SimulatedDaemon;
let partner: ScriptedPartner;
let node: SimNode;
let view: ClockView;

beforeEach(async () => {
  const world = simulatedWorld();
  ({ clock } = world);
  daemon = await startSimulatedDaemon(world, PEER_A, DAEMONS_ADDRESS);
  view = clock.view();
  node = new SimNode(world.network, { peerId: PEER_B, clock: view });
  world.network.listen(PARTNERS_ADDRESS, node);
  partner = new ScriptedPartner({
    node,
    clock: view,
    random: derivedRandom(1, "partner"),
    daemonAddress: DAEMONS_ADDRESS,
    daemonPeerId: PEER_A,
    did: didOf("did:partner"),
  });
});

const closes = () => daemon.events.flatMap((event) => (event.type === "StreamClosed" ? [event.reason] : []));
const failures = () => new Set(daemon.events.flatMap((event) => (event.type === "OpenFailed" ? [event.reason] : [])));

async function established(): Promise<void> {
  daemon.desire(PEER_B, PARTNER);
  await clock.advance(1_000);
  expect(daemon.slots(PEER_B)).toBe("out");
}

describe("a far end that is a partner", () => {
  test("accepts the daemon's stream, challenges it once and keeps it open while heartbeats arrive", async () => {
    await established();
    const { incoming } = partner;
    await clock.advance(600_000);
    expect(partner.incoming).toBe(incoming);
    expect(incoming?.otherEnd?.status).toBe("open");
    expect(closes()).toEqual([]);
    expect(node.getConnections()).toHaveLength(1);
    expect(node.getConnections()[0]?.streams).toEqual([incoming]);
  });

  test("opens its own stream over the daemon's connection, and the daemon accepts it", async () => {
    await established();
    partner.outgoing.open();
    await clock.advance(60_000);
    expect(daemon.slots(PEER_B)).toBe("outin");
    expect(partner.outgoing.stream?.otherEnd?.status).toBe("open");
    expect(node.getConnections()).toHaveLength(1);
    partner.outgoing.close();
    await clock.advance(1_000);
    expect([daemon.slots(PEER_B), partner.outgoing.stream]).toEqual(["out", undefined]);
  });

  test("dials if there is no connection", async () => {
    partner.outgoing.open();
    await clock.advance(60_000);
    expect(daemon.slots(PEER_B)).toBe("in");
    expect(node.getConnections().map(({ direction }) => direction)).toEqual(["outbound"]);
  });

  test("abandons an open when it is closed, and does not open a second stream", async () => {
    partner.outgoing.open();
    partner.outgoing.open();
    await clock.advance(1);
    partner.outgoing.close();
    await clock.advance(10_000);
    expect([daemon.slots(PEER_B), partner.outgoing.stream, daemon.events.length]).toEqual(["", undefined, 0]);
  });

  test("notices that the daemon has closed its stream", async () => {
    partner.outgoing.open();
    await clock.advance(1_000);
    daemon.desire(PEER_B, { ...PARTNER, standing: "revoked" });
    await clock.advance(1_000);
    expect([daemon.slots(PEER_B), partner.outgoing.stream]).toEqual(["", undefined]);
  });

  test("resets the daemon's stream after ten seconds without a heartbeat", async () => {
    await established();
    daemon.view.pause();
    await clock.advance(9_000);
    expect(partner.incoming).toBeDefined();
    await clock.advance(5_000);
    expect(partner.incoming).toBeUndefined();
    daemon.view.resume();
    await clock.advance(10_000);
    expect([daemon.slots(PEER_B), partner.incoming?.status]).toEqual(["out", "open"]);
  });

  test.each([
    ["finish", "remote_closed"],
    ["reset", "reset"],
  ] as const)("ends the daemon's stream by %s, which the daemon sees as %s and reopens", async (how, reason) => {
    await established();
    if (how === "finish") partner.incoming?.finish();
    else partner.incoming?.abort(new Error("reset"));
    await clock.advance(100);
    expect(closes()).toEqual([reason]);
    await clock.advance(30_000);
    expect([daemon.slots(PEER_B), partner.incoming?.status]).toEqual(["out", "open"]);
  });
});

test("a far end that does not support the protocol says so", async () => {
  partner.protocol = "no_protocol";
  daemon.desire(PEER_B, PARTNER);
  await clock.advance(60_000);
  expect([...failures()]).toEqual(["protocol_unsupported"]);
  partner.protocol = "yes";
  await clock.advance(120_000);
  expect(daemon.slots(PEER_B)).toBe("out");
});

test("a far end that does not consider us a partner resets each stream after its first heartbeat", async () => {
  partner.protocol = "not_partner";
  daemon.desire(PEER_B, PARTNER);
  await clock.advance(60_000);
  expect([...failures()]).toEqual(["refused"]);
  expect(partner.incoming).toBeUndefined();
});

test("a far end that crashes loses its state, and a new one can take its place", async () => {
  await established();
  partner.outgoing.open();
  await clock.advance(1_000);
  partner.crash();
  view.stop();
  expect([partner.incoming, partner.outgoing.stream, node.getConnections().length]).toEqual([undefined, undefined, 0]);
  await clock.advance(30_000);
  expect(daemon.slots(PEER_B)).toBe("");
  expect([...failures()]).toEqual(["connection_refused"]);
});
