/** The asking side of identify. */
import { type Clock, deadline } from "../../base/clock.ts";
import { PartnerdError } from "../../base/errors.ts";
import { abortable } from "../../base/pause.ts";
import { readUntilEnd } from "../heartbeat/read-until-end.ts";
import type { HostConnection } from "../host/host.ts";
import { IDENTIFY_PROTOCOL, IDENTIFY_TIMEOUT_MS, MAX_IDENTIFY_BYTES } from "../wire/constants.ts";
import { decodeIdentify, type IdentifiedProgram } from "./identify-message.ts";

/**
 * Asks the far end of `connection` which program it is, on a new stream: at most 64 KiB within 5 s. Rejects with PartnerdError
 * `timeout` or `identify_malformed`, with the signal's reason, or with libp2p's error if it does not speak identify.
 */
export async function identify(connection: HostConnection, clock: Clock, signal: AbortSignal): Promise<IdentifiedProgram> {
  const timedOut = () => new PartnerdError("timeout", `no full answer to identify within ${IDENTIFY_TIMEOUT_MS} ms`);
  using limit = deadline(clock, IDENTIFY_TIMEOUT_MS, timedOut, signal);
  const opening = connection.newStream(IDENTIFY_PROTOCOL, { signal: limit.signal });
  const stream = await abortable(opening, limit.signal, (late) =>
    late.abort(new PartnerdError("aborted", "identify was aborted")),
  );
  const chunks: Uint8Array[] = [];
  let received = 0;
  try {
    const reading = readUntilEnd(stream, (chunk) => {
      received += chunk.length;
      if (received > MAX_IDENTIFY_BYTES)
        throw new PartnerdError("identify_malformed", `the answer to identify is longer than ${MAX_IDENTIFY_BYTES} bytes`);
      chunks.push(chunk.slice());
      return false;
    });
    await abortable(reading, limit.signal);
    await abortable(stream.close({ signal: limit.signal }), limit.signal);
    return decodeIdentify(Buffer.concat(chunks));
  } finally {
    // Does nothing after a complete answer, when both ends have closed.
    stream.abort(new PartnerdError("aborted", "identify is over"));
  }
}
