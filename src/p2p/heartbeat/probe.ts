/** The asking side of the echo protocols: the bandwidth challenge and the stream ping. */
import { type Clock, deadline, type Random, systemRandom } from "../../base/clock.ts";
import { isFault, PartnerdError } from "../../base/errors.ts";
import { abortable } from "../../base/pause.ts";
import type { HostConnection, HostStream } from "../host/host.ts";
import { MAX_CHALLENGE_BYTES, MIN_CHALLENGE_BYTES, PING_BYTES, PING_PROTOCOL, PROBE_PROTOCOL } from "../wire/constants.ts";
import { readUntilEnd } from "./read-until-end.ts";

export interface ChallengeComponents {
  readonly clock: Clock;
  readonly random: Random;
  readonly timeoutMs: number;
}

/**
 * Sends 512 to 2,048 random bytes on a new stream of this connection and expects exactly them back, then the end of input
 * (docs/WIRE.md). Resolves to false if the far end does not speak the protocol. Rejects with `challenge_failed`, with the signal's
 * reason, or with a fault of our own.
 */
export async function challenge(
  connection: HostConnection,
  components: ChallengeComponents,
  signal: AbortSignal,
): Promise<boolean> {
  const { random } = components;
  const length = MIN_CHALLENGE_BYTES + Math.floor(random.next() * (MAX_CHALLENGE_BYTES - MIN_CHALLENGE_BYTES + 1));
  return requestEcho(connection, random.bytes(length), components, signal);
}

/** As `challenge`, with `payload`. */
export async function requestEcho(
  connection: HostConnection,
  payload: Uint8Array,
  { clock, timeoutMs }: Pick<ChallengeComponents, "clock" | "timeoutMs">,
  signal: AbortSignal,
): Promise<boolean> {
  using limit = deadline(clock, timeoutMs, () => challengeFailed(`no full echo within ${timeoutMs} ms`), signal);
  try {
    await exchange(connection, PROBE_PROTOCOL, payload, "until_end", limit.signal);
    return true;
  } catch (error) {
    if (isFault(error)) throw error;
    if (!limit.signal.aborted && error instanceof Error && error.name === "UnsupportedProtocolError") return false;
    throw limit.signal.aborted ? limit.signal.reason : asChallengeFailed(error);
  }
}

/** One `/ipfs/ping/1.0.0` round trip, for muxers that cannot ping. Rejects when the stream or connection closes. */
export async function pingOverStream(connection: HostConnection): Promise<void> {
  const unbounded = new AbortController().signal;
  await exchange(connection, PING_PROTOCOL, systemRandom.bytes(PING_BYTES), "until_complete", unbounded);
}

type Completion = "until_end" | "until_complete";

async function exchange(
  connection: HostConnection,
  protocol: string,
  payload: Uint8Array,
  completion: Completion,
  signal: AbortSignal,
): Promise<void> {
  const opening = connection.newStream(protocol, { signal });
  const stream = await abortable(opening, signal, (late) => late.abort(new PartnerdError("aborted", "the exchange was aborted")));
  try {
    signal.throwIfAborted();
    await abortable(Promise.all([receive(stream, payload, completion), write(stream, payload, completion, signal)]), signal);
  } finally {
    // Does nothing after a complete exchange, when both ends have closed.
    stream.abort(new PartnerdError("aborted", "the exchange is over"));
  }
}

async function write(stream: HostStream, payload: Uint8Array, completion: Completion, signal: AbortSignal): Promise<void> {
  stream.send(payload);
  if (completion === "until_end") await stream.close({ signal });
}

/** Resolves when exactly `expected` has come back. */
function receive(stream: HostStream, expected: Uint8Array, completion: Completion): Promise<void> {
  let receivedBytes = 0;
  return readUntilEnd(stream, (chunk) => {
    const end = receivedBytes + chunk.length;
    if (end > expected.length) throw challengeFailed("more bytes came back than were sent");
    if (!chunk.every((byte, index) => byte === expected[receivedBytes + index]))
      throw challengeFailed("other bytes came back than were sent");
    receivedBytes = end;
    return completion === "until_complete" && end === expected.length;
  }).then(() => {
    if (receivedBytes < expected.length) throw challengeFailed(`${receivedBytes} of ${expected.length} bytes came back`);
  });
}

/** Why a far end that does not speak the protocol is refused. */
export function challengeUnsupported(): PartnerdError {
  return new PartnerdError("challenge_failed", `bandwidth challenge failed: the peer does not speak ${PROBE_PROTOCOL}`, {
    nextStep: "set p2p.challenge to prefer to admit peers without it, as unproven",
  });
}

function asChallengeFailed(error: unknown): PartnerdError {
  if (error instanceof PartnerdError && error.code === "challenge_failed") return error;
  const isUnsupported = error instanceof Error && error.name === "UnsupportedProtocolError";
  return challengeFailed(isUnsupported ? `the peer does not support ${PROBE_PROTOCOL}` : "its stream ended early", error);
}

function challengeFailed(detail: string, cause?: unknown): PartnerdError {
  return new PartnerdError("challenge_failed", `bandwidth challenge failed: ${detail}`, { cause });
}
