/** Echoes: the bandwidth challenge that we put, the one that we answer, and the stream ping that is a small one of its kind. */
import { type Clock, deadline, type Random, systemRandom } from "../../base/clock.ts";
import { isFault, messageOf, PartnerdError, toPartnerdError } from "../../base/errors.ts";
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
 * Sends 512 to 2,048 random bytes on a new stream of this connection and wants exactly them back, then the end of input
 * (WIRE). Rejects with `challenge_failed`, or with the signal's reason if that aborts.
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

/** One `/ipfs/ping/1.0.0` round trip (WIRE), for muxers without a ping of their own. Rejects when the stream or connection ends. */
export async function pingOverStream(connection: HostConnection): Promise<void> {
  const unbounded = new AbortController().signal;
  await exchange(connection, PING_PROTOCOL, systemRandom.bytes(PING_BYTES), "until_complete", unbounded);
}

/**
 * Echoes what any peer sends until its end of input, at most 64 KiB within 10 s, so the little that is buffered needs no backpressure.
 * Never rejects; `onFault` is told of a fault of our own.
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
  const stream = await abortable(opening, signal, (late) =>
    late.abort(new PartnerdError("aborted", "nobody waits for this stream")),
  );
  try {
    signal.throwIfAborted();
    await abortable(Promise.all([receive(stream, payload, completion), write(stream, payload, completion, signal)]), signal);
  } finally {
    // After a full exchange both ends have closed, and this does nothing.
    stream.abort(new PartnerdError("aborted", "exchange is over"));
  }
}

async function write(stream: HostStream, payload: Uint8Array, completion: Completion, signal: AbortSignal): Promise<void> {
  stream.send(payload);
  if (completion === "until_end") await stream.close({ signal });
}

/** Resolves when `expected` has come back, and nothing else. */
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

/** Gives each chunk to `onChunk` until the far end has sent its last, or until it returns true; rejects with what it throws. */
function readUntilEnd(stream: HostStream, onChunk: (chunk: Uint8Array) => boolean): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const onMessage = (event: HostStreamEvents["message"]) => {
    try {
      if (onChunk(event.data.subarray())) resolve();
    } catch (error) {
      reject(error as Error);
    }
  };
  // A frame that carries both data and FIN is announced as the end first and delivered right after.
  const onEnd = () => queueMicrotask(resolve);
  const onClose = (event: HostStreamEvents["close"]) => (event.error === undefined ? onEnd() : reject(event.error));
  stream.addEventListener("message", onMessage);
  stream.addEventListener("remoteCloseWrite", onEnd);
  stream.addEventListener("close", onClose);
  // The end may have come before us; what was buffered until now is delivered in an earlier microtask than this one.
  if (stream.remoteWriteStatus === "closed") onEnd();
  return promise.finally(() => {
    stream.removeEventListener("message", onMessage);
    stream.removeEventListener("remoteCloseWrite", onEnd);
    stream.removeEventListener("close", onClose);
  });
}

function asChallengeFailed(error: unknown): PartnerdError {
  return error instanceof PartnerdError && error.code === "challenge_failed" ? error : challengeFailed(messageOf(error), error);
}

function challengeFailed(detail: string, cause?: unknown): PartnerdError {
  return new PartnerdError("challenge_failed", `bandwidth challenge failed: ${detail}`, { cause });
}
