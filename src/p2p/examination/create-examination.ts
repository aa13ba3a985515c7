/** An examination with a libp2p host of its own, which listens nowhere. */
import { generateKeyPair } from "@libp2p/crypto/keys";
import type { PrivateKey } from "@libp2p/interface";
import { peerIdFromPrivateKey } from "@libp2p/peer-id";
import type { Clock, Random } from "../../base/clock.ts";
import type { PartnerdError } from "../../base/errors.ts";
import { type Address, type Did, didOf } from "../../base/ids.ts";
import type { Verdict } from "../../reconciler/ports.ts";
import { connectionLimits } from "../budgets/connection-limits.ts";
import type { DialPlanner } from "../dial/dial-planner.ts";
import type { HandshakeProgress } from "../handshake/handshake-progress.ts";
import { HandshakeWatch } from "../handshake/handshake-watch.ts";
import { answerChallenge, answerPings } from "../heartbeat/echo.ts";
import { peerIdOf } from "../host/connection-index.ts";
import { Door } from "../host/door.ts";
import { createNode, type Node, startNode, stopNode } from "../host/node.ts";
import type { HeartbeatFormat } from "../wire/codec.ts";
import { MAX_STREAMS_PER_PROTOCOL, PING_PROTOCOL, PROBE_PROTOCOL } from "../wire/constants.ts";
import { FarEndDialler } from "./dial-far-end.ts";
import { examineFarEnd } from "./examine.ts";
import type { StepResult } from "./step-results.ts";

export interface ExaminationInit {
  readonly clock: Clock;
  readonly random: Random;
  readonly privateKey: PrivateKey;
  readonly name: string;
  /** Null: the PeerID. */
  readonly did: Did | null;
  readonly version: string;
  readonly swarmKey: Uint8Array | null;
  readonly dialPlanner: DialPlanner;
  readonly heartbeat: HeartbeatFormat;
  readonly moreFormats: boolean;
  readonly timeoutMs: number;
}

/** One connection at a time, and those that are closing. */
const MAX_CONNECTIONS = 64;
const MAX_CHALLENGES_REMEMBERED = 8;

/** The results of examining the far end at `address`, as they come. Its host stops before it returns. Throws a fault of our own. */
export async function* examination(address: Address, init: ExaminationInit): AsyncGenerator<StepResult, void> {
  const { clock, privateKey, swarmKey, timeoutMs, version, name, did } = init;
  const isPrivate = swarmKey !== null;
  let onProgress: (progress: HandshakeProgress) => void = () => {};
  const handshakes = new HandshakeWatch({
    isPrivate,
    onInboundFailure: () => {},
    onProgress: (progress) => onProgress(progress),
  });
  const limits = connectionLimits(MAX_CONNECTIONS, undefined);
  const cut = new AbortController();
  const onCut = (error: PartnerdError) => cut.abort(error);
  const door = new Door({ limits, clock, isPartner: () => true, onCut });
  const admission = { verdictOn: (): Verdict => "ok" };
  const node = await createNode({ privateKey, listen: [], door, clock, admission, swarmKey, version, handshakes });
  try {
    const faults: PartnerdError[] = [];
    const challengedBytes = await serveAsDaemon(node, clock, (error) => faults.push(error));
    await startNode(node, []);
    const dialler = new FarEndDialler({ host: node, clock, handshakes, timeoutMs });
    onProgress = (progress) => dialler.progressed(progress);
    const peerId = peerIdOf(peerIdFromPrivateKey(privateKey));
    const steps = examineFarEnd(address, {
      ...init,
      host: node,
      dialler,
      challengedBytes,
      isPrivate,
      cuts: door,
      cut: cut.signal,
      self: { name, did: did ?? didOf(peerId), peerId },
      placeholder: peerIdOf(peerIdFromPrivateKey(await generateKeyPair("Ed25519"))),
    });
    yield* untilCut(steps, cut.signal);
    for (const error of faults) throw error;
  } finally {
    await stopNode(node, clock);
  }
}

/** If we cut the connection during a question, its result says nothing about the far end. The cut is reported instead. */
async function* untilCut(steps: AsyncIterable<StepResult>, cut: AbortSignal): AsyncGenerator<StepResult, void> {
  try {
    for await (const result of steps) {
      cut.throwIfAborted();
      yield result;
    }
    cut.throwIfAborted();
  } catch (thrown) {
    if (!cut.aborted || thrown !== cut.reason) throw thrown;
    const { code, message } = thrown as PartnerdError;
    yield { step: "limits", failure: { code, message } };
  }
}

/** Answers the challenges and pings of the far end, as the daemon does. Returns the sizes of the challenges so far. */
async function serveAsDaemon(
  node: Node,
  clock: Clock,
  onFault: (error: PartnerdError) => void,
): Promise<() => readonly number[]> {
  const sizes: number[] = [];
  const limits = { maxInboundStreams: MAX_STREAMS_PER_PROTOCOL, maxOutboundStreams: MAX_STREAMS_PER_PROTOCOL };
  await node.handle(
    PROBE_PROTOCOL,
    async (stream) => {
      let bytes = 0;
      stream.addEventListener("message", ({ data }) => {
        bytes += data.byteLength;
      });
      await answerChallenge(stream, clock, onFault);
      if (bytes > 0 && sizes.length < MAX_CHALLENGES_REMEMBERED) sizes.push(bytes);
    },
    limits,
  );
  await node.handle(PING_PROTOCOL, (stream) => answerPings(stream, clock, onFault), limits);
  return () => [...sizes];
}
