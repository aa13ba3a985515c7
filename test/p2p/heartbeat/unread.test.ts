/** A far end whose handler hangs while its muxer still answers pings. */
import type { Stream } from "@libp2p/interface";
import { expect, it } from "vitest";
import { systemRandom } from "../../../src/base/clock.ts";
import { didOf } from "../../../src/base/ids.ts";
import type { ObservedEvent } from "../../../src/events/types.ts";
import { NO_CUTS } from "../../../src/p2p/budgets/cuts.ts";
import { dialAsGiven } from "../../../src/p2p/dial/dial-planner.ts";
import { createPartnerStreams, type Libp2pPartnerStreams } from "../../../src/p2p/partner-streams.ts";
import { PARTNER_PROTOCOL } from "../../../src/p2p/wire/constants.ts";
import { ATTEMPT } from "../../support/attempts.ts";
import { paceClock } from "../../support/pace/pace.ts";
import { eventually, faulted, loopbackAddress, startTestNode, timeoutSignal } from "../../support/partner-host.ts";
import { desiredPeer } from "../../support/peers.ts";

/** Fills the far end's window of 256 KiB with a few heartbeats. */
const LONG_NAME = "n".repeat(60_000);

it("loses its stream as unread once its window is full, and not before", async () => {
  const events: ObservedEvent[] = [];
  let streams: Libp2pPartnerStreams | undefined;
  await using _us = await startTestNode(1, async ({ node, peerId, admission }) => {
    const observer = { observed: (event: ObservedEvent) => void events.push(event), faulted, wake: () => {} };
    const self = { name: LONG_NAME, did: didOf("did:us"), peerId };
    streams = await createPartnerStreams({
      dialPlanner: dialAsGiven,
      node,
      clock: paceClock,
      random: systemRandom,
      self,
      admission,
      cuts: NO_CUTS,
      observer,
    });
  });
  let hanging: Stream | undefined;
  await using far = await startTestNode(2, async ({ node }) => {
    await node.handle(PARTNER_PROTOCOL, (stream) => {
      stream.pause();
      hanging = stream;
    });
  });
  if (streams === undefined) throw new Error("no partner streams");
  const desired = desiredPeer(far.peerId, { address: loopbackAddress(far.port, far.peerId) });
  await streams.open(desired, timeoutSignal(10_000), ATTEMPT);
  let renewals = 0;
  const renew = async (): Promise<void> => {
    await streams?.renew(far.peerId, timeoutSignal(10_000));
    renewals += 1;
  };
  await expect(
    (async () => {
      while (renewals < 20) await renew();
    })(),
  ).rejects.toMatchObject({ code: "stream_lost" });
  expect(renewals).toBeGreaterThanOrEqual(4);
  expect(events.at(-1)).toMatchObject({ type: "StreamClosed", direction: "outbound", reason: "unread" });
  await eventually(() => hanging?.status !== "open");
  await streams.dispose();
});
