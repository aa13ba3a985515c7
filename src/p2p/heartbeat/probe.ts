/** Echo protocols: the bandwidth challenge, both sides of it, and the stream ping. */
import { type Clock, deadline, type Random, systemRandom } from "../../base/clock.ts";
import { isFault, PartnerdError, toPartnerdError } from "../../base/errors.ts";
import { abortable } from "../../base/pause.ts";
import type { HostConnection, HostStream, HostStreamEvents } from "../host/host.ts";
import {
  ECHO_TIMEOUT_MS,
  MAX_CHALLENGE_BYTES,
  MAX_ECHO_BYTES,
  MIN_CHALLENGE_BYTES,
  PING_BYTES,
  PING_PROTOCOL,
  PROBE_PROTOCOL,
} from "../wire/constants.ts";

export interface ChallengeComponents {
  readonly clock: Clock;
  readonly random: Random;
  readonly timeoutMs: number;
}

/**
 * Sends 512 to 2,048 random bytes on a new stream of this connection and expects exactly them back, then the end of input
 * (docs/WIRE.md). Rejects with `challenge_failed`, with the signal's reason, or with a fault of our own.
 */
export async function challenge(connection: HostConnection, components: ChallengeComponents, signal: AbortSignal): Promise<void> {
  const { clock, random, timeoutMs } = components;
  const length = MIN_CHALLENGE_BYTES + Math.floor(random.next() * (MAX_CHALLENGE_BYTES - MIN_CHALLENGE_BYTES + 1));
  using limit = deadline(clock, timeoutMs, () => challengeFailed(`no full echo within ${timeoutMs} ms`), signal);
  try {
    await exchange(connection, PROBE_PROTOCOL, random.bytes(length), "until_end", limit.signal);
  } catch (error) {
    if (isFault(error)) throw error;
    throw limit.signal.aborted ? limit.signal.reason : asChallengeFailed(error);
  }
}

/** One `/ipfs/ping/1.0.0` round trip, for muxers that cannot ping. Rejects when the stream or connection closes. */
export async function pingOverStream(connection: HostConnection): Promise<void> {
  const unbounded = new AbortController().signal;
  await exchange(connection, PING_PROTOCOL, systemRandom.bytes(PING_BYTES), "until_complete", unbounded);
}

/**
 * Echoes what a peer sends until its end of input: at most 64 KiB within 10 s, so no backpressure is needed. Never rejects; calls
 * `onFault` for a fault of our own.
 */
export async function answerChallenge(stream: HostStream, clock: Clock, onFault: (error: PartnerdError) => void): Promise<void> {
  using limit = deadline(
    clock,
    ECHO_TIMEOUT_MS,
    () => new PartnerdError("timeout", `no end of input within ${ECHO_TIMEOUT_MS} ms`),
  );
  try {
    await abortable(echoUntilEnd(stream), limit.signal);
    await abortable(stream.close({ signal: limit.signal }), limit.signal);
  } catch (thrown) {
    const error = toPartnerdError(thrown, "stream_lost");
    stream.abort(error);
    if (isFault(error)) onFault(error);
  }
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

function echoUntilEnd(stream: HostStream): Promise<void> {
  let echoedBytes = 0;
  return readUntilEnd(stream, (chunk) => {
    echoedBytes += chunk.length;
    if (echoedBytes > MAX_ECHO_BYTES) throw new PartnerdError("challenge_failed", `more than ${MAX_ECHO_BYTES} bytes to echo`);
    stream.send(chunk);
    return false;
  });
}

/** Calls `onChunk` with each chunk until the far end closes its side or it returns true. Rejects with what it throws. */
function readUntilEnd(stream: HostStream, onChunk: (chunk: Uint8Array) => boolean): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const onMessage = (event: HostStreamEvents["message"]) => {
    try {
      if (onChunk(event.data.subarray())) resolve();
    } catch (error) {
      reject(error as Error);
    }
  };
  // If a frame carries both data and FIN, the end is announced first and the data delivered right after.
  const onEnd = () => queueMicrotask(resolve);
  const onClose = (event: HostStreamEvents["close"]) => (event.error === undefined ? onEnd() : reject(event.error));
  stream.addEventListener("message", onMessage);
  stream.addEventListener("remoteCloseWrite", onEnd);
  stream.addEventListener("close", onClose);
  // The end may have come earlier. Data buffered until now is delivered in an earlier microtask than this one.
  if (stream.remoteWriteStatus === "closed") onEnd();
  return promise.finally(() => {
    stream.removeEventListener("message", onMessage);
    stream.removeEventListener("remoteCloseWrite", onEnd);
    stream.removeEventListener("close", onClose);
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
