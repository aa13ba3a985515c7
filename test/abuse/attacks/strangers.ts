/** Attacks by many identities, each of which behaves well enough. */
import { setTimeout as delay } from "node:timers/promises";
import { multiaddr } from "@multiformats/multiaddr";
import { systemClock } from "../../../src/base/clock.ts";
import { didOf } from "../../../src/base/ids.ts";
import { answerChallenge } from "../../../src/p2p/heartbeat/echo.ts";
import { encodeHeartbeat } from "../../../src/p2p/wire/codec.ts";
import { PARTNER_PROTOCOL, PROBE_PROTOCOL } from "../../../src/p2p/wire/constants.ts";
import { startTestNode } from "../../support/partner-host.ts";
import { startRawPeer } from "../../support/raw-peer.ts";
import { type Attack, multiaddrOf, repeatedly } from "./attack.ts";

/** A new identity each time, which stays connected. */
export const thousandsOfStrangers: Attack = async (target, signal) => {
  const peers = new Set<AsyncDisposable>();
  await repeatedly(16, signal, async () => {
    const peer = await startRawPeer();
    peers.add(peer);
    const connection = await peer.connect(multiaddrOf(target));
    void connection.closed.then(() => {
      peers.delete(peer);
      return peer[Symbol.asyncDispose]();
    });
  });
};

/** Sixteen identities that open a partner stream, pass the challenge, and reset it. */
export const flappingStrangers: Attack = async (target, signal) => {
  const nodes = await Promise.all(Array.from({ length: 16 }, (_, index) => startTestNode(100 + index)));
  await Promise.all(
    nodes.map(async ({ node, peerId }) => {
      await node.handle(PROBE_PROTOCOL, (stream) => answerChallenge(stream, systemClock, () => {}));
      await repeatedly(1, signal, async () => {
        const connection = await node.dial(multiaddr(multiaddrOf(target)), { signal: AbortSignal.timeout(2_000) });
        const stream = await connection.newStream(PARTNER_PROTOCOL, { signal: AbortSignal.timeout(2_000) });
        stream.send(encodeHeartbeat({ name: "flap", did: didOf(peerId), peerId }, systemClock.wallMs(), "unix"));
        await delay(50);
        stream.abort(new Error("flap"));
      });
    }),
  );
};
