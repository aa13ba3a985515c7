/** A real libp2p peer that opens partner streams as fast as the daemon takes them, each in place of the one before. */
import type { Connection, Stream } from "@libp2p/interface";
import { multiaddr } from "@multiformats/multiaddr";
import { systemClock } from "../../src/base/clock.ts";
import { didOf, type PeerId } from "../../src/base/ids.ts";
import { answerChallenge } from "../../src/p2p/heartbeat/echo.ts";
import { encodeHeartbeat } from "../../src/p2p/wire/codec.ts";
import { PARTNER_PROTOCOL, PROBE_PROTOCOL } from "../../src/p2p/wire/constants.ts";
import { faulted, startTestNode } from "./partner-host.ts";

export interface Flapper extends AsyncDisposable {
  readonly peerId: PeerId;
  /** Opens `times` streams, one after the other. Resolves when the last one is admitted or refused. */
  flap(times: number): Promise<void>;
}

/** Connects to the daemon at `address`, which ends in `/p2p/<peerId>`. */
export async function startFlapper(seed: number, address: string): Promise<Flapper> {
  const node = await startTestNode(seed, async (starting) => {
    await starting.node.handle(PROBE_PROTOCOL, (stream, { remotePeer }) =>
      answerChallenge(stream, systemClock, (error) => faulted(String(remotePeer) as PeerId, error)),
    );
  });
  const heartbeat = encodeHeartbeat({ name: `flapper-${seed}`, did: didOf(`did:${seed}`), peerId: node.peerId }, 0, "unix");
  let connection: Connection | undefined;
  let open: Stream | undefined;
  return {
    peerId: node.peerId,
    async flap(times) {
      for (let time = 0; time < times; time++) {
        // The daemon cuts a connection on which streams are opened too fast.
        if (connection?.status !== "open") connection = await node.node.dial(multiaddr(address), { force: true });
        const next = await connection.newStream(PARTNER_PROTOCOL).catch(() => undefined);
        if (next === undefined) continue;
        // A refusal may have ended it already.
        if (next.status === "open") next.send(heartbeat);
        if (open === undefined || open.status !== "open") open = next;
        else if ((await firstToEnd(open, next)) === open) open = next;
      }
    },
    [Symbol.asyncDispose]: () => node[Symbol.asyncDispose](),
  };
}

/** The daemon ends the older stream if it admits the newer one, and else the newer one. */
function firstToEnd(...streams: readonly Stream[]): Promise<Stream | undefined> {
  const ended = streams.map((stream) =>
    stream.status === "open"
      ? new Promise<Stream>((resolve) => stream.addEventListener("close", () => resolve(stream), { once: true }))
      : Promise.resolve(stream),
  );
  return Promise.race(ended);
}
