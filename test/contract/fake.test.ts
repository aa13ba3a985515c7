import { deadline } from "../../src/clock.ts";
import { PartnerdError } from "../../src/errors.ts";
import type { ObservedEvent } from "../../src/events/types.ts";
import type { Address, PeerId } from "../../src/ids.ts";
import { didOf } from "../../src/ids.ts";
import type { Verdict } from "../../src/reconciler/ports.ts";
import type { FakeHost } from "../support/fake-host.ts";
import { FakeNetwork } from "../support/fake-network.ts";
import { desiredPeer } from "../support/peers.ts";
import { seededRandom, VirtualClock } from "../support/virtual-clock.ts";
import type { ContractHarness, ContractSide } from "./partner-streams.contract.ts";
import { partnerStreamsContract } from "./partner-streams.contract.ts";

const STEP_MS = 1;
const LONGEST_WAIT_MS = 20_000;

interface FakeSide extends ContractSide {
  readonly streams: FakeHost;
}

function startSide(network: FakeNetwork, name: string): FakeSide {
  const peerId = name as PeerId;
  const events: ObservedEvent[] = [];
  const woken: PeerId[] = [];
  let verdict: Verdict = "ok";
  const streams = network.addHost(`/dns4/${name}/tcp/1` as Address, {
    peerId,
    did: didOf(`did:${name}`),
    rule: { mayOpen: () => verdict },
    observer: { observed: (event) => events.push(event), wake: (woke) => woken.push(woke) },
  });
  const setVerdict = (next: Verdict) => {
    verdict = next;
  };
  return { peerId, streams, events, woken, setVerdict };
}

function startFakes(): ContractHarness {
  const clock = new VirtualClock();
  const network = new FakeNetwork({ clock, random: seededRandom(1) });
  const alice = startSide(network, "alice");
  const bob = startSide(network, "bob");
  const bobsAddress = "/dns4/bob/tcp/1" as Address;
  const silentAddress = "/dns4/silent/tcp/1" as Address;
  network.addSilentListener(silentAddress);
  return {
    alice,
    bob,
    bobDesired: desiredPeer(bob.peerId, { address: bobsAddress }),
    aliceDesired: desiredPeer(alice.peerId, { address: "/dns4/alice/tcp/1" as Address }),
    silentPeer: desiredPeer("silent" as PeerId, { address: silentAddress }),
    absentPeer: desiredPeer("absent" as PeerId, { address: "/dns4/absent/tcp/1" as Address }),
    impostor: desiredPeer("impostor" as PeerId, { address: bobsAddress }),
    monotonicMs: () => clock.monotonicMs(),
    eventually: async (condition) => {
      const untilMs = clock.monotonicMs() + LONGEST_WAIT_MS;
      while (!condition()) {
        if (clock.monotonicMs() > untilMs) throw new Error(`never held: ${condition.toString()}`);
        await clock.advance(STEP_MS);
      }
    },
    deadline: (durationMs) =>
      deadline(clock, durationMs, () => new PartnerdError("timeout", `nothing within ${durationMs} ms`)).signal,
    finishBobsEnd: async () => bob.streams.finishInbound(alice.peerId),
    dropConnections: () => network.dropConnections(alice.peerId),
    dispose: async () => {
      alice.streams.dispose();
      bob.streams.dispose();
    },
  };
}

partnerStreamsContract("fake network on a virtual clock", async () => startFakes());
