/** The serving side of the echo protocols: the bandwidth challenge and ping. */
import { type Clock, deadline } from "../../base/clock.ts";
import { isFault, PartnerdError, toPartnerdError } from "../../base/errors.ts";
import { abortable } from "../../base/pause.ts";
import type { HostStream } from "../host/host.ts";
import { ECHO_TIMEOUT_MS, MAX_ECHO_BYTES, MAX_PINGS_UNREAD_BYTES, PING_IDLE_MS } from "../wire/constants.ts";
import { readUntilEnd } from "./read-until-end.ts";

/**
 * Echoes what a peer sends until its end of input: at most 1 MiB within 30 s. A peer may write all of it before it reads, so all of it
 * may wait here. Never rejects; calls `onFault` for a fault of our own.
 */
export async function answerChallenge(stream: HostStream, clock: Clock, onFault: (error: PartnerdError) => void): Promise<void> {
  using limit = deadline(
    clock,
    ECHO_TIMEOUT_MS,
    () => new PartnerdError("timeout", `no end of input within ${ECHO_TIMEOUT_MS} ms`),
  );
  let echoedBytes = 0;
  await serve(stream, limit.signal, onFault, (chunk) => {
    echoedBytes += chunk.length;
    if (echoedBytes > MAX_ECHO_BYTES) throw new PartnerdError("challenge_failed", `more than ${MAX_ECHO_BYTES} bytes to echo`);
    stream.send(chunk);
  });
}

/**
 * Echoes pings for as long as the peer sends one a minute, as go-libp2p does. Resets the stream of a peer that does not read the
 * answers. Never rejects; calls `onFault` for a fault of our own.
 */
export async function answerPings(stream: HostStream, clock: Clock, onFault: (error: PartnerdError) => void): Promise<void> {
  const silent = new AbortController();
  const startTimer = () =>
    clock.schedule(PING_IDLE_MS, () => silent.abort(new PartnerdError("timeout", `no ping within ${PING_IDLE_MS} ms`)));
  let timer = startTimer();
  let unreadBytes = 0;
  const onDrain = () => {
    unreadBytes = 0;
  };
  stream.addEventListener("drain", onDrain);
  await serve(stream, silent.signal, onFault, (chunk) => {
    timer[Symbol.dispose]();
    timer = startTimer();
    if (stream.send(chunk)) return;
    unreadBytes += chunk.length;
    if (unreadBytes > MAX_PINGS_UNREAD_BYTES)
      throw new PartnerdError("buffer_full", "the peer does not read the answers to its pings");
  });
  stream.removeEventListener("drain", onDrain);
  timer[Symbol.dispose]();
}

/** Calls `onChunk` until the end of input, then closes our side. Resets the stream if anything fails or the signal aborts. */
async function serve(
  stream: HostStream,
  signal: AbortSignal,
  onFault: (error: PartnerdError) => void,
  onChunk: (chunk: Uint8Array) => void,
): Promise<void> {
  try {
    const read = readUntilEnd(stream, (chunk) => {
      onChunk(chunk);
      return false;
    });
    await abortable(read, signal);
    await abortable(stream.close({ signal }), signal);
  } catch (thrown) {
    const error = toPartnerdError(thrown, "stream_lost");
    stream.abort(error);
    if (isFault(error)) onFault(error);
  }
}
